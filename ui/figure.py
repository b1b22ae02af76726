"""The picture on every page: a photo alone, or photo, map and overlay with one colour bar.

Opacity, colours, pointing and marking are the browser's; only a marked region, and how the map is
drawn once that rests, come back, and they are checked here. The browser gets the raw numbers beside
their colours, so that what it reads out is what the method gave. They are sent once: Streamlit
sends a message that has not changed as its hash, which is why a region that the browser marked
itself is not repeated to it.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui import mounts, views
from xai_core import colormaps, render
from xai_core.errors import ParamError
from xai_core.model import Geometry
from xai_core.region import Region

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Caption = list[tuple[str, bool]]
"""Text in pieces; the second says whether a piece is bold."""

EXACT = 256
"""Longest side of a photo whose pixels the browser gets as they are."""

_SCRIPTS = ("frame", "words", "paint", "marks", "figure")


@functools.cache
def _component(name: str) -> mounts.Mount:
    """Return the component; a photo alone has another name, so that a page can tell them apart."""
    return mounts.component(
        name,
        html=mounts.part("figure/figure.html"),
        css="figure/figure.css",
        js=[f"figure/{script}.js" for script in _SCRIPTS],
    )


def photo(*, key: str, name: str, pixels: Pixels, alternative: str, side: int) -> None:
    """Show a photo alone, no larger than `side`; pointing reads a pixel. `name` identifies it."""
    _component("photo")(
        key=key,
        data={
            "id": name,
            "key": key,
            "size": pixels.shape[:2],
            "side": side,
            "map": None,
            "alternatives": {"photo": alternative},
        }
        | _photo(pixels),
    )


def show(
    *,
    key: str,
    name: str,
    photo: Pixels,
    attribution: Array,
    geometry: Geometry,
    signed: bool,
    captions: Mapping[str, Caption],
    alternatives: Mapping[str, str],
    unit: str,
    cells: Array | None = None,
    partial: bool = False,
    pair: bool = False,
    top: float | None = None,
    region: Region | None = None,
    on_region: Callable[[Region | None], None] | None = None,
    on_look: Callable[[object], None] | None = None,
) -> None:
    """Show photo, map and overlay in the photo's frame, with one colour bar; a `pair` has no photo.

    `top` ends the colour bar; by itself it is the map's own largest value.
    `captions` and `alternatives` have the keys photo, map and over. `name` identifies the picture;
    in a `partial` map NaN is what is not known yet, and hatched.
    `cells` is the map before it was smoothed, where there is one. `on_region` is called with what
    the reader marks; without it nothing can be marked. `on_look` hears how the reader has the map
    drawn, in the browser's words; with it that stays for the next map.
    """
    known = np.isfinite(attribution)
    values = np.where(known, attribution, np.float32(0)) if partial else attribution
    low, high = render.limits(values, signed=signed)
    if top is not None:
        low, high = -top if signed else 0.0, top
    data = {
        "id": name,
        "key": key,
        "size": geometry.photo,
        "box": geometry.box,
        "map": _levels(values, signed=signed, vmax=high) | {"values": _values(attribution)},
        "unknown": None if known.all() else _base64((~known).astype(np.uint8).tobytes()),
        "cells": None if cells is None else _levels(cells, signed=signed, vmax=high),
        "signed": signed,
        "limits": (low, high),
        "ticks": [tick(high), tick((low + high) / 2), tick(low)],
        "unit": unit,
        "tables": {
            name: _base64(colormaps.table(name).tobytes()) for name in render.choices(signed)
        },
        "opacity": render.OPACITY,
        "captions": captions,
        "alternatives": alternatives,
        "partial": partial,
        "pair": pair,
    }
    if on_region is None:
        _component("figure")(key=key, data=data | _photo(photo))
        return

    def marked() -> None:
        said = st.session_state[key].marked
        st.session_state[_known(key)] = said.get("box") if isinstance(said, dict) else said
        with contextlib.suppress(ParamError):
            on_region(_heard(said, name, geometry.photo))

    def looked() -> None:
        if on_look is not None:
            on_look(st.session_state[key].look)

    _component("figure")(
        key=key,
        data=data | _photo(photo) | {"region": _told(key, region), "handed": on_look is not None},
        on_marked_change=marked,
        on_look_change=looked,
    )


def _heard(said: object, name: str, photo: tuple[int, int]) -> Region | None:
    """Return what the browser marked on the picture `name`. Raises ParamError for anything else."""
    if not isinstance(said, dict) or said.get("id") != name:
        raise ParamError("The region was marked on a picture that is no longer shown")
    box = said.get("box")
    return None if box is None else Region.read(box, photo)


def _told(key: str, region: Region | None) -> dict[str, Any]:
    """Return what the browser is told of the region: under a new turn where it knows another one.

    A turn is never used twice, so that a page which outlived its server takes what it is told.
    """
    box = None if region is None else region.box
    told: dict[str, Any] | None = st.session_state.get(f"{key}:told")
    if told is None or box != st.session_state.get(_known(key)):
        told = {"turn": secrets.token_hex(4), "box": box}
        st.session_state[f"{key}:told"], st.session_state[_known(key)] = told, box
    return told


def _known(key: str) -> str:
    """Return the name under which is kept what the browser itself says is marked."""
    return f"{key}:known"


def _photo(pixels: Pixels) -> dict[str, Any]:
    if max(pixels.shape[:2]) <= EXACT:
        return {"photo": f"data:image/png;base64,{_base64(render.png(pixels))}", "exact": True}
    return {"photo": views.data_url(pixels), "exact": False}


def _levels(values: Array, *, signed: bool, vmax: float) -> dict[str, Any]:
    levels = render.levels(values, signed=signed, vmax=vmax)
    return {
        "rows": levels.shape[0],
        "columns": levels.shape[1],
        "levels": _base64(levels.tobytes()),
    }


def _values(values: Array) -> str:
    """Return the raw numbers, float32 in the byte order of every browser."""
    return _base64(np.ascontiguousarray(values, "<f4").tobytes())


def tick(value: float) -> str:
    """Return a colour bar's number with no more digits than help."""
    return "0" if value == 0 else f"{value:.2g}" if abs(value) < 10 else f"{value:.0f}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
