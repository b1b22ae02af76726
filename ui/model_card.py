"""The model on the desk: what it is, what it was recognised as, and the ways to change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from loaders.options import ON_CARD, ON_NAMES, ON_READING
from ui import (
    another_model,
    dialogs,
    findings,
    layers_told,
    origins,
    preparation,
    pretrained,
    reading,
    text,
    upload,
    views,
)
from ui.arrived import arrived
from ui.desk import Desk
from ui.findings import mends
from ui.held import Model
from workers.incoming import Upload
from xai_core.card import Card
from xai_core.model import Finding

OPENING = "shapes_shortcut"
"""The built-in model that a first visitor meets: it looks good and cheats."""

FOUND = "About this model\u2019s file"
"""What holds that which was found in a model's file and that a reader seldom needs."""

DIALOGS = (
    dialogs.Dialog(another_model.TITLE, another_model.dialog, "medium"),
    dialogs.Dialog(ON_CARD, preparation.preprocessing),
    dialogs.Dialog(ON_NAMES, preparation.classes),
    dialogs.Dialog(ON_READING, reading.dialog),
    dialogs.Dialog(layers_told.TITLE, layers_told.dialog, "medium"),
)


def open_first(desk: Desk) -> None:
    """Put the opening model on an empty desk."""
    if desk.model is None and desk.opening is None and not desk.model_error:
        entries = desk.built_in()
        if not entries:
            return
        named = [entry for entry in entries if entry.name == OPENING]
        another_model.open_built_in(desk, (named or list(entries))[0])


def show(desk: Desk, *, brief: bool = False) -> None:
    """Draw the card's head: name, what goes in and comes out, the ways to change, what to know.

    All else that was found in the file is folded; a `brief` card is without it.
    """
    views.line("Model", "v-label")
    model = desk.model
    if desk.opening is not None:
        views.line(f"Opening {desk.opening.name} ...", "v-quiet v-small")
    if model is not None:
        st.html(
            f'<div class="v-name">{text.escape(model.name)}</div>'
            f'<div class="v-quiet">{text.escape(in_and_out(model.card))}</div>'
        )
        if model.about and not brief:
            views.line(model.about)
        if open_to := [chip for chip in facts(model) if chip[1]]:
            views.chips(open_to)
    elif desk.opening is not None:
        st.skeleton(height=120)
    another_model.box(desk)
    places = _places(model)
    with st.container(horizontal=True, gap="small", key="model-buttons"):
        another_model.button()
        for place in (*places, layers_told.TITLE):
            st.button(
                place,
                key=f"open-{place}",
                on_click=dialogs.opens,
                args=(place,),
                disabled=model is None,
            )
    pretrained.under_way(desk)

    def received(found: Sequence[Upload]) -> None:
        arrived(desk, found)
        dialogs.until_changed()
        st.rerun()

    upload.under_way(received)
    if model is not None:
        found = _findings(desk, model)
        pressing = [each for each in found if each.level == "warning"]
        if not brief:
            pressing += [each for each in found if each not in pressing and mends(each, places)]
        findings.show(pressing, places)
        if not brief:
            with st.expander(FOUND, key="what-was-found"):
                views.line(description(model.card))
                if model.card.backend is not None:
                    views.line(model.card.backend.words())
                views.chips(facts(model))
                findings.show([each for each in found if each not in pressing], places, "more")
    dialogs.draw(desk, DIALOGS)


def _places(model: Model | None) -> Sequence[str]:
    """Return the dialogs that say something of the model; what ships is read as it should be."""
    shipped = model is None or model.built_in
    return (ON_CARD, ON_NAMES) if shipped else (ON_CARD, ON_NAMES, ON_READING)


def _findings(desk: Desk, model: Model) -> list[Finding]:
    said = [*model.card.findings, *(desk.prediction.findings if desk.prediction else ())]
    checked = None if model.built_in else origins.check(model.options.origin, model.card)
    return list(dict.fromkeys([*said, *([checked] if checked else [])]))


def in_and_out(card: Card) -> str:
    """Say in a line what the model is given and what it answers."""
    height, width = card.input_size
    grey = "grey " if card.channels == 1 else ""
    return f"Gets {grey}photos of {width} x {height} px, knows {card.classes:,} classes"


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
    why = f" ({text.on_page(done.why)})" if done.why and len(done.why) < 60 else ""
    return [sandbox(model.card.sandbox), (f"pre-processing: {done.name}{why}", False)]


def sandbox(state: Mapping[str, Any]) -> tuple[str, bool]:
    """Say in a few words how the model's process is held, and whether something is missing."""
    named = ("files", "network", "processes")
    lost = [name for name in named if not state.get(name)]
    if not lost:
        return f"sandboxed: {', '.join(named)}", False
    return f"not sandboxed from: {', '.join(lost)}", True
