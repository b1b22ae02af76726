"""A method's formula on the page, with the numbers of a run where there is one."""

from __future__ import annotations

import base64
import functools
import re
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui import mounts
from xai_core import lesson, render
from xai_core.explanation import Explanation
from xai_core.lesson import Lesson, Part

_RAISED = re.compile(r"([_^])(\{[^{}]*\}|.)")
_DRAWN = "formula-drawn"
"""The place in the session of what was drawn last: a page runs often, a formula changes seldom."""
_TAGS = {"_": "sub", "^": "sup"}


@functools.cache
def _component() -> mounts.Mount:
    return mounts.component(
        "formula",
        html=mounts.part("formula/formula.html"),
        css="formula/formula.css",
        js=["formula/formula.js"],
    )


def show(
    told: Lesson, explanation: Explanation | None, view: NDArray[np.float32] | None, name: str
) -> None:
    """Draw the formula; of a run, its parts and the numbers of each place. `name` identifies it."""
    drawn: dict[str, Any] | None = st.session_state.get(_DRAWN)
    if drawn is None or drawn["id"] != name:
        drawn = st.session_state[_DRAWN] = _data(told, explanation, view, name)
    _component()(key="formula", data=drawn)


def _data(
    told: Lesson, explanation: Explanation | None, view: NDArray[np.float32] | None, name: str
) -> dict[str, Any]:
    made = None
    if explanation is not None and view is not None:
        made = lesson.worked(explanation, view)
    pointed = [part.key for part in made.parts if part.pointed] if made else []
    return {
        "id": name,
        "lines": [
            [{"runs": runs(mark), "symbol": symbol} for mark, symbol in line]
            for line in told.pieces()
        ],
        "symbols": {
            key: {"plain": plain(each.mark), "meaning": each.meaning, "part": each.part}
            for key, each in told.symbols.items()
        },
        "parts": [
            {
                "key": part.key,
                "url": _url(part),
                "caption": part.caption,
                "pointed": part.pointed,
                "wide": part.wide,
                "last": part.key == pointed[-1],
            }
            for part in (made.parts if made else ())
        ],
        "rows": made.rows if made else 0,
        "columns": made.columns if made else 0,
        "cells": list(made.lines) if made else [],
    }


def _url(part: Part) -> str:
    return f"data:image/png;base64,{base64.b64encode(render.png(part.picture)).decode()}"


def runs(mark: str) -> list[tuple[str, str]]:
    """Cut what is written into pieces: a text, and whether it is lowered, raised or neither."""
    found, at = [], 0
    for match in _RAISED.finditer(mark):
        if match.start() > at:
            found.append((mark[at : match.start()], ""))
        found.append((match[2].strip("{}"), _TAGS[match[1]]))
        at = match.end()
    if at < len(mark):
        found.append((mark[at:], ""))
    return found


def plain(mark: str) -> str:
    """Return a symbol as it is read."""
    return "".join(text for text, _ in runs(mark))
