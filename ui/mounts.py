"""Components of ours: their parts put together, and their data drawn in the order they were sent.

Streamlit loads a component's script when it is first shown. Data that change meanwhile are handed
over by promises that may come out of turn, and the older would stand on the screen for good. So
data carry when they last changed, and a script passes over what is older than what it has drawn.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import streamlit as st

CHANGED = "lastChanged"
"""The field of the data that says when they changed, in microseconds."""

_PARTS = Path(__file__).parent / "parts"
_STATE = "mounts-changed"
_ENTRY, _NAMED = "export default function (", "const drawsNewest = function ("


class Mount(Protocol):
    """Puts a component on the page."""

    def __call__(self, *, key: str, data: Mapping[str, Any], **more: Any) -> Any:
        """Show `data`; what `more` takes is Streamlit's."""


def part(name: str) -> str:
    """Return a file of `parts/`."""
    return (_PARTS / name).read_text(encoding="utf-8")


def component(name: str, *, html: str, css: str, js: Sequence[str]) -> Mount:
    """Return a component of ours; `html` is text, `css` and `js` are files of `parts/`."""
    made = st.components.v2.component(
        f"vitrine_{name}", html=html, css=part(css), js=_script([part(each) for each in js])
    )

    def mount(*, key: str, data: Mapping[str, Any], **more: Any) -> Any:
        if CHANGED in data:
            raise ValueError(f"The field {CHANGED} of a component's data is not its own.")
        return made(key=key, data={**data, CHANGED: changed(key, data)}, **more)

    return mount


def _script(parts: Sequence[str]) -> str:
    """Return one script whose entry is drawn in order. Raises ValueError without one entry."""
    whole = "\n".join(parts)
    if whole.count(_ENTRY) != 1:
        raise ValueError("A component's script has one function that it exports.")
    return whole.replace(_ENTRY, _NAMED) + part("newest.js")


def changed(key: str, data: Mapping[str, Any]) -> int:
    """Return when the data of a component changed last; it rises, also over a new session."""
    known: dict[str, tuple[int, int]] = st.session_state.setdefault(_STATE, {})
    print_, last = _print(data), known.get(key)
    if last is not None and last[0] == print_:
        return last[1]
    now = max(time.time_ns() // 1000, last[1] + 1 if last is not None else 0)
    known[key] = (print_, now)
    return now


def _print(value: Any) -> int:
    """Return what tells data apart within this process; a long text is read once for all runs."""
    if isinstance(value, Mapping):
        return hash(tuple((name, _print(each)) for name, each in value.items()))
    if isinstance(value, list | tuple):
        return hash(tuple(_print(each) for each in value))
    return hash(value)
