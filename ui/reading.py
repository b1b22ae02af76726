"""How a model's file is read: what the loader had to assume, and the controls to say otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, get_args

import streamlit as st

from loaders.options import Activation, Maps, Options, Outputs
from loaders.presets import Channels
from ui import views
from ui.desk import Desk
from ui.popovers import close
from xai_core.errors import ParamError

ASSUMED = "As it is told"


@dataclasses.dataclass(frozen=True)
class Control:
    """One control: the option that it sets, its title, its choices or what may be typed."""

    name: str
    title: str
    choices: tuple[str, ...] = ()
    typed: str = ""
    help: str = ""


SIZE = Control(
    "size", "Size", typed="for example 224x224", help="Height x width of the photos, in pixels."
)
CHANNELS = Control("channels", "Channels", get_args(Channels))
HEAD = Control(
    "head",
    "The outputs are",
    get_args(Outputs),
    help="What the last numbers of the network mean. Chances are turned back into scores.",
)
OUTPUT = Control(
    "output",
    "The scores are in",
    typed="for example logits",
    help="The name or the number of the output to read, where the network gives several.",
)
WEIGHTS = Control(
    "weights",
    "Weights",
    typed="for example ema",
    help="The name of the set of weights to take, where the file holds several.",
)
LAYOUT = Control(
    "layout",
    "Inner maps lie",
    get_args(Maps),
    help="Which side of an inner layer's output holds its channels.",
)
ACTIVATION = Control(
    "activation",
    "Between the head's layers",
    get_args(Activation),
    help="The activation between the last layers of a head that was rebuilt of its weights.",
)
READING = (HEAD, OUTPUT, WEIGHTS, LAYOUT, ACTIVATION)
"""What the popover holds; size and channels stand with the pre-processing."""

LACKING = (SIZE, CHANNELS, OUTPUT, HEAD)
"""What is asked of a file that could not be opened for want of an answer."""

PLACES = {
    "size": "Pre-processing",
    "channels": "Pre-processing",
    "preprocessing": "Pre-processing",
    "labels": "Class names",
    **dict.fromkeys(("head", "output", "weights", "layout", "activation"), "How it is read"),
}
"""Where on the card the control for a finding is, by what the finding is about."""


def popover(desk: Desk) -> None:
    """Draw the button and its form."""
    model = desk.model
    if model is None or model.built_in:
        return
    with st.popover("How it is read", key="change-reading", on_change="rerun"):
        views.line(
            "What the file does not say is told from the network's layers and answers. Where "
            "that went wrong, say it here."
        )
        if _form(f"reading-{model.id}", READING, model.options, desk.reopen):
            close("change-reading")


def lacking(desk: Desk, options: Options) -> None:
    """Draw what a refused file asks for."""
    _form("refused-answers", LACKING, options, desk.supply)


def _form(
    key: str, controls: Sequence[Control], asked: Options, opened: Callable[..., None]
) -> bool:
    """Draw controls as they were answered; open with the new answers, and say whether it did."""
    with st.form(key, border=False):
        columns = st.columns(2)
        flags = {
            control.name: _draw(control, asked, columns[index % 2], f"{key}-{control.name}")
            for index, control in enumerate(controls)
        }
        if not st.form_submit_button("Open with these answers", type="primary"):
            return False
    try:
        said = Options.from_text(flags)
        opened(**{name: getattr(said, name) for name in flags})
    except ParamError as error:
        views.error(str(error))
        return False
    return True


def _draw(control: Control, asked: Options, column: Any, key: str) -> str | None:
    value = getattr(asked, control.name)
    with column:
        if control.choices:
            place = control.choices.index(value) if value in control.choices else None
            return st.selectbox(
                control.title,
                control.choices,
                index=place,
                placeholder=ASSUMED,
                key=key,
                help=control.help or None,
            )
        shown = "x".join(map(str, value)) if isinstance(value, tuple) else str(value or "")
        given = st.text_input(
            control.title, shown, placeholder=control.typed, key=key, help=control.help or None
        )
        return (given or "").strip() or None
