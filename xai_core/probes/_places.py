"""Where a place of a photo lies once the photo was changed, and a map brought back from there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from xai_core.model import Geometry

Array = NDArray[np.float32]
Points = NDArray[np.float64]
Places = Callable[[Points, Points], tuple[Points, Points]]
"""Takes rows and columns of places in the photo, in pixels from its upper left corner (the middle
of the first pixel is at a half), and returns where they lie in the changed photo; not a number for
what is not on it any more."""


def stay(rows: Points, columns: Points) -> tuple[Points, Points]:
    """Return the same places: nothing moved."""
    return rows, columns


def affine(matrix: Points) -> Places:
    """Return where places go by a matrix `[2, 3]` of rows and columns."""

    def moved(rows: Points, columns: Points) -> tuple[Points, Points]:
        (a, b, c), (d, e, f) = matrix
        return a * rows + b * columns + c, d * rows + e * columns + f

    return moved


def back(attribution: Array, was: Geometry, now: Geometry, places: Places) -> Array:
    """Bring a map of a changed photo's view into the frame of the photo's own view.

    `was` is the photo's geometry and `now` the changed one's. Each pixel of the photo's view takes
    the value between the four nearest ones of the map at its new place; float32 `[h, w]`, NaN where
    the changed photo does not show it, or the model does not see it there.
    """
    rows, columns = (
        start + (np.arange(count) + 0.5) / count * (end - start)
        for start, end, count in zip(was.box[:2], was.box[2:], was.view, strict=True)
    )
    inside = (rows[:, None] >= 0) & (rows[:, None] < was.photo[0])
    inside = inside & (columns[None] >= 0) & (columns[None] < was.photo[1])
    across, down = np.meshgrid(columns, rows)
    new_rows, new_columns = places(down, across)
    top, left, bottom, right = now.box
    known = inside & (new_rows >= 0) & (new_rows < now.photo[0])
    known &= (new_columns >= 0) & (new_columns < now.photo[1])
    row = (new_rows - top) / (bottom - top) * now.view[0] - 0.5
    column = (new_columns - left) / (right - left) * now.view[1] - 0.5
    known &= (row >= -0.5) & (row < now.view[0] - 0.5)
    known &= (column >= -0.5) & (column < now.view[1] - 0.5)
    made = _between(np.asarray(attribution, np.float64), row, column, known)
    return np.where(known, made, np.nan).astype(np.float32)


def _between(values: Points, row: Points, column: Points, known: NDArray[np.bool_]) -> Points:
    """Return values between the four nearest pixels; those beyond the edge are the edge's own."""
    height, width = values.shape
    row = np.clip(np.where(known, row, 0), 0, height - 1)
    column = np.clip(np.where(known, column, 0), 0, width - 1)
    top, left = np.floor(row).astype(np.int64), np.floor(column).astype(np.int64)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, across = row - top, column - left
    upper = values[top, left] * (1 - across) + values[top, right] * across
    lower = values[bottom, left] * (1 - across) + values[bottom, right] * across
    return np.asarray(upper * (1 - down) + lower * down)
