"""The parts of the page of counter-tests, of which one is shown."""

from __future__ import annotations

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
    """Draw a part."""
    PARTS[part][1](desk, asked)
