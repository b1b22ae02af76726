"""The published models: a list to search, and their download under way."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from loaders import catalogue
from loaders.catalogue import Pretrained
from ui import jobs, text
from ui.desk import FETCHING, Desk
from workers import incoming
from xai_core.card import Wanted

POLL = 0.5
KEY = "pretrained"
LISTS: Mapping[Wanted, tuple[str, str]] = {
    "classification": (
        "Models pre-trained on ImageNet",
        "Search {count} of torchvision and Keras: resnet, vit, ...",
    ),
    "detection": (
        "Detectors pre-trained on COCO",
        "Search {count} of torchvision: faster, ssd, ...",
    ),
}
"""Kinds of model that have published ones: the list's name, and what stands in it at first."""


def choose(desk: Desk) -> bool:
    """Draw the list; return whether one was chosen, and is on its way to the desk."""
    if desk.wanted not in LISTS:
        return False
    label, placeholder = LISTS[desk.wanted]
    entries = {e.name: e for e in catalogue.pretrained() if e.task == desk.wanted}
    held = {name: desk.session.holds(entry) for name, entry in entries.items()}
    titles = {name: title(entry, held=held[name]) for name, entry in entries.items()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            label,
            list(entries),
            index=None,
            format_func=titles.__getitem__,
            placeholder=placeholder.format(count=len(entries)),
            key=KEY,
            persist_state="session",
        )
        pressed = st.button(
            "Open" if chosen and held[chosen] else "Download",
            key="open-pretrained",
            disabled=chosen is None,
        )
    if pressed and chosen:
        desk.open_pretrained(entries[chosen])
        return True
    return False


def title(entry: Pretrained, *, held: bool) -> str:
    """Say in a line what a published model is, as far as is known."""
    parts = [f"{entry.parameters / 1e6:.1f} M parameters"]
    if entry.figure is not None:
        parts.append(entry.figure)
    if held:
        parts.append("already downloaded")
    elif entry.bytes is not None:
        parts.append(incoming.text(entry.bytes))
    return f"{entry.title}, {entry.library}: {', '.join(parts)}"


def under_way(desk: Desk) -> None:
    """Say how far a download is, with Cancel."""
    if desk.fetching is not None:
        _poll(desk)


@st.fragment(run_every=POLL)
def _poll(desk: Desk) -> None:
    work = desk.slots.work(FETCHING)
    if work is None:  # `jobs.watch` draws the page anew
        return
    now = work.job.snapshot()
    said = f"Downloading {work.what.title}"
    if now.total:
        said += f": {incoming.text(now.done)} of {incoming.text(now.total)}"
    if now.left is not None and now.seconds > 1:
        said += f", {text.estimate(now.left)} left"
    with st.container(horizontal=True, vertical_alignment="center", key="fetching"):
        st.progress(jobs.share(now), text=text.markdown(said))
        st.button("Cancel", key="cancel-fetching", on_click=desk.stop_fetching)
