"""Buttons whose press is not lost with a drawing that is cut short.

A slider's value that comes a moment after the press makes Streamlit end the drawing that would have
answered it. So the press is noted before the page is drawn, and answered where the button is drawn,
once, on the page on which it was pressed.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

_PAGE, _PRESSED = "presses-page", "presses-pressed"


def begin(page: str) -> bool:
    """Begin to draw a page, and say whether it was come to: no press on another one is kept."""
    if st.session_state.get(_PAGE) == page:
        return False
    st.session_state.pop(_PRESSED, None)
    st.session_state[_PAGE] = page
    return True


def end() -> None:
    """End a drawing that was not cut short: what nobody answered is forgotten."""
    st.session_state.pop(_PRESSED, None)


def button(label: str, *, key: str, disabled: bool = False, **more: Any) -> bool:
    """Draw a button, and say once that it was pressed; what `more` takes is `st.button`'s."""
    st.button(label, key=key, disabled=disabled, on_click=_press, args=(key,), **more)
    return taken(key) and not disabled


def taken(key: str) -> bool:
    """Say once that the button of that key was pressed, for one that is drawn later."""
    if not waits(key):
        return False
    del st.session_state[_PRESSED]
    return True


def waits(key: str) -> bool:
    """Say whether the button of that key was pressed, and nobody has answered yet."""
    return bool(st.session_state.get(_PRESSED) == key)


def _press(key: str) -> None:
    st.session_state[_PRESSED] = key
