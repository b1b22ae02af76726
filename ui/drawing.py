"""A photo on which the reader draws a part: by a brush, as a box or as a polygon."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui import mounts, views
from xai_core.probes.edits import Drawn, Kind

TALL = 20
"""Height of the photo at most, in the size of letters."""
KINDS: tuple[Kind, ...] = ("brush", "box", "polygon")
_TOLD = "drawing-told"


@functools.cache
def _component() -> mounts.Mount:
    return mounts.component(
        "drawing",
        html=mounts.part("drawing/drawing.html"),
        css="drawing/drawing.css",
        js=["places.js", "drawing/drawing.js"],
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Surface:
    """What is drawn on: the photo uint8 `[H, W, 3]` by a name, with what is drawn on it by now.

    A new `turn` puts `part` in the place of what the browser has. A `held` part was drawn on
    another photo: it can be moved alone. Without `moves` it stays where it is.
    """

    name: str
    pixels: NDArray[np.uint8]
    alternative: str
    part: Drawn | None = None
    turn: int = 0
    tools: Sequence[Kind] = KINDS
    held: bool = False
    moves: bool = True
    tall: int = TALL


def show(key: str, surface: Surface, on_drawn: Callable[[Any], None]) -> None:
    """Draw it; `on_drawn` hears what the browser says was drawn on this photo, unchecked."""

    def heard() -> None:
        said = st.session_state[key].drawn
        if isinstance(said, dict) and said.get("id") == surface.name:
            on_drawn(said)

    kinds = ", a ".join(surface.tools)
    _component()(
        key=key,
        data={
            "id": surface.name,
            "turn": surface.turn,
            "photo": _url(key, surface.pixels),
            "size": surface.pixels.shape[:2],
            "alternative": surface.alternative,
            "said": f"{surface.alternative}. Draw on it: a {kinds}. The keys are said below it.",
            "part": _told(key, surface),
            "tools": list(surface.tools),
            "held": surface.held,
            "moves": surface.moves,
            "tall": surface.tall,
        },
        on_drawn_change=heard,
    )


def read(said: Any, photo: tuple[int, int]) -> Drawn | None:
    """Return what was drawn on a photo (height, width), None where it was cleared.

    Raises ParamError for anything that is no part of it.
    """
    if said.get("kind") == "none":
        return None
    drawn = Drawn.read(said, photo)
    drawn.area(photo)
    return drawn


def _told(key: str, surface: Surface) -> dict[str, Any] | None:
    """Return the part as it was when the turn began: what the browser drew since it knows."""
    told: dict[str, tuple[Any, Drawn | None]] = st.session_state.setdefault(_TOLD, {})
    turn = (surface.name, surface.turn)
    if key not in told or told[key][0] != turn:
        told[key] = turn, surface.part
    part = told[key][1]
    return None if part is None else dataclasses.asdict(part)


def _url(key: str, pixels: NDArray[np.uint8]) -> str:
    """Return a photo for the browser, coded once for as long as it is drawn on."""
    coded: dict[str, tuple[NDArray[np.uint8], str]] = st.session_state.setdefault(
        "drawing-coded", {}
    )
    if key not in coded or coded[key][0] is not pixels:
        coded[key] = pixels, views.data_url(pixels)
    return coded[key][1]


Corner = tuple[float, float]


def box(upper: Corner, lower: Corner) -> Drawn:
    """Return a box as the browser draws one."""
    return Drawn("box", (upper, lower))


def corners(drawn: Drawn) -> tuple[Corner, Corner]:
    """Return the upper left and the lower right corner about a part."""
    rows, columns = zip(*drawn.points, strict=True)
    return (min(rows), min(columns)), (max(rows), max(columns))


def moved(drawn: Drawn, down: float, across: float) -> Drawn:
    """Return a part whose points lie elsewhere, for the browser: they may leave the photo."""
    points = tuple((row + down, column + across) for row, column in drawn.points)
    return dataclasses.replace(drawn, points=points)
