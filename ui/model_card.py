"""The model on the desk: what it is, what it was recognised as, and the ways to change it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from loaders import catalogue
from ui import another_model, missing, preparation, pretrained, reading, text, upload, views
from ui.desk import Desk
from ui.held import Model
from xai_core.card import Card
from xai_core.model import Finding

OPENING = "shapes_shortcut"
"""The built-in model that a first visitor meets: it looks good and cheats."""


def open_first(desk: Desk) -> None:
    """Put the opening model on an empty desk."""
    if desk.model is None and desk.opening is None and not desk.model_error:
        entries = catalogue.models()
        named = [entry for entry in entries if entry.name == OPENING]
        another_model.open_built_in(desk, (named or list(entries))[0])


def show(desk: Desk) -> None:
    """Draw the card's head: name, kind, chips, the three ways to change, findings."""
    views.line("Model", "v-label")
    model = desk.model
    if desk.opening is not None:
        views.line(f"Opening {desk.opening.name} ...", "v-quiet v-small")
    if model is not None:
        st.html(
            f'<div class="v-name">{text.escape(model.name)}</div>'
            f'<div class="v-quiet">{text.escape(description(model.card))}</div>'
        )
        if model.about:
            views.line(model.about)
        views.chips(facts(model))
    elif desk.opening is not None:
        st.skeleton(height=120)
    if desk.model_error:
        views.error(desk.model_error)
    missing.show(desk)
    with st.container(horizontal=True, gap="small", key="model-buttons"):
        another_model.popover(desk)
        preparation.preprocessing(desk)
        preparation.classes(desk)
        reading.popover(desk)
    pretrained.under_way(desk)
    upload.under_way(lambda found: another_model.arrived(desk, found))
    if model is not None:
        views.findings(_findings(desk, model), {} if model.built_in else reading.PLACES)


def _findings(desk: Desk, model: Model) -> list[Finding]:
    said = [*model.card.findings, *(desk.prediction.findings if desk.prediction else ())]
    checked = (
        None if model.built_in else another_model.ORIGINS[model.options.origin].check(model.card)
    )
    return list(dict.fromkeys([*said, *([checked] if checked else [])]))


def description(card: Card) -> str:
    """Say in a line what the file is and what it was recognised as."""
    height, width = card.input_size
    known = card.architecture
    parts = [
        card.kind + (f", recognised as {known}" if known else ""),
        f"{card.classes:,} classes",
        f"{height} x {width} px" + (", grey" if card.channels == 1 else ""),
        f"{card.parameters:,} parameters",
    ]
    return ", ".join(parts)


def facts(model: Model) -> list[tuple[str, bool]]:
    """Return the chips: how the model is held, and how a photo is prepared for it."""
    done = model.preprocessing
    why = f" ({done.why})" if done.why and len(done.why) < 60 else ""
    return [sandbox(model.card.sandbox), (f"pre-processing: {done.name}{why}", False)]


def sandbox(state: Mapping[str, Any]) -> tuple[str, bool]:
    """Say in a few words how the model's process is held, and whether something is missing."""
    named = ("files", "network", "processes")
    lost = [name for name in named if not state.get(name)]
    if not lost:
        return f"sandboxed: {', '.join(named)}", False
    return f"not sandboxed from: {', '.join(lost)}", True
