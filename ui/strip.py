"""The strip of this visit's runs: click to bring one back, pin it, remove it, undo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from ui import ask, views
from ui.desk import Desk
from ui.held import Answer
from ui.runs import BYTES, COMPARED, MOST
from xai_core import render
from xai_core.explainer import explainers
from xai_core.report.numbers import counted

SIDE = 96
"""Longest side of a thumbnail, in pixels."""

OFFERING, COMPARE = "pages/offering.py", "pages/compare.py"
WHAT, PINNED, GRID = "compare-what", "pinned", "grid"
"""What the page of comparisons shows: the pinned runs or a grid."""

_BROUGHT = "strip-brought"


def show(
    desk: Desk, *, compares: bool = False, shows: Callable[[Answer], bool] = lambda run: True
) -> None:
    """Draw the runs; nothing while there is none.

    Bringing back a run that this page does not show leads to the page that does; where runs are
    compared (`compares`) that is any.
    """
    runs = desk.runs
    if not len(runs) and runs.removed is None:
        return
    rows = [_row(desk, run) for run in runs]
    mount = views.component("strip", '<div class="strip" role="list"></div>')

    def acted() -> None:
        said = st.session_state["strip"].act
        if isinstance(said, dict) and type(said.get("id")) is int:
            _act(desk, str(said.get("act")), said["id"])

    views.line("Your runs of this visit", "v-label")
    mount(key="strip", data={"rows": rows}, on_act_change=acted)
    brought = runs.find(st.session_state.pop(_BROUGHT, -1))
    if brought is not None and (compares or not shows(brought)):
        st.switch_page(OFFERING)
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="strip-tools"):
        pinned = len(runs.pinned)
        if pinned > 1 and not compares and st.button(f"Compare the {pinned} pinned runs"):
            st.session_state[WHAT] = PINNED
            st.switch_page(COMPARE)
        if runs.removed is not None:
            gone = explainers()[runs.removed.explanation.method].title
            st.button(f"Undo: bring {gone} back", key="undo-run", on_click=_undo, args=(desk,))
        if note := st.session_state.pop("strip-note", ""):
            views.line(note)
        elif runs.gone or len(runs) >= MOST:
            views.line(bounds(runs.gone))


def bounds(gone: int) -> str:
    """Say how many runs are kept, and how many went for that."""
    went = f" {counted(gone, 'run')} of this visit {'has' if gone == 1 else 'have'} gone."
    return (
        f"The last {MOST} runs are kept, and {BYTES >> 20} MB of them at most; pinned ones stay "
        f"longest.{went if gone else ''}"
    )


def _row(desk: Desk, run: Answer) -> dict[str, Any]:
    title = explainers()[run.explanation.method].title
    asked = run.explanation.target.words(run.scene.card.labels)
    number = desk.runs.number(run)
    elsewhere = [
        name
        for name, same in (
            (run.scene.model.name, desk.model is not None and run.scene.model.id == desk.model.id),
            (run.scene.photo.name, desk.photo is not None and run.scene.photo.id == desk.photo.id),
        )
        if not same
    ]
    return {
        "id": run.id,
        "url": _thumbnail(run),
        "label": f"{number} {title}",
        "about": asked.replace("\u201c", "").replace("\u201d", ""),
        "more": f"{run.scene.photo.name}, {run.scene.model.name}",
        "shown": desk.runs.shown is run,
        "pinned": desk.runs.is_pinned(run),
        "dim": bool(elsewhere),
    }


def _thumbnail(run: Answer) -> str:
    """Return a run's overlay, drawn once a tab."""
    drawn: dict[int, str] = st.session_state.setdefault("thumbnails", {})
    if run.id not in drawn:
        pixels = render.overlay(run.scene.photo.pixels, run.explanation)
        drawn[run.id] = views.data_url(pixels, longest=SIDE)
    return drawn[run.id]


def _act(desk: Desk, act: str, number: int) -> None:
    if act == "show":
        run = desk.with_runs(lambda runs: runs.show(number))
        if run is not None:
            ask.restore(desk, run)
            st.session_state[_BROUGHT] = run.id
    elif act == "pin":
        if not desk.with_runs(lambda runs: runs.pin(number)):
            st.session_state["strip-note"] = (
                f"At most {COMPARED} runs are compared. Unpin one of them first."
            )
    elif act == "remove":
        desk.with_runs(lambda runs: runs.remove(number))


def _undo(desk: Desk) -> None:
    desk.with_runs(lambda runs: runs.undo())
