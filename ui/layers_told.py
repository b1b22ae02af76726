"""What each layer of a model does, stage by stage: a network is learnt from one's own file."""

from __future__ import annotations

import streamlit as st

from ui import text, views
from ui.desk import Desk
from xai_core.stages import KINDS, kinds

TITLE = "What each layer does"

LEFT_OUT = (
    "This is what ran when the model was asked about one photo. What only rearranges numbers, and "
    "dropout, which does nothing outside of training, is left out."
)
GRAPH = (
    "This is the file\u2019s graph, in its order. What only rearranges numbers is left out, and so "
    "are sums and products, of which a graph does not say what they are for."
)
NOTHING = "This file does not show its layers."


def dialog(desk: Desk) -> None:
    """Draw the stages of the model on the desk, and a sentence for each kind of layer met."""
    if desk.model is None:
        return
    card = desk.model.card
    if not card.stages:
        views.line(NOTHING)
        return
    height, width = card.input_size
    colours = "one grey channel" if card.channels == 1 else "3 channels"
    views.line(
        f"A photo goes in with {height} x {width} pixels and {colours}; {card.classes:,} numbers "
        "come out, one for each class. Between them:",
        "v-prose",
    )
    rows = "".join(
        f"<li><b>{text.escape(stage.title)}</b><div>{text.escape(stage.line)}</div></li>"
        for stage in card.stages
    )
    st.html(f'<ol class="v-layers">{rows}</ol>')
    views.line("In plain words", "v-label")
    met = "".join(
        f"<li><b>{text.escape(_first(kind))}</b>: {text.escape(KINDS[kind])}.</li>"
        for kind in kinds(card.stages)
    )
    st.html(f'<ul class="v-layers">{met}</ul>')
    views.line(GRAPH if card.framework == "onnx" else LEFT_OUT)


def _first(words: str) -> str:
    return words[:1].upper() + words[1:]
