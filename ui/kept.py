"""Controls that come back as they were left: after F5, in a new tab, and on another page.

Whoever draws one wraps its key in `control`; nobody lists them.
"""

from __future__ import annotations

import streamlit as st

from ui.desk import Desk

_NAMES = "kept-controls"


def control(key: str) -> str:
    """Note that a control's value is kept, and return its key."""
    st.session_state.setdefault(_NAMES, set()).add(key)
    return key


def recall(desk: Desk) -> None:
    """Set a new tab's controls as this browser left them; call it before any is drawn."""
    if "recalled" not in st.session_state:
        st.session_state["recalled"] = True
        for key, value in desk.kept.items():
            st.session_state.setdefault(key, value)


def keep(desk: Desk) -> None:
    """Note how the controls stand, for `recall`."""
    for key in st.session_state.get(_NAMES, ()):
        if key in st.session_state:
            desk.kept[key] = st.session_state[key]
