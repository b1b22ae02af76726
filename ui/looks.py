"""How the reader has maps drawn, as the browser says it: what is handed on looks like it."""

from __future__ import annotations

import streamlit as st

from xai_core import render
from xai_core.report.pictures import Look


class Looks:
    """How this tab has maps drawn: the colours by kind of map, and the rest for both."""

    def __init__(self) -> None:
        self._colours: dict[bool, str] = {}
        self._cells = False
        self._opacity = render.OPACITY

    def hear(self, said: object) -> None:
        """Take what the browser says, as far as it can be."""
        if not isinstance(said, dict):
            return
        colours, opacity = said.get("colours"), said.get("opacity")
        for signed in (False, True):
            named = colours.get(str(signed).lower()) if isinstance(colours, dict) else None
            if named in render.choices(signed):
                self._colours[signed] = named
        if isinstance(opacity, bool):
            opacity = None
        if isinstance(opacity, int | float) and 0 <= opacity <= 100:
            self._opacity = opacity / 100
        self._cells = said.get("cells") is True

    def of(self, signed: bool) -> Look:
        """Return how a map of a kind is drawn."""
        return Look(palette=self._colours.get(signed, ""), cells=self._cells, opacity=self._opacity)


def held() -> Looks:
    """Return the tab's own. A file that is made later reads it when it is made."""
    found: Looks = st.session_state.setdefault("looks", Looks())
    return found
