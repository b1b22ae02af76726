"""A method's recording: how it works, before anything has run, and said to be a recording."""

from __future__ import annotations

import streamlit as st

from loaders import catalogue
from loaders.recordings import Recording, recordings
from ui import player, views
from xai_core.explainer import explainers
from xai_core.report import quote

LABEL = "Recording"


@st.fragment
def show(method: str, invitation: str) -> None:
    """Offer a method's recording, where there is one; it is read once the reader opens it."""
    found = recordings().get(method)
    if found is None:
        return
    opened = st.expander(invitation, key=f"recorded-{method}", on_change="rerun")
    if opened.open:
        with opened:
            views.line(said(found))
            key = f"recording-{method}"
            player.show(key, key, found.reel(), label=LABEL)


def has(method: str) -> bool:
    """Whether a method has a recording."""
    return method in recordings()


def play(method: str) -> None:
    """Play a method's recording, where there is one."""
    found = recordings().get(method)
    if found is not None:
        views.line(said(found))
        player.show(f"played-{method}", f"played-{method}", found.reel(), label=LABEL)


def said(found: Recording) -> str:
    """Say what a recording is of, and how it was made."""
    model = next((each.title for each in catalogue.models() if each.name == found.model), "")
    photo = next((each.title for each in catalogue.photos() if each.name == found.photo), "")
    return (
        f"{LABEL}: {explainers()[found.method].title} for {quote(found.target)}, by the built-in "
        f"model {quote(model or found.model)} on the built-in photo {quote(photo or found.photo)}. "
        f"{_set(found)}Made with Vitrine {found.versions['vitrine']}."
    )


def _set(found: Recording) -> str:
    """Say which values are not the method's defaults."""
    words = []
    for name, param in explainers()[found.method].declared().items():
        value = found.values.get(name, param.default)
        if value != param.default:
            words.append(f"{param.title.lower()} {value}{f' {param.unit}' if param.unit else ''}")
    return f"Set for it: {', '.join(words)}. " if words else ""
