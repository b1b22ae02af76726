"""The stage that films are drawn on: two panels side by side, and a strip under them.

It is dark in both themes, as a film is. Maps are coloured by `render`, as the figure is. Text in a
picture is kept to a few words, which the caption repeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core import render

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

GROUND: Colour = (20, 24, 26)
QUIET: Colour = (90, 101, 104)
INK: Colour = (214, 220, 220)
ACCENT: Colour = (99, 189, 180)
WIDTH, GAP, LABEL, STRIP, NOTE = 640, 12, 30, 88, 26
TALLEST = 480
"""Most pixels of a panel's height."""
PANEL = (WIDTH - 3 * GAP) // 2


def frame_size(view: tuple[int, int]) -> tuple[int, int]:
    """Return the size that a panel has for a view of that shape, height and width."""
    height, width = view
    scale = min(PANEL / width, TALLEST / height)
    return max(1, round(height * scale)), max(1, round(width * scale))


def fitted(picture: Pixels, size: tuple[int, int], *, smooth: bool = True) -> Pixels:
    """Return a picture at another size; not `smooth` shows its pixels or cells as they are."""
    from PIL import Image

    how = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(picture).resize((size[1], size[0]), how))


def coloured(values: Array, size: tuple[int, int], *, signed: bool, vmax: float) -> Pixels:
    """Colour a map as the figure does, and show its cells as they are at that size."""
    return fitted(render.colours(values, signed=signed, vmax=vmax), size, smooth=False)


def hatched(picture: Pixels, where: NDArray[np.bool_]) -> Pixels:
    """Return a picture with what is not known yet hatched, as no colour of a map is."""
    rows, columns = np.indices(where.shape)
    lines = np.asarray((rows + columns) % 12 < 2)
    stripes = np.where(lines[..., None], QUIET, GROUND)
    return np.where(where[..., None], stripes, picture).astype(np.uint8)


def outlined(
    picture: Pixels, box: tuple[int, int, int, int], colour: Colour = INK, wide: int = 1
) -> Pixels:
    """Return a picture with a rectangle (top, left, bottom, right) drawn round, `wide` pixels."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(picture)
    top, left, bottom, right = box
    pen = ImageDraw.Draw(image)
    pen.rectangle((left, top, max(right - 1, left), max(bottom - 1, top)), outline=(0, 0, 0))
    inner = (left + 1, top + 1, max(right - 2, left + 1), max(bottom - 2, top + 1))
    pen.rectangle(inner, outline=colour, width=wide)
    return np.asarray(image)


class Stage:
    """One picture under way. `panels` go side by side, the strip's marks under them."""

    def __init__(self, panels: Sequence[tuple[Pixels, str]]) -> None:
        from PIL import Image, ImageDraw

        self.tall = max(picture.shape[0] for picture, _ in panels)
        self.height = self.tall + LABEL + STRIP + NOTE + 2 * GAP
        self.image = Image.new("RGB", (WIDTH, self.height), GROUND)
        self.pen: Any = ImageDraw.Draw(self.image)
        across = WIDTH / len(panels)
        for at, (picture, label) in enumerate(panels):
            middle = across * (at + 0.5)
            left = round(middle - picture.shape[1] / 2)
            self.image.paste(Image.fromarray(picture), (left, GAP))
            self.word(label, (round(middle), GAP + self.tall + LABEL // 2 + 2), anchor="mm")

    @property
    def strip(self) -> tuple[int, int, int, int]:
        """Return where the strip is: top, left, bottom, right."""
        top = self.tall + LABEL + GAP + 6
        return top, GAP, self.height - GAP - NOTE, WIDTH - GAP

    def word(self, text: str, at: tuple[int, int], *, anchor: str = "lt", size: int = 19) -> None:
        """Write a few words; what the font does not have is left out."""
        plain = text.replace("\u2212", "-").replace("\u00a0", " ")
        self.pen.text(at, plain, INK, anchor=anchor, font_size=size)

    def note(self, text: str) -> None:
        """Say under the strip what is drawn on it."""
        self.word(text, (GAP, self.height - GAP), anchor="lb", size=17)

    def curve(self, values: Array, shown: int, level: float, *, at: int | None = None) -> None:
        """Draw the first `shown` of some values as a curve, and a dashed line at `level`.

        The last value that is shown is marked, or the one at `at`.
        """
        top, left, bottom, right = self.strip
        low = min(float(values.min()), level)
        high = max(float(values.max()), level)
        span = (high - low) or 1.0
        across = left + (right - left) * np.arange(len(values)) / max(len(values) - 1, 1)
        down = bottom - (bottom - top) * (values - low) / span
        line = round(bottom - (bottom - top) * (level - low) / span)
        self._dashed(line)
        points = [(float(x), float(y)) for x, y in zip(across[:shown], down[:shown], strict=True)]
        if len(points) > 1:
            self.pen.line(points, ACCENT, 2)
        if points:
            x, y = points[-1 if at is None else at]
            self.pen.ellipse((x - 4, y - 4, x + 4, y + 4), INK)

    def bars(
        self, values: Array, lit: Sequence[int], *, within: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        """Draw values as bars from zero, those at `lit` in the accent.

        What lies `within` two values has room besides, so that frames can share a scale.
        """
        top, left, bottom, right = self.strip
        low = min(float(values.min()), 0.0, within[0])
        high = max(float(values.max()), 0.0, within[1])
        span = (high - low) or 1.0
        zero = bottom - (bottom - top) * (0 - low) / span
        step = (right - left) / len(values)
        self.pen.line((left, zero, right, zero), QUIET)
        for at, value in enumerate(values.tolist()):
            end = bottom - (bottom - top) * (value - low) / span
            first = left + step * at + step * 0.14
            sides = (first, min(zero, end), first + step * 0.72, max(zero, end))
            self.pen.rectangle(sides, ACCENT if at in lit else QUIET)

    def stairs(self, levels: NDArray[np.float64], shown: int) -> None:
        """Draw the first `shown` steps from one level to the next, and a dashed line at the last.

        Steps up are in the accent, steps down in ink.
        """
        top, left, bottom, right = self.strip
        low, span = float(levels.min()), float(np.ptp(levels)) or 1.0
        down = (bottom - (bottom - top) * (levels - low) / span).tolist()
        step = (right - left) / (len(levels) - 1)
        self.pen.line((left, down[0], right, down[0]), QUIET)
        self._dashed(round(down[-1]))
        for at in range(shown):
            before, after = down[at], down[at + 1]
            first = left + step * at + step * 0.14
            sides = (first, min(before, after), first + step * 0.72, max(before, after))
            self.pen.rectangle(sides, ACCENT if after <= before else INK)

    def _dashed(self, line: int) -> None:
        _, left, _, right = self.strip
        for start in range(left, right, 10):
            self.pen.line((start, line, min(start + 5, right), line), QUIET)

    def done(self) -> Pixels:
        """Return the picture."""
        return np.array(self.image)
