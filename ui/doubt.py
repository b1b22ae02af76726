"""The doubt, measured: hide what the map marks and ask again; compare with the other runs."""

from __future__ import annotations

import base64
import dataclasses
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui import jobs, presses, text, views
from ui.desk import Desk
from ui.held import Answer
from ui.slots import Work
from xai_core import params, report
from xai_core.agreement import agreement, same_question, same_way
from xai_core.errors import VitrineError
from xai_core.explainer import explainers
from xai_core.explanation import Explanation
from xai_core.params import FILLS
from xai_core.probes.hiding import SHARES, Hiding
from xai_core.report.run import OWN_NUMBER

if TYPE_CHECKING:
    from workers.client import Snapshot
    from xai_core.probes._hidden import Hidden

SLOT = Hiding.name
FIRST = 2
"""Sentences of the test that stand in the box after its verdict: what hiding the strongest parts
did, and what random regions did."""

FILL = params.declared(Hiding)["fill"]
TITLES: Mapping[str, str] = MappingProxyType({name: FILLS[name] for name in FILL.options})


@dataclasses.dataclass(frozen=True)
class Tested:
    """A hiding test of a run, and what was hidden with."""

    fill: str
    hidden: Hidden


def show(answer: Answer, desk: Desk, sentences: list[str], check: str) -> None:
    """Draw what could be wrong, what was measured of it, and the way to measure it."""
    tested: Tested | None = answer.measured.get(SLOT)
    labels, others = answer.scene.card.labels, agreed(answer, desk)
    said = [*sentences, *others]
    told: list[str] = []
    if tested is not None:
        told = report.hidden_sentences(tested.hidden, labels, _at())
        judged = report.hidden_verdict(tested.hidden, _at())
        said = [judged, *told[:FIRST], *said]
        told = [each for each in told if each != judged]
        check = ""
    views.doubts(said, "" if others else check, OWN_NUMBER)
    _controls(answer, desk, tested)
    if tested is not None:
        with st.expander("What else hiding did"):
            st.html(curve(tested.hidden))
            for sentence in (*told[FIRST:], *tested.hidden.notes):
                views.line(sentence)


def agreed(answer: Answer, desk: Desk) -> list[str]:
    """Say how the kept runs on the same question agree with this one."""
    found = []
    for run in desk.runs:
        if run is answer or not same_question(answer.explanation, run.explanation):
            continue
        if _repeats(answer.explanation, run.explanation):
            continue
        title = explainers()[run.explanation.method].title
        called = f"{title} (run {desk.runs.number(run)})"
        found.append((called, agreement(answer.explanation, run.explanation)))
    return report.agreement_sentences(found[-3:])


def _repeats(one: Explanation, other: Explanation) -> bool:
    """Whether a run is the same one made again: it confirms nothing."""
    # other pre-processing gives another map of the same question
    return same_way(one, other) and np.array_equal(one.attribution, other.attribution)


def _at() -> int:
    chosen = st.session_state.get("hiding-share", SHARES[0])
    return SHARES.index(chosen) if chosen in SHARES else 0


def _controls(answer: Answer, desk: Desk, tested: Tested | None) -> None:
    """Draw the fill, the share and the button, or how far the test is."""
    work = desk.slots.work(SLOT)
    if work is not None and work.what == answer.id:
        _wait(desk, work)
        return
    gone = answer.scene.model.handle.state in ("failed", "closed")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="hide-tools"):
        fill = st.selectbox(
            "Hide with",
            FILL.options,
            format_func=TITLES.__getitem__,
            key="hiding-fill",
            persist_state="session",
            width=210,
        )
        if tested is not None:
            st.segmented_control(
                "Share of the photo",
                SHARES,
                default=SHARES[0],
                format_func=report.percent,
                key="hiding-share",
                persist_state="session",
                required=True,
            )
        label = "Hide the strongest parts and ask again"
        if tested is not None and tested.fill == fill:
            label = "Ask again, with other random regions"
        if presses.button(label, key="hide", disabled=gone or desk.run is not None):
            begin(desk, answer, str(fill), seed=0 if tested is None else tested.hidden.seed + 1)
            st.rerun()
    if gone:
        views.line("Its model is no longer open, so nothing more can be asked of it.")
    if note := answer.measured.get("hiding-note"):
        views.line(str(note))


