"""What a question is measured on: a class's score or probability, or a unit of a layer."""

from __future__ import annotations

import dataclasses
from typing import Any, Final, Literal, get_args

import streamlit as st

from ui import kept, views
from xai_core.card import Card
from xai_core.errors import ParamError
from xai_core.model import Head, Layer
from xai_core.target import WORDS, ClassTarget, Of, Target, UnitTarget

OF: Final = "measured-on"
UNIT: Final = "unit"
"""Which number is explained, and the choice that stands for none of a class."""

_CHOICES = (*get_args(Of), UNIT)
_NO_LAYERS = (
    "This model shows no layer whose output is a map, so that no unit can be explained. "
    "Choose the score or the probability."
)


def chosen() -> Of | Literal["unit"]:
    """Return which number is explained, as the control stands."""
    # None where the control was not on the last page
    of: Of | Literal["unit"] = st.session_state.get(OF) or "logit"
    return of


def said(card: Card) -> str:
    """Say what is explained where it is not a class's score; nothing where it is."""
    of = chosen()
    if of == UNIT:
        unit = _unit(card)
        words = f"{unit.words(card.labels)}, and no class" if unit else "a layer's unit"
        return f"Measured on {words}: see All settings."
    return f"Measured on its {WORDS[of]}: see All settings." if of != "logit" else ""


def show(card: Card, target: ClassTarget, *, disabled: bool) -> tuple[Target, str]:
    """Draw the choice; return what is explained then, and why it cannot be (or nothing)."""
    st.segmented_control(
        "Measured on",
        _CHOICES,
        format_func=lambda of: "A unit" if of == UNIT else WORDS[of].capitalize(),
        key=kept.control(OF, "logit"),
        help=told(card.head),
        persist_state="session",
        required=True,
        disabled=disabled,
    )
    of = chosen()
    if of != UNIT:
        return dataclasses.replace(target, of=of), ""
    unit = _unit(card)
    if unit is None:
        views.line(_NO_LAYERS)
        return target, _NO_LAYERS
    _controls(card, unit, disabled=disabled)
    return _unit(card) or unit, ""


def _controls(card: Card, unit: UnitTarget, *, disabled: bool) -> None:
    """Draw the layer and the channel, which is bounded by that layer's."""
    layers = {layer.name: layer for layer in card.layers}
    layer, channel = _keys(card)
    state = st.session_state
    _put(layer, unit.layer)
    st.selectbox(
        "Layer of the unit",
        list(layers),
        key=layer,
        help="The mean of one channel over this layer's map is explained, and no class.",
        persist_state="session",
        disabled=disabled,
    )
    most = layers[state[layer]].channels - 1
    _put(channel, min(max(int(state.get(channel) or 0), 0), most))
    st.number_input(
        "Channel",
        0,
        max(most, 1),  # a layer may have one channel only
        step=1,
        key=channel,
        help=f"This layer has the channels 0 to {most:,}, in the network's own order.",
        persist_state="session",
        disabled=disabled or most < 1,
    )


def _put(key: str, value: Any) -> None:
    """Set a control; one that stands so is left alone: what is set anew shuts its list."""
    if st.session_state.get(kept.control(key)) != value:
        st.session_state[key] = value


def aim(card: Card, target: Target) -> None:
    """Set the controls so that they explain the number of a target on a model."""
    if isinstance(target, UnitTarget):
        layer, channel = _keys(card)
        st.session_state[OF] = UNIT
        st.session_state[layer], st.session_state[channel] = target.layer, target.channel
    elif target.classes():
        st.session_state[OF] = target.of


def read(card: Card, word: str) -> UnitTarget | None:
    """Return the unit that a word names where the model has it, or None."""
    try:
        unit = UnitTarget.read(word)
    except ParamError:
        return None
    layer = _layer(card, unit.layer)
    return unit if layer is not None and unit.channel < layer.channels else None


def told(head: Head) -> str:
    """Say how the numbers differ that can be explained, for a model that ends so."""
    if head.exclusive:
        others = (
            "The probability weighs it against the scores of all classes (softmax), so that it "
            "also moves with what speaks for the others, and hardly at all near 0 or 1."
        )
    else:
        others = (
            "The probability is made of that score alone (sigmoid), and hardly moves near 0 or 1."
        )
    return (
        f"The score (logit) is the class's own number, before any probability. {others} A unit is "
        "what one channel of a layer inside the network holds: its mean over the layer's map."
    )


def _unit(card: Card) -> UnitTarget | None:
    """Return the unit that the controls stand for, or None where the model shows no layer."""
    name, channel = (st.session_state.get(key) for key in _keys(card))
    layer = _layer(card, name) or _layer(card, card.default_layer)
    layer = layer or (card.layers[-1] if card.layers else None)
    if layer is None:
        return None
    return UnitTarget(layer.name, min(max(int(channel or 0), 0), layer.channels - 1))


def _layer(card: Card, name: Any) -> Layer | None:
    return next((layer for layer in card.layers if layer.name == name), None)


def _keys(card: Card) -> tuple[str, str]:
    return f"unit-layer:{card.hash}", f"unit-channel:{card.hash}"
