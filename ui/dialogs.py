"""Dialogs: one purpose each, at most one open in a tab, and a way back out of it.

Streamlit shows a dialog for as long as each run of the page draws it, so the tab keeps the name of
the one that is open. A page draws its dialogs once, in a whole run; what is pressed inside of one
runs that one alone, so whatever changes the desk goes on with a whole run (`again`, `close`).

A whole run makes the browser build an open dialog anew, and what is being typed or sent in it is
lost. So work that ends behind it draws the page anew only where the dialog shows it (`holds`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import streamlit as st

from ui.desk import Desk

OPEN = "dialog"
"""The place in the session of the title of the dialog that is open."""

_UNTIL, _DRAWN = "dialog-until", "dialog-drawn"
"""The places of the model's number that an open dialog waits to change, and of the last seen."""

_FOLLOWS = "dialog-follows"
"""The place of what the open dialog follows, and of what that was when it was drawn."""

Follows = Callable[[Desk], object]


def models(desk: Desk) -> object:
    """Return what a dialog about models shows of the desk; for `Dialog.follows`."""
    return desk.model, desk.opening, desk.fetching, desk.found, desk.refused, desk.model_error


def nothing(desk: Desk) -> object:
    """Return what a dialog shows that nothing on the desk changes; for `Dialog.follows`."""
    return None


class Dialog(NamedTuple):
    """A dialog: its title, which is its name, what draws it, and what of the desk it follows."""

    title: str
    draw: Callable[[Desk], None]
    width: Literal["small", "medium"] = "small"
    follows: Follows = models


def opens(title: str) -> None:
    """Open a dialog; for a callback."""
    st.session_state[OPEN] = title
    st.session_state.pop(_UNTIL, None)


def shut() -> None:
    """Close the dialog that is open; for a callback."""
    st.session_state.pop(OPEN, None)


def close() -> None:
    """Close the dialog that is open, from inside of it."""
    shut()
    st.rerun()


def again() -> None:
    """Begin a whole run, and close the dialog once another model has taken its place."""
    until_changed()
    st.rerun()


def until_changed() -> None:
    """Let the open dialog close by itself once another model than the drawn one is there."""
    st.session_state[_UNTIL] = st.session_state.get(_DRAWN)


def is_open(title: str = "") -> bool:
    """Whether a dialog is open: this one, or any."""
    now = st.session_state.get(OPEN)
    return now == title if title else now is not None


def begin() -> None:
    """Forget what the last page drew; before any dialog of this one."""
    st.session_state.pop(_FOLLOWS, None)


def holds(desk: Desk) -> bool:
    """Whether a dialog is open that shows nothing of what changed on the desk since it was drawn.

    Then the page behind it waits for it to close, which draws all anew.
    """
    follows, was = st.session_state.get(_FOLLOWS, (None, None))
    return is_open() and follows is not None and bool(follows(desk) == was)


def draw(desk: Desk, dialogs: Sequence[Dialog]) -> None:
    """Draw the one of these that is open."""
    number = -1 if desk.model is None else desk.model.id
    still = desk.opening is not None or desk.found is not None
    if st.session_state.get(_UNTIL, number) != number and not still:
        del st.session_state[_UNTIL]
        shut()
    st.session_state[_DRAWN] = number
    for dialog in dialogs:
        if is_open(dialog.title):
            st.session_state[_FOLLOWS] = dialog.follows, dialog.follows(desk)
            _show(desk, dialog)


def _show(desk: Desk, dialog: Dialog) -> None:
    def inside() -> None:
        if not is_open(dialog.title):  # a callback has shut it
            st.rerun()
        dialog.draw(desk)

    st.dialog(dialog.title, width=dialog.width, on_dismiss=shut)(inside)()
