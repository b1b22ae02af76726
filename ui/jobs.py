"""What is under way, polled: progress, time left, the place in the queue, the partial map.

How a slot's work is shown while it runs is a function of its own (`Drawn`), which a page names for
the slots that it shows; `explaining` is a run's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import streamlit as st

from ui import dialogs, figure, text, views
from ui.desk import Desk
from ui.slots import Work
from xai_core.explainer import explainers
from xai_core.report.numbers import counted

if TYPE_CHECKING:
    from ui.held import Run
    from workers.client import Snapshot

POLL = 0.5
PATIENCE = 0.4
"""Seconds that a poll looks closely, so that a quick job does not wait for the next poll."""

Drawn = Callable[[Desk, Work], None]
"""Draws one slot's work while it is under way: `work.what` it is for, `work.job.snapshot()`."""


def breathe() -> None:
    """Wait a moment within a poll, and let a click that came meanwhile go first.

    A look at the session lets it, as any call of Streamlit's does; one that waits may be lost to
    the next poll.
    """
    time.sleep(0.04)
    st.session_state.get("dialog")


def watch(desk: Desk, shown: Mapping[str, Drawn]) -> None:
    """Poll whatever is under way, and draw the slots in `shown`, until the desk changes."""
    if desk.pending:
        _poll(desk, desk.version, shown)


@st.fragment(run_every=POLL)
def _poll(desk: Desk, drawn: int, shown: Mapping[str, Drawn]) -> None:
    for slot, draw in shown.items():
        if work := desk.slots.work(slot):
            draw(desk, work)
    until = time.monotonic() + PATIENCE
    # Another tab of this browser may be the one that moved it.
    while not desk.step() and desk.version == drawn and desk.pending:
        if time.monotonic() > until:
            return
        breathe()
    if not dialogs.holds(desk):
        st.empty()  # a click that came meanwhile, as to another page, goes before the rerun
        st.rerun()


def explaining(desk: Desk, work: Work) -> None:
    """Draw a run under way: how far it is, what the map looks like by now, and Cancel."""
    run: Run = work.what
    now = work.job.snapshot()
    cls = explainers()[run.question.method]
    asked = run.question.target.words(run.scene.card.labels)
    with st.container(horizontal=True, vertical_alignment="center", key="progress"):
        named = f"{cls.title} for {asked}: {said(now)}"
        st.progress(share(now), text=text.markdown(named))
        st.button("Cancel", key="cancel", on_click=desk.cancel)
    if now.partial is not None:
        labels, target = run.scene.card.labels, run.question.target
        label = " against ".join(labels[index] for index in target.classes())
        label = label or target.words(labels)
        by = ", by probability" if target.of == "probability" else ""
        figure.show(
            key="partial",
            name=f"partial-{now.done}",
            photo=run.scene.photo.pixels,
            attribution=now.partial,
            geometry=run.scene.prediction.geometry,
            signed=cls.signed,
            captions={
                "photo": [("Photo", False)],
                "map": [(f"{cls.title} for ", False), (label, True), (f"{by}, so far", False)],
                "over": [("Over the photo", False)],
            },
            alternatives={
                "photo": f"The photo {run.scene.photo.name}",
                "map": f"{cls.title} for {label} after {now.done:,} of "
                f"{counted(now.total, 'pass', 'passes')}",
                "over": "The same map over the photo",
            },
            unit="so far",
            partial=True,
            pair=True,
        )


def announce(desk: Desk) -> None:
    """Tell a screen reader that a run began or ended, and bring the answer into a phone's view."""
    if desk.run is not None:
        said, turn = f"{_title(desk.run.question.method)} runs.", f"run-{desk.run.id}"
    elif desk.run_note:
        said, turn = desk.run_note, f"note-{desk.run_note}"
    elif desk.answer is not None:
        said = f"{_title(desk.answer.question.method)} has ended: the answer is there."
        turn = f"answer-{desk.answer.id}"
    else:
        said, turn = "", ""
    say(said, turn)


def say(said: str, turn: str) -> None:
    """Let a screen reader hear a sentence, once for each `turn`."""
    mount = views.component("aloud", '<div class="aloud" role="status" aria-live="polite"></div>')
    mount(key="aloud", data={"said": said, "turn": turn})


def _title(method: str) -> str:
    return explainers()[method].title


def share(now: Snapshot) -> float:
    """Return how much of a run is done, 0..1."""
    return min(now.done / now.total, 1.0) if now.total else 0.0


def said(now: Snapshot) -> str:
    """Say how far a run is."""
    if now.state == "queued":
        if now.place > 1:
            return f"Waiting: {text.ordinal(now.place)} in the queue"
        return "Waiting: next in the queue"
    if not now.total:
        return f"Running, {text.seconds(now.seconds)}"
    # The first passes say little of the rest.
    known = now.left is not None and now.seconds > 1
    left = f", {text.estimate(now.left or 0)} left" if known else ""
    return f"{now.done:,} of {counted(now.total, 'pass', 'passes')}{left}"
