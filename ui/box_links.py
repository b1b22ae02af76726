"""A box in an address: its corners in the photo's pixels, its class, and what is asked of it."""

from __future__ import annotations

import dataclasses
import math
import typing

import numpy as np
import streamlit as st

from ui.desk import Desk
from ui.held import Photo
from xai_core.detection.boxes import in_photo
from xai_core.target import Asked, BoxTarget, Target

TARGET, BOX, ASKS = "target", "box", "asks"
_HELD = "link-box"


@dataclasses.dataclass(frozen=True)
class Boxed:
    """A box that an address asks about: (left, top, right, bottom) in the photo's pixels."""

    photo: int
    box: tuple[float, float, float, float]
    index: int
    asks: Asked


def hold(desk: Desk, left: dict[str, str], index: int | None) -> None:
    """Hold the box that an address asks about until the page knows what the detector found.

    What is taken of the address goes from `left`; `index` is the class that it names.
    """
    box = _corners(left.get(BOX, ""))
    if box is None or index is None or desk.photo is None:
        return
    del left[BOX], left[TARGET]
    asks = left.get(ASKS, "class")
    known = asks in typing.get_args(Asked)
    if known:
        left.pop(ASKS, None)
    chosen = typing.cast(Asked, asks if known else "class")
    st.session_state[_HELD] = Boxed(desk.photo.id, box, index, chosen)


def taken(photo: Photo) -> Boxed | None:
    """Take the box that the address asks about on this photo, once."""
    asked = st.session_state.pop(_HELD, None)
    return asked if isinstance(asked, Boxed) and asked.photo == photo.id else None


def words(desk: Desk, target: Target) -> dict[str, str]:
    """Return what names a box in an address; nothing for what is no box."""
    if not isinstance(target, BoxTarget) or desk.prediction is None:
        return {}
    placed = in_photo(np.array([target.box], np.float32), desk.prediction.geometry)[0]
    said = {BOX: ",".join(f"{placed[side]:.1f}" for side in (1, 0, 3, 2))}
    return said if target.asks == "class" else said | {ASKS: target.asks}


def _corners(said: str) -> tuple[float, float, float, float] | None:
    """Return left, top, right and bottom in the photo's pixels, or None for what is no box."""
    try:
        left, top, right, bottom = (float(part) for part in said.split(","))
    except ValueError:
        return None
    good = all(math.isfinite(side) and abs(side) < 1e6 for side in (left, top, right, bottom))
    return (left, top, right, bottom) if good and left < right and top < bottom else None
