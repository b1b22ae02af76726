"""Which of a visitor's trainings stand side by side."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ui import trainings
from ui.trainings import Run, Trainings


def chooser(held: Trainings, called: Callable[[Run], str]) -> None:
    """Let the reader choose which runs are shown, where there are several."""
    if len(held.runs) < 2:
        return
    names = {run.id: called(run) for run in held.runs}
    key = f"{held.name}-sides-{'-'.join(map(str, held.sides))}"

    def chosen() -> None:
        if found := st.session_state.get(key):
            held.sides = list(found)
            held.picked = None

    st.multiselect(
        "Side by side",
        list(names),
        default=held.sides,
        format_func=lambda id: names[id],
        max_selections=trainings.SIDES,
        key=key,
        on_change=chosen,
    )
