"""A training under way: how far it is, time left, pause, a step, and stop with what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui import jobs, text, views
from ui.desk import Desk
from ui.slots import Work

if TYPE_CHECKING:
    from workers.client import Snapshot


WIDE = 100
"""Pixels of the button that pauses and goes on."""


def said(now: Snapshot, epochs: int, first: int) -> str:
    """Say which epoch it is at, and how long it will take."""
    if now.state == "queued":
        return jobs.said(now)
    if now.doing:
        return f"{now.doing[:1].upper()}{now.doing[1:]}"
    curves = now.arrays.get("curves")
    seen = 0 if curves is None else len(curves)
    place = f"Epoch {first + seen} of {epochs}" if seen or not first else f"Back to epoch {first}"
    if now.paused:
        return f"Paused. {place}. It goes on by itself after 30 minutes"
    known = now.left is not None and now.seconds > 1
    return f"{place}, {text.estimate(now.left or 0)} left" if known else place


def show(desk: Desk, work: Work) -> None:
    """Draw the bar and the buttons."""
    now, asked = work.job.snapshot(), work.what
    st.progress(jobs.share(now), text=text.markdown(said(now, asked.settings.epochs, asked.first)))
    with st.container(horizontal=True, gap="small", key="training-buttons"):
        # One button of one width: two in turn would move the others from under a click.
        st.button(
            "Go on" if now.paused else "Pause",
            on_click=work.job.command,
            args=("go on" if now.paused else "pause",),
            key="training-pause",
            width=WIDE,
        )
        st.button(
            "Step one epoch",
            on_click=work.job.command,
            args=("step",),
            key="training-step",
            disabled=now.state != "running",
        )
        st.button(
            "Stop and keep",
            on_click=work.job.command,
            args=("stop",),
            key="training-stop",
            disabled=now.state != "running",
            help="Ends the training now. What was trained up to the last whole epoch stays.",
        )
        st.button("Cancel", on_click=desk.stop, args=(_slot(desk, work),), key="training-cancel")
    views.line("You can leave this page: the training goes on, and is here when you come back.")


def _slot(desk: Desk, work: Work) -> str:
    found = [name for name in desk.slots.names() if desk.slots.work(name) is work]
    return found[0] if found else ""
