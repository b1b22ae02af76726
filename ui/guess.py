"""Guess first: the reader says which ninth the model needs most, and then the model does."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui import jobs, preview, text, views
from ui.desk import Desk
from ui.held import Seen
from ui.slots import Work
from xai_core import guess
from xai_core.errors import VitrineError
from xai_core.explanation import Explanation
from xai_core.guess import PLACES, SIDES
from xai_core.lesson import Part
from xai_core.report import amount
from xai_core.target import ClassTarget

if TYPE_CHECKING:
    from workers.client import Snapshot

SLOT = "guess"


@dataclasses.dataclass
class _Guess:
    """What was guessed, of which model and photo, and what came of it."""

    place: int
    scene: tuple[int, int]
    explanation: Explanation | None = None
    problem: str = ""


def show(desk: Desk) -> None:
    """Draw the exercise on the model and photo that are there."""
    seen = desk.seen
    if seen is None or desk.prediction is None:
        return
    index = seen.prediction.top[0]
    views.title("Guess first")
    views.line(
        f"The model says \u201c{seen.card.labels[index]}\u201d. Each ninth of the photo will be "
        "hidden, one at a time. Which one does it need most?",
        "v-prose",
    )
    work = desk.slots.work(SLOT)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        place = st.selectbox(
            "The ninth",
            range(len(PLACES)),
            index=PLACES.index("middle"),
            format_func=PLACES.__getitem__,
            key="guess-place",
            persist_state="session",
            width=190,
        )
        if st.button("Ask the model", key="guess-ask", disabled=work is not None):
            _begin(desk, seen, int(place), index)
            st.rerun()
    held: _Guess | None = desk.results.get(SLOT)
    if work is not None:
        _wait(work)
    elif held is not None and held.scene == (seen.model.id, seen.photo.id):
        _told(seen, held)


def _begin(desk: Desk, seen: Seen, place: int, index: int) -> None:
    """Hide each ninth; what is guessed is kept as it was."""
    held = _Guess(place, (seen.model.id, seen.photo.id))

    def done(explanation: Any) -> None:
        held.explanation = explanation

    def failed(found: Snapshot) -> None:
        held.problem = str(found.error or "It ended without an answer.")

    def act() -> None:
        desk.results[SLOT] = held
        try:
            question = guess.asked(seen.card.input_size, ClassTarget(index))
            job = seen.model.handle.explain(seen.photo.pixels, question)
        except VitrineError as error:
            held.problem = str(error)
            return
        desk.slots.put(SLOT, Work(held, job, done, failed))

    desk.change(act)


def _told(seen: Seen, held: _Guess) -> None:
    if held.explanation is None:
        views.line(held.problem)
        return
    found = guess.seen(held.explanation, seen.prediction.view, held.place, seen.card.labels)
    if found is None:
        views.line("What came back does not hold the nine scores.")
        return
    views.line(" ".join(found.sentences), "v-prose")
    caption = "Green: what the model needs most. White: what you named."
    preview.pictures((Part("guess", found.picture, caption),))
    rows = "".join(
        "<tr>" + "".join(f"<td>{text.escape(amount(float(fall)))}</td>" for fall in row) + "</tr>"
        for row in found.falls
    )
    views.line(f"How far the score falls without each of the {SIDES**2} ninths", "v-label")
    st.html(f'<table class="v-table"><tbody>{rows}</tbody></table>')


@st.fragment(run_every=jobs.POLL)
def _wait(work: Work) -> None:
    """Wait for the answer, and draw the page anew at its end."""
    views.line(jobs.said(work.job.snapshot()))
    until = time.monotonic() + jobs.PATIENCE
    while not work.job.over:
        if time.monotonic() > until:
            return
        jobs.breathe()
    st.rerun()
