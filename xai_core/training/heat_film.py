"""A layer over the epochs as pictures: each value a pixel or a block of them, curves below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from xai_core import colormaps
from xai_core.training.recording import Frames

Pixels = NDArray[np.uint8]

WIDE, HIGH, LEFT, TOP, CHART = 512, 300, 26, 34, 84
"""Pixels of the map at the most, of the room for its labels and its title, of the curves."""
INK, PAPER = (29, 35, 40), (252, 252, 250)
LINES = ((31, 154, 144), (217, 153, 43), (138, 127, 209))


def colours(values: Pixels, zero: int, step: float, white: float, palette: str) -> Pixels:
    """Return the colours of one epoch's bytes, uint8 `[rows, columns, 3]`, `white` the brightest.

    The browser does the same with the same bytes.
    """
    place = (values.astype(np.float64) - zero) * step * 255 / white
    return colormaps.table(palette)[np.clip(np.rint(place), 0, 255).astype(np.uint8)]


def pictures(
    frames: Frames,
    *,
    title: str,
    white: float,
    labels: Sequence[str],
    curves: Mapping[str, Sequence[float]],
    first: int = 0,
    word: str = "epoch",
    order: Sequence[int] | None = None,
    palette: str = "magma",
) -> list[Pixels]:
    """Return a picture an epoch, uint8 `[h, w, 3]`; its number follows `title` and `word`.

    `labels` name equal parts of the rows, `curves` are finite and share one scale from 0, `order`
    is that of the columns.
    """
    rows, columns = frames.sides
    across, down = max(1, WIDE // columns), max(1, HIGH // rows)
    drawn = []
    for epoch, values in enumerate(frames.coded()):
        shown = values if order is None else values[:, list(order)]
        heat = colours(shown, frames.zero, float(frames.steps[epoch]), white, palette)
        heat = heat.repeat(down, 0).repeat(across, 1)
        drawn.append(_framed(heat, f"{title}: {word} {first + epoch}", labels, curves, epoch))
    return drawn


def _framed(
    heat: Pixels, title: str, labels: Sequence[str], curves: Mapping[str, Sequence[float]], at: int
) -> Pixels:
    from PIL import Image, ImageDraw, ImageFont

    height, width = heat.shape[:2]
    whole = (LEFT + max(width, 300) + 8, TOP + height + (CHART if curves else 8))
    image = Image.new("RGB", whole, PAPER)
    image.paste(Image.fromarray(heat), (LEFT, TOP))
    draw = ImageDraw.Draw(image)
    large, small = ImageFont.load_default(16), ImageFont.load_default(12)
    draw.text((LEFT, 8), title, INK, font=large)
    each = height / max(1, len(labels))
    for place, label in enumerate(labels):
        draw.text((LEFT - 6, TOP + (place + 0.5) * each), label, INK, font=small, anchor="rm")
    if curves:
        _curves(draw, curves, at, (LEFT, TOP + height + 24, whole[0] - 8, whole[1] - 8), small)
    return np.asarray(image)


def _curves(
    draw: object,
    curves: Mapping[str, Sequence[float]],
    at: int,
    box: tuple[int, int, int, int],
    font: object,
) -> None:
    from PIL import ImageDraw

    if not isinstance(draw, ImageDraw.ImageDraw):
        return
    left, top, right, bottom = box
    high = max((max(curve) for curve in curves.values()), default=1.0) or 1.0
    begin = left
    for colour, (name, curve) in zip(LINES, curves.items(), strict=False):
        last = max(1, len(curve) - 1)
        points = [
            (left + (right - left) * place / last, bottom - (bottom - top) * value / high)
            for place, value in enumerate(curve)
        ]
        if len(points) > 1:
            draw.line(points, fill=colour, width=2)
        said = f"{name} {curve[at]:.3g}"
        draw.rectangle((begin, top - 13, begin + 10, top - 9), fill=colour)
        draw.text((begin + 14, top - 18), said, INK, font=font)  # type: ignore[arg-type]
        begin += 24 + int(draw.textlength(said, font=font))  # type: ignore[arg-type]
        here = left + (right - left) * at / last
        draw.line([(here, top), (here, bottom)], fill=(150, 150, 150))
