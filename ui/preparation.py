"""How the model's photos are prepared, and what its classes are called: two forms on the card."""

from __future__ import annotations

import streamlit as st

from loaders import catalogue
from loaders.preprocessing import PRESETS, Options
from loaders.texts import NotText, decode_text
from ui import views
from ui.desk import Desk
from ui.popovers import close
from xai_core.errors import ParamError

DETECT = "As the file says"


def preset_title(name: str) -> str:
    """Return a preset's name with what it means."""
    return DETECT if name == "auto" else f"{name}: {PRESETS[name].meaning}"


def preprocessing(desk: Desk) -> None:
    """Draw the form of the values, the fit and the size."""
    with st.popover(
        "Pre-processing", key="change-preprocessing", on_change="rerun", disabled=desk.model is None
    ):
        if desk.model is None:
            return
        views.line(desk.model.preprocessing.sentence())
        asked = desk.model.options
        with st.form(f"preprocessing-{desk.model.id}", border=False):
            flags: dict[str, str | None] = {
                "preprocessing": st.selectbox(
                    "Values",
                    ["auto", *PRESETS],
                    index=["auto", *PRESETS].index(asked.preprocessing),
                    format_func=preset_title,
                ),
                "mean": st.text_input(
                    "Mean",
                    _numbers(asked.mean),
                    placeholder="0.485, 0.456, 0.406",
                    help="One number or one a channel, in units of the 0..1 photo.",
                ),
                "std": st.text_input(
                    "Deviation",
                    _numbers(asked.std),
                    placeholder="0.229, 0.224, 0.225",
                    help="One number or one a channel, in units of the 0..1 photo.",
                ),
            }
            left, right = st.columns(2)
            with left:
                flags["channels"] = _maybe("Channels", ("rgb", "bgr", "grey"), asked.channels)
                flags["fit"] = _maybe("Fit", ("crop", "stretch", "pad"), asked.fit)
                flags["size"] = st.text_input(
                    "Size",
                    "x".join(map(str, asked.size or ())),
                    placeholder="224x224",
                    help="Height x width of the view, in pixels.",
                )
            with right:
                flags["interpolation"] = _maybe(
                    "Interpolation",
                    ("bilinear", "bicubic", "lanczos", "nearest"),
                    asked.interpolation,
                )
                flags["resize"] = st.text_input(
                    "Shorter side before a crop",
                    str(asked.resize or ""),
                    placeholder="256",
                    help="In pixels; used when the photo is cropped.",
                )
            if st.form_submit_button("Apply", type="primary"):
                _apply(desk, flags)


def _apply(desk: Desk, flags: dict[str, str | None]) -> None:
    try:
        asked = Options.from_text({name: value or None for name, value in flags.items() if value})
    except ParamError as error:
        views.error(str(error))
        return
    desk.reopen(**{name: getattr(asked, name) for name in flags})
    close("change-preprocessing")


def _numbers(values: tuple[float, ...] | None) -> str:
    return ", ".join(f"{value:.6g}" for value in values or ())


def _maybe(label: str, options: tuple[str, ...], asked: str | None) -> str | None:
    return st.selectbox(
        label, options, index=options.index(asked) if asked else None, placeholder=DETECT
    )


def classes(desk: Desk) -> None:
    """Draw the form of the class names."""
    with st.popover(
        "Class names", key="change-classes", on_change="rerun", disabled=desk.model is None
    ):
        if desk.model is None:
            return
        count = len(desk.model.labels)
        views.line(f"{count:,} names, in the order of the network's outputs.")
        with st.form(f"classes-{desk.model.id}", border=False):
            given = st.text_area(
                "One a line", "\n".join(desk.model.labels) if count <= 200 else "", height=180
            )
            file = st.file_uploader(
                "Or a file",
                help="One name a line, with its number or without; a table; JSON, YAML or Python.",
            )
            if st.form_submit_button("Apply", type="primary"):
                _name(desk, file.getvalue() if file else given)
        if count == 1000 and st.button("Use ImageNet's names"):
            desk.reopen(classes=catalogue.imagenet_labels())
            close("change-classes")


def _name(desk: Desk, listed: str | bytes) -> None:
    try:
        given = decode_text(listed) if isinstance(listed, bytes) else listed
        classes = Options.from_text({"classes": given}).classes
    except NotText as error:
        views.error(f"The class names cannot be read: {error}.")
        return
    except ParamError as error:
        views.error(str(error))
        return
    desk.reopen(classes=classes)
    close("change-classes")
