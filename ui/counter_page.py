"""The parts of the page of counter-tests, of which one is shown."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import streamlit as st

from ui import (
    counter_changes,
    counter_draw,
    counter_edits,
    counter_mask,
    counter_strengths,
    jobs,
    kept,
    plates,
    takeaway,
)
from ui.desk import RUNNING, Desk
from xai_core.question import Question

PART = "counter-part"
Show = Callable[[Desk, Question | None], None]
PARTS: Mapping[str, tuple[str, Show]] = {
    "mask": ("Mask by the map", lambda desk, asked: counter_mask.show(desk)),
    "draw": ("Draw on it", counter_draw.show),
    "changes": ("Change the whole photo", counter_changes.show),
}
"""The parts of the page: what each is called, and what draws it."""

SLOTS: Mapping[str, jobs.Drawn] = {
    RUNNING: jobs.explaining,
    counter_mask.SLOT: counter_mask.under_way,
    counter_edits.SLOT: counter_draw.under_way,
    counter_changes.SLOT: counter_changes.under_way,
    counter_strengths.SLOT: counter_strengths.under_way,
    counter_strengths.CELL: counter_strengths.under_way,
}


def chosen() -> str:
    """Draw the choice of a part."""
    first = next(iter(PARTS))
    return str(
        st.segmented_control(
            "What to try",
            list(PARTS),
            format_func=lambda name: PARTS[name][0],
            key=kept.control(PART, first),
            required=True,
            label_visibility="collapsed",
        )
    )


def show(desk: Desk, part: str, asked: Question | None) -> None:
    """Draw a part, and offer the report on all of them."""
    PARTS[part][1](desk, asked)
    _report(desk)


def _report(desk: Desk) -> None:
    """Offer one page with all that was tried, once something was."""
    model, photo, run = desk.model, desk.photo, desk.answer
    if model is None or photo is None:
        return
    besides = plates.tried(desk, model, photo)
    fits = run is not None and (run.scene.model.id, run.scene.photo.id) == (model.id, photo.id)
    if fits and run is not None and (besides or counter_mask.measured(run)):
        made = functools.partial(takeaway.reported, [run], desk)
    elif besides:
        made = functools.partial(plates.reported, desk, model, photo)
    else:
        return
    st.download_button(
        "Report",
        made,
        "counter-tests.html",
        "text/html",
        on_click="ignore",
        key="counter-report",
        help="One page with all that was tried on this photo, to read without a network.",
    )