def begin(desk: Desk, answer: Answer, fill: str, *, seed: int = 0) -> None:
    """Begin the hiding test of a run; its result is kept with the run."""
    scene = answer.scene
    answer.measured.pop("hiding-note", None)

    def done(hidden: Any) -> None:
        answer.measured[SLOT] = Tested(fill, hidden)

    def failed(found: Snapshot) -> None:
        if found.state != "cancelled":
            answer.measured["hiding-note"] = str(found.error or "The test ended without a result.")

    with desk.lock:
        desk.version += 1
        try:
            task = Hiding.of(
                answer.explanation, scene.photo.pixels, card=scene.card, fill=fill, seed=seed
            )
            job = scene.model.handle.run(task)
        except VitrineError as error:
            answer.measured["hiding-note"] = str(error)
            return
        desk.slots.put(SLOT, Work(answer.id, job, done, failed))


@st.fragment(run_every=jobs.POLL)
def _wait(desk: Desk, work: Work) -> None:
    """Show how far the test is, until the page is drawn anew."""
    now = work.job.snapshot()
    with st.container(horizontal=True, vertical_alignment="center", key="hiding-progress"):
        st.progress(jobs.share(now), text=text.markdown(f"Hiding. {jobs.said(now)}"))
        st.button("Cancel", key="cancel-hiding", on_click=_cancel, args=(desk,))
    until = time.monotonic() + jobs.PATIENCE
    while not work.job.over and time.monotonic() < until:
        jobs.breathe()


def _cancel(desk: Desk) -> None:
    with desk.lock:
        desk.slots.cancel(SLOT)
        desk.version += 1


WIDE, TALL, EDGE = 360, 110, 26
GREY, OWN = "#7d8789", "#1f9a90"
"""Colours that both themes can bear."""


def curve(made: Hidden) -> str:
    """Return the score against the hidden share, with the random regions' range, as SVG."""
    areas = np.asarray(made.curve_areas, np.float64)
    own = np.asarray(made.curve.scores, np.float64)
    chance = np.asarray(made.curve_random.scores, np.float64)
    low, high = float(min(own.min(), chance.min())), float(max(own.max(), chance.max()))
    across = EDGE + areas * (WIDE - 2 * EDGE)

    def down(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return TALL - EDGE - (values - low) / ((high - low) or 1.0) * (TALL - 1.6 * EDGE)

    def points(values: NDArray[np.float64]) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down(values), strict=True))

    upper, lower = chance.max(1), chance.min(1)
    band = " ".join([points(upper), *reversed(points(lower).split(" "))])
    alternative = (
        f"The score falls from {own[0]:.3g} to {own[-1]:.3g} as more of what the map marks is "
        f"hidden; with random regions it lies between {lower.min():.3g} and {upper.max():.3g}."
    )
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {TALL}" font-size="10" '
        f'font-family="sans-serif" fill="{GREY}">'
        f'<polygon points="{band}" fill-opacity="0.25"/>'
        f'<polyline points="{points(chance.mean(1))}" '
        f'fill="none" stroke="{GREY}" stroke-dasharray="4 3"/><polyline points="{points(own)}" '
        f'fill="none" stroke="{OWN}" stroke-width="2"/>'
        f'<text x="{EDGE}" y="{TALL - 6}">nothing hidden</text>'
        f'<text x="{WIDE - EDGE}" y="{TALL - 6}" text-anchor="end">all hidden</text>'
        f'<text x="{EDGE}" y="11">score {high:.3g}</text></svg>'
    )
    coded = base64.b64encode(drawn.encode()).decode()
    return (
        f'<img class="v-curve" width="{WIDE}" src="data:image/svg+xml;base64,{coded}" '
        f'alt="{text.escape(alternative)}">'
        '<div class="v-quiet v-small">Line: the map\u2019s strongest parts hidden first. '
        "Dashed, with its range: random regions as large.</div>"
    )
