"""The wall, shared by all visitors, and each visitor's own desk behind it."""

from __future__ import annotations

import functools
import threading
from typing import cast

import streamlit as st
from streamlit.runtime import exists, get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ui.desk import Desk
from workers.client import Wall

GRACE = 15.0
"""Seconds that a visitor's models outlive the connection, so that a short cut loses nothing."""


@functools.cache
def wall() -> Wall:
    """Return the one wall of this server; its mothers begin to warm up at once."""
    made = Wall()
    for kind in ("plain", "torch"):
        made.warm(kind)
    return made


def here(key: str) -> bool:
    """Whether a browser's session has a connection now."""
    return exists() and get_instance().is_active_session(key)


class Presence:
    """A visitor who is here. When the connection ends the models follow after `GRACE`."""

    leaving: dict[str, threading.Timer] = {}  # noqa: RUF012 - one for the process, by design
    lock = threading.Lock()

    def __init__(self, key: str, wall: Wall) -> None:
        self.key, self.wall = key, wall
        with self.lock:
            timer = self.leaving.pop(key, None)
        if timer is not None:
            timer.cancel()

    def leave(self) -> None:
        """Start the clock; whoever reconnects before it runs out stops it."""
        timer = threading.Timer(GRACE, self._gone)
        timer.daemon = True
        with self.lock:
            self.leaving[self.key] = timer
        timer.start()

    def _gone(self) -> None:
        with self.lock:
            self.leaving.pop(self.key, None)
        if here(self.key):
            # Back without a word: a browser that reconnects need not run the page again.
            self.leave()
        else:
            self.wall.session(self.key).close()


# Streamlit clears a session's cache when its connection ends, and fills it again at a reconnect.
@st.cache_resource(scope="session", on_release=Presence.leave, show_spinner=False)
def _presence(key: str) -> Presence:
    return Presence(key, wall())


def key() -> str:
    """Return the name of this browser's session."""
    context = get_script_run_ctx()
    return context.session_id if context else "no-session"


def desk() -> Desk:
    """Return this visitor's desk, with what had become ready moved into place."""
    _presence(key())
    found = cast("Desk | None", st.session_state.get("desk"))
    if found is None:
        found = Desk(wall().session(key()))
        st.session_state["desk"] = found
    else:
        found.rejoin(wall().session(key()))
    found.step()
    return found
