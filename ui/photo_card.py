"""The photo on the desk: the view that the model gets, and the ways to change it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import streamlit as st

from loaders import catalogue
from ui import dialogs, figure, text, views
from ui.desk import Desk
from ui.held import Photo, Seen
from xai_core import render
from xai_core.model import Geometry

TITLE = "Change photo"

THUMBNAIL = 112
"""Pixels of the photo's longer side in the rail."""

SMALL = 128
"""Pixels of a built-in photo's longer side in the list of them."""


def open_first(desk: Desk) -> None:
    """Put the opening photo on an empty desk."""
    if desk.photo is None and desk.decoding is None and not desk.photo_error:
        samples = desk.samples()
        named = [sample for sample in samples if sample.name == desk.opening_photo]
        open_sample(desk, (named or list(samples))[0])


def word_of(sample: catalogue.Sample) -> str:
    """Return what names a built-in photo on the command line."""
    return f"assets/photos/{sample.path.name}"


def open_sample(desk: Desk, sample: catalogue.Sample) -> None:
    """Put a built-in photo on the desk."""
    desk.open_photo(sample.path.read_bytes(), name=sample.title, word=word_of(sample))


def show(desk: Desk, beside: Callable[[Seen | None], None]) -> None:
    """Draw the view that the model gets with `beside` next to it, and the ways to change it.

    A photo stands beside what was said of it, and of no other: while the next one is looked at, the
    last two stay. `beside` is told which prediction that is.
    """
    seen = None if desk.prediction_error else desk.seen
    photo = desk.photo if seen is None else seen.photo
    with st.container(horizontal=True, key="seen", gap="small", wrap=False):
        with st.container(key="photo-card"):
            if photo is None:
                st.skeleton(height=112)
            elif seen is None:
                _picture("photo", f"{photo.id}", photo.pixels, photo.name, THUMBNAIL)
            else:
                view = render.pixels(seen.prediction.view)
                grey = seen.model.preprocessing.channels == "grey"
                view = render.grey(view) if grey else view
                gets = f"{photo.name}, as the model gets it"
                _picture("view", f"{seen.model.id}-{photo.id}", view, gets, THUMBNAIL)
        with st.container(key="bars-card"):
            beside(seen)
    if photo is not None:
        views.line(_said(photo, seen), "v-quiet v-small")
    if desk.decoding is not None and photo is not None:
        views.line("Reading the new photo ...")
    elif seen is not None and desk.prediction is None and desk.photo and desk.model:
        views.line(f"{desk.model.name} looks at {text.sentence(desk.photo.name)} ...")
    if desk.photo_error:
        views.error(desk.photo_error)
    with st.container(horizontal=True, gap="small", key="photo-buttons"):
        st.button(TITLE, key="change-photo", on_click=dialogs.opens, args=(TITLE,))
    dialogs.draw(desk, (dialogs.Dialog(TITLE, dialog, "medium", dialogs.nothing),))


def _said(photo: Photo, seen: Seen | None) -> str:
    """Say which photo it is, and what was done to it for the model."""
    said = [text.sentence(photo.name)]
    if seen is not None:
        geometry, model = seen.prediction.geometry, seen.model
        made = how(model.preprocessing.fit, model.preprocessing.resize, geometry)
        grey = ", in grey" if model.preprocessing.channels == "grey" else ""
        (tall, wide), (height, width) = geometry.photo, geometry.view
        upload = f" from {wide} x {tall} px" if differs(geometry) else ""
        said.append(f"The model gets it as {width} x {height} px, {made}{upload}{grey}.")
    return " ".join([*said, *photo.notes])


def _picture(key: str, number: str, pixels: render.Pixels, shows: str, side: int) -> None:
    """Draw a photo no larger than `side`; small views are enlarged so that they can be seen."""
    figure.photo(
        key=f"photo-{key}", name=f"{key}-{number}", pixels=pixels, alternative=shows, side=side
    )


def differs(geometry: Geometry) -> bool:
    """Whether the view shows another part or another shape than the upload."""
    height, width = geometry.photo
    top, left, bottom, right = geometry.box
    whole = max(abs(top), abs(left)) < 0.02 * min(height, width)
    whole = whole and abs(bottom - height) < 0.02 * height and abs(right - width) < 0.02 * width
    same = abs(height / width - geometry.view[0] / geometry.view[1]) < 0.02
    return not (whole and same)


def how(fit: str, resize: int | None, geometry: Geometry) -> str:
    """Say in a few words how the view was made."""
    if fit == "crop":
        return f"resized to {resize} and cropped" if resize else "cropped to its middle"
    if fit == "pad":
        return "fitted, with grey beside it"
    return "stretched" if differs(geometry) else "resized"


def dialog(desk: Desk) -> None:
    """Draw the ways to change the photo: a file, the camera, or a built-in one."""
    st.file_uploader(
        "A photo of your own",
        key=f"photo-file-{st.session_state.get('photo-files', 0)}",
        help="PNG, JPEG, WEBP, BMP, GIF or TIFF. It is decoded in a process of its own.",
        on_change=_uploaded,
        args=(desk,),
    )
    # The camera is asked for only when it is wanted.
    if st.toggle("Take one with the camera", key="camera"):
        taken = st.camera_input("A photo from the camera", key="camera-photo")
        if taken is not None and st.session_state.get("camera-last") != taken.file_id:
            st.session_state["camera-last"] = taken.file_id
            desk.open_photo(taken.getvalue(), name="Camera photo", word="photo.jpg")
            dialogs.close()
    views.line("Or a built-in one", "v-label")
    _samples(desk)


def _uploaded(desk: Desk) -> None:
    number = st.session_state.get("photo-files", 0)
    file = st.session_state.get(f"photo-file-{number}")
    if file is not None:
        desk.open_photo(file.getvalue(), name=file.name, word=file.name)
        st.session_state["photo-files"] = number + 1
        dialogs.shut()


def _samples(desk: Desk) -> None:
    samples = {sample.name: sample for sample in desk.samples()}

    def chosen() -> None:
        sample = samples.get(str(st.session_state["sample-photos"].chosen))
        if sample is not None:
            open_sample(desk, sample)
            dialogs.shut()

    rows = [
        {"name": sample.name, "title": sample.title, "url": _small(sample.path)}
        for sample in samples.values()
    ]
    mount = views.component("samples", '<div class="samples" role="group"></div>')
    mount(key="sample-photos", data={"rows": rows}, on_chosen_change=chosen)


@functools.cache
def _small(path: Path) -> str:
    """Return a built-in photo small, for the browser."""
    from PIL import Image

    return views.data_url(np.asarray(Image.open(path).convert("RGB")), longest=SMALL)
