"""Controls that come back as they were left: after F5, in a new tab, and on another page.

Whoever draws one wraps its key in `control`; nobody lists them.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from ui.desk import Desk

_NAMES, _OWN = "kept-controls", "kept-values"


def control(key: str, start: Any = None) -> str:
    """Note that a control's value is kept, and return its key.

    `start` is its first value; the control is given none besides.
    """
    st.session_state.setdefault(_NAMES, set()).add(key)
    if start is not None:
        st.session_state.setdefault(key, start)
    return key


def recall(desk: Desk) -> None:
    """Set the controls as they were left; call it before any is drawn.

    A tab begins with what this browser left, and goes by its own from then on: Streamlit forgets a
    control that was not on the last page.
    """
    for key, value in st.session_state.setdefault(_OWN, dict(desk.kept)).items():
        st.session_state.setdefault(key, value)


def keep(desk: Desk) -> None:
    """Note how the controls stand, for `recall`."""
    for key in st.session_state.get(_NAMES, ()):
        if key in st.session_state:
            desk.kept[key] = st.session_state[_OWN][key] = st.session_state[key]
