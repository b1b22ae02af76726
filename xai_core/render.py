"""Numbers into pictures, once: the scale, the colours, and the way back to the upload's frame."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from xai_core import colormaps
from xai_core.errors import ParamError
from xai_core.explanation import Explanation
from xai_core.model import Geometry

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]

OPACITY = 0.7


def choices(signed: bool) -> tuple[str, ...]:
    """Return the colour maps that suit an attribution, the default first."""
    return colormaps.DIVERGING if signed else colormaps.SEQUENTIAL


def limits(values: Array, *, signed: bool) -> tuple[float, float]:
    """Return the values that get the first and the last colour.

    Zero to the maximum for saliency; the same distance to both sides of zero for a signed map. A
    map without evidence gets 0..1 (or -1..1), so that it is drawn in one colour.
    """
    top = float(np.abs(values).max() if signed else values.max()) if values.size else 0.0
    top = top if top > 0 else 1.0
    return (-top if signed else 0.0, top)


def is_signed(explanation: Explanation) -> bool:
    """Whether a map is drawn round zero: it is signed, or has values below zero all the same."""
    return explanation.signed or bool((explanation.attribution < 0).any())


def scale(explanation: Explanation) -> tuple[float, float]:
    """Return the values at the two ends of an explanation's colour bar."""
    return limits(explanation.attribution, signed=is_signed(explanation))


def colours(
    values: Array, *, signed: bool, cmap: str | None = None, vmax: float | None = None
) -> Pixels:
    """Colour a map `[h, w]` as uint8 `[h, w, 3]`.

    `vmax` is the value of the last colour (default: the map's own, see `limits`); values beyond
    the ends get the end's colour. Raises ParamError for a colour map of the other kind.
    """
    names = choices(signed)
    cmap = cmap or names[0]
    if cmap not in names:
        kind = "signed" if signed else "unsigned"
        raise ParamError(f"A colour map for a {kind} map is one of {', '.join(names)}, got {cmap}")
    coloured: Pixels = colormaps.table(cmap)[levels(values, signed=signed, vmax=vmax)]
    return coloured


def levels(values: Array, *, signed: bool, vmax: float | None = None) -> Pixels:
    """Return each value's place on the colour bar, uint8 0..255 `[h, w]`."""
    low, high = limits(values, signed=signed)
    if vmax is not None:
        low, high = (-vmax if signed else 0.0), vmax
    # Floored after half a level is added, so that zero of a signed map is one level: 128.
    place = np.floor((np.asarray(values, np.float64) - low) / (high - low) * 255 + 0.5)
    return np.clip(place, 0, 255).astype(np.uint8)


def strength(values: Array, vmax: float) -> Array:
    """Return how much a value covers the photo under it, 0..1: its size over the bar's end."""
    return np.asarray(np.clip(np.abs(values) / vmax, 0, 1), np.float32)


def to_upload(attribution: Array, geometry: Geometry) -> Array:
    """Spread a map in the view's frame over the upload, float32 `[H, W]`, 0 outside the view."""
    top, left, bottom, right = geometry.box
    height, width = geometry.photo
    rows = _weights(top, bottom, height, attribution.shape[0])
    columns = _weights(left, right, width, attribution.shape[1])
    spread = _along(_along(np.asarray(attribution, np.float32), rows).T, columns).T
    return np.ascontiguousarray(spread, np.float32)


Weights = tuple[NDArray[np.int64], NDArray[np.int64], Array, NDArray[np.bool_]]


def _weights(start: float, end: float, length: int, cells: int) -> Weights:
    """For each upload pixel: its two neighbouring cells, the second's share, and if it is seen."""
    centre = (np.arange(length) + 0.5 - start) / (end - start)
    place = np.clip(centre * cells - 0.5, 0, cells - 1)
    first = np.floor(place).astype(np.int64)
    second = np.minimum(first + 1, cells - 1)
    return first, second, (place - first).astype(np.float32), (centre >= 0) & (centre < 1)


def _along(values: Array, weights: Weights) -> Array:
    first, second, share, seen = weights
    mixed = values[first] * (1 - share[:, None]) + values[second] * share[:, None]
    mixed[~seen] = 0
    return np.asarray(mixed, np.float32)


def overlay(
    photo: Pixels, explanation: Explanation, *, opacity: float = OPACITY, cmap: str | None = None
) -> Pixels:
    """Lay the map over the upload, uint8 `[H, W, 3]`.

    The colour covers the photo by `opacity` where the evidence is strongest and less where it is
    weaker, so that the photo shows where there is nothing to say. Outside the view the photo is
    left as it is.
    """
    values = to_upload(explanation.attribution, explanation.placed)
    _, high = scale(explanation)
    colour = colours(values, signed=is_signed(explanation), cmap=cmap, vmax=high)
    cover = opacity * strength(values, high)[..., None]
    mixed = photo.astype(np.float32) * (1 - cover) + colour * cover
    return np.asarray(np.rint(mixed), np.uint8)


def pixels(view: Array) -> Pixels:
    """Return a view, float32 0..1, as uint8."""
    return np.rint(np.clip(view, 0, 1) * 255).astype(np.uint8)


def grey(array: Pixels) -> Pixels:
    """Return an image in grey, uint8 `[H, W, 3]`: the luminance that grey networks get."""
    luminance = array @ np.array((0.299, 0.587, 0.114))  # ITU-R BT.601
    return np.asarray(np.rint(np.repeat(luminance[..., None], 3, -1)), np.uint8)


def png(array: Pixels) -> bytes:
    """Encode uint8 `[H, W, 3]` or `[H, W]` as PNG."""
    return _encode(array, "PNG")


def jpeg(array: Pixels, *, longest: int = 1024) -> bytes:
    """Encode uint8 `[H, W, 3]` for the screen: no side longer than `longest` pixels."""
    return _encode(array, "JPEG", longest)


def _encode(array: Pixels, kind: str, longest: int | None = None) -> bytes:
    from PIL import Image

    image = Image.fromarray(array)
    if longest is not None:
        image.thumbnail((longest, longest))
    out = io.BytesIO()
    image.save(out, kind, quality=90)
    return out.getvalue()
