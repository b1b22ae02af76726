"""Closing a popover from the script or from a callback, which Streamlit has no call for."""

from __future__ import annotations

import streamlit as st


def shut(popover: str) -> None:
    """Close a popover from a callback."""
    st.session_state[popover] = False


def close(popover: str) -> None:
    """Close a popover from the script, where its own key can no longer be set."""
    st.session_state.setdefault("to-close", []).append(popover)
    st.rerun()


def close_popovers() -> None:
    """Close what the last run asked to close; call it before any popover is drawn."""
    for popover in st.session_state.pop("to-close", []):
        st.session_state[popover] = False
