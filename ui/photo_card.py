"""The photo on the desk: the view that the model gets, and the ways to change it."""

from __future__ import annotations

import streamlit as st

from loaders import catalogue
from ui import figure, views
from ui.desk import Desk
from ui.popovers import close, key, shut
from xai_core import render
from xai_core.model import Geometry

OPENING = "heart_marked"
"""The photo that a first visitor meets: the opening model falls for the sticker on it."""


def open_first(desk: Desk) -> None:
    """Put the opening photo on an empty desk."""
    if desk.photo is None and desk.decoding is None and not desk.photo_error:
        samples = catalogue.photos()
        named = [sample for sample in samples if sample.name == OPENING]
        _open_sample(desk, (named or list(samples))[0])


def _open_sample(desk: Desk, sample: catalogue.Sample) -> None:
    desk.open_photo(
        sample.path.read_bytes(), name=sample.title, word=f"assets/photos/{sample.path.name}"
    )


def show(desk: Desk) -> None:
    """Draw the card: the view, the upload beside it when they differ, and the ways to change."""
    photo, prediction, model = desk.photo, desk.prediction, desk.model
    if photo is None:
        views.line("Photo", "v-label")
        st.skeleton(height=300)
    elif prediction is None or model is None:
        views.line("Photo", "v-label")
        _picture("photo", photo.id, photo.pixels, photo.name, 420)
    else:
        geometry = prediction.geometry
        made = how(model.preprocessing.fit, model.preprocessing.resize, geometry)
        height, width = geometry.view
        seen = render.pixels(prediction.view)
        if model.preprocessing.channels == "grey":
            seen, made = render.grey(seen), f"{made}, in grey"
        views.line(f"Photo, as the model gets it ({height} x {width}, {made})", "v-label")
        gets = f"{photo.name}, as the model gets it"
        if differs(geometry):
            left, right = st.columns([3, 2])
            with left:
                _picture("view", photo.id, seen, gets, 420)
            with right:
                _picture("upload", photo.id, photo.pixels, f"{photo.name}, as uploaded", 300)
                views.line(f"The upload, {geometry.photo[1]} x {geometry.photo[0]} px", "v-label")
        else:
            _picture("view", photo.id, seen, gets, 420)
    if photo is not None:
        views.line(" ".join([photo.name + ".", *photo.notes]), "v-quiet v-small")
    if desk.decoding is not None and photo is not None:
        views.line("Reading the new photo ...")
    if desk.photo_error:
        views.error(desk.photo_error)
    with st.container(horizontal=True, gap="small", key="photo-buttons"):
        _upload(desk)
        _camera(desk)
        _samples(desk)


def _picture(key: str, number: int, pixels: render.Pixels, shows: str, side: int) -> None:
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


def _upload(desk: Desk) -> None:
    with st.popover("Change photo", key=key("change-photo"), on_change="rerun"):
        st.file_uploader(
            "Photo file",
            key=f"photo-file-{st.session_state.get('photo-files', 0)}",
            help="PNG, JPEG, WEBP, BMP, GIF or TIFF. It is decoded in a process of its own.",
            on_change=_uploaded,
            args=(desk,),
        )


def _uploaded(desk: Desk) -> None:
    number = st.session_state.get("photo-files", 0)
    file = st.session_state.get(f"photo-file-{number}")
    if file is not None:
        desk.open_photo(file.getvalue(), name=file.name, word=file.name)
        st.session_state["photo-files"] = number + 1
        shut("change-photo")


def _camera(desk: Desk) -> None:
    popover = st.popover("Camera", key=key("camera"), on_change="rerun")
    # The camera is asked for only when its popover is open.
    if popover.open:
        with popover:
            taken = st.camera_input("A photo from the camera", key="camera-photo")
            if taken is not None and st.session_state.get("camera-last") != taken.file_id:
                st.session_state["camera-last"] = taken.file_id
                desk.open_photo(taken.getvalue(), name="Camera photo", word="photo.jpg")
                close("camera")


def _samples(desk: Desk) -> None:
    with st.popover("Samples", key=key("samples"), on_change="rerun"):
        for sample in catalogue.photos():
            left, right = st.columns([1, 3], vertical_alignment="center", wrap=False)
            left.image(str(sample.path), width=56)
            right.button(
                sample.title,
                key=f"sample-{sample.name}",
                on_click=_sampled,
                args=(desk, sample),
                type="tertiary",
            )


def _sampled(desk: Desk, sample: catalogue.Sample) -> None:
    _open_sample(desk, sample)
    shut("samples")
