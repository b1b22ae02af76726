"""Closing a popover from the script or from a callback, which Streamlit has no call for.

A browser closes a popover when it sees its state go from open to closed. A busy one draws both in
one frame, sees no change and leaves it open; so a popover that was closed is drawn under a key of
its own from then on, as another one.
"""

from __future__ import annotations

import streamlit as st

CLOSED = "popovers-closed"
"""The place in the session of how many times each popover was closed."""


def key(popover: str) -> str:
    """Return the key to draw a popover under."""
    return f"{popover}-{st.session_state.get(CLOSED, {}).get(popover, 0)}"


def shut(popover: str) -> None:
    """Close a popover from a callback."""
    times = st.session_state.get(CLOSED, {})
    st.session_state[CLOSED] = times | {popover: times.get(popover, 0) + 1}


def close(popover: str) -> None:
    """Close a popover from the script, which begins anew."""
    shut(popover)
    st.rerun()
