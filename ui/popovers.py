"""Closing a popover from the script or from a callback, which Streamlit has no call for."""

from __future__ import annotations

import streamlit as st

_ASKED = "to-close"


def shut(popover: str) -> None:
    """Close a popover from a callback."""
    st.session_state.setdefault(_ASKED, []).append(popover)


def close(popover: str) -> None:
    """Close a popover from the script, where its own key can no longer be set."""
    shut(popover)
    st.rerun()


def close_popovers() -> None:
    """Close what was asked to be closed; call it before any popover is drawn."""
    for popover in st.session_state.get(_ASKED, []):
        st.session_state[popover] = False


def closed() -> None:
    """Note that all popovers are drawn: a run that ended before it has closed none of them."""
    st.session_state.pop(_ASKED, None)
