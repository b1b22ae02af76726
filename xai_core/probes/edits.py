"""A part of a photo that a reader draws, and what may be done with it: hide, keep, move, paste."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError
from xai_core.probes.augmentations import moved
from xai_core.probes.fills import FILLS, filled
from xai_core.report.numbers import percent

Pixels = NDArray[np.uint8]
Area = NDArray[np.bool_]
Kind = Literal["brush", "box", "polygon"]
Act = Literal["hide", "keep", "move", "paste"]

ACTS: Mapping[Act, str] = MappingProxyType(
    {
        "hide": "Hide it",
        "keep": "Keep only it",
        "move": "Move it there",
        "paste": "Paste it there, too",
    }
)
FINER = 4
"""Parts of a pixel's side in which a polygon is drawn."""

MOST_POINTS = 4000
"""Points of one drawn part."""


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A part as it was drawn: points (row, column) in the photo's pixels.

    A `brush` of a `width` in pixels went along its points, a `box` has two opposite corners, a
    `polygon` its corners. `by` is how far the reader dragged it, in rows and columns.
    """

    kind: Kind
    points: tuple[tuple[float, float], ...]
    width: float = 0.0
    by: tuple[int, int] = (0, 0)

    @classmethod
    def read(cls, said: object, photo: tuple[int, int]) -> Drawn:
        """Return what a browser drew on a photo (height, width).

        Raises ParamError for anything that is no part of that photo.
        """
        if not isinstance(said, dict):
            raise ParamError("A drawn part is a kind, points and a width")
        kind, points = said.get("kind"), said.get("points")
        width, by = said.get("width", 0), said.get("by", [0, 0])
        if kind not in ("brush", "box", "polygon") or not isinstance(points, list):
            raise ParamError("A drawn part is a brush's way, a box or a polygon")
        least = {"brush": 1, "box": 2, "polygon": 3}[kind]
        most = 2 if kind == "box" else MOST_POINTS
        if not least <= len(points) <= most or not all(map(_pair, points)):
            raise ParamError(f"A drawn {kind} has {least} to {most} points")
        height, across = photo
        if not all(0 <= row <= height and 0 <= column <= across for row, column in points):
            raise ParamError(f"A drawn part lies inside the photo of {height} x {across} pixels")
        if not _number(width) or not 0 <= width <= max(photo) or (kind == "brush" and width < 1):
            raise ParamError("A brush is at least a pixel wide, and no wider than the photo")
        return cls(
            kind,
            tuple((float(row), float(column)) for row, column in points),
            float(width),
            dragged(by, photo),
        )

    def area(self, photo: tuple[int, int]) -> Area:
        """Return the pixels of it, bool `[H, W]`. Raises ParamError where there is none."""
        import cv2

        made = np.zeros(photo, np.uint8)
        points = np.array(self.points, np.float64)
        if self.kind == "box":
            top, left = np.floor(points.min(0)).astype(int)
            bottom, right = np.ceil(points.max(0)).astype(int)
            made[top:bottom, left:right] = 1
        elif self.kind == "polygon":
            # OpenCV takes whatever an edge touches: on a finer grid that is less than half a pixel
            fine = np.zeros((FINER * photo[0], FINER * photo[1]), np.uint8)
            places = np.rint(FINER * points[:, ::-1] - 0.5).astype(np.int32)
            cv2.fillPoly(fine, [places], (255,))
            made = cv2.resize(fine, (photo[1], photo[0]), interpolation=cv2.INTER_AREA)
            made = (made >= 128).astype(np.uint8)
        else:
            places = np.rint(points[:, ::-1] - 0.5).astype(np.int32)
            thick = max(1, round(self.width))
            cv2.polylines(made, [places], isClosed=False, color=(1,), thickness=thick)
            for column, row in places.tolist():
                cv2.circle(made, (column, row), max(0, thick // 2), (1,), -1)
        area = made.astype(bool)
        if not area.any():
            raise ParamError("The drawn part has no pixel of the photo. Draw a larger one.")
        return area


def dragged(by: object, photo: tuple[int, int]) -> tuple[int, int]:
    """Return how far a browser says that a part was dragged, in rows and columns.

    Raises ParamError for anything else, and for more than the photo's own sides.
    """
    if not isinstance(by, list) or not _pair(by) or any(abs(by[at]) > photo[at] for at in (0, 1)):
        raise ParamError("A drawn part is moved within the photo")
    return round(by[0]), round(by[1])


def _number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def _pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_number, value))


def edited(
    photo: Pixels, drawn: Drawn, act: Act, *, fill: str = FILLS[0], into: Pixels | None = None
) -> Pixels:
    """Return the photo uint8 `[H, W, 3]` with a drawn part hidden, kept alone, moved or pasted.

    `into` is another photo to paste into: the part then lies `landing` from its own place.
    Raises ParamError for a part that is not on the photo, and one that was not moved.
    """
    size = (photo.shape[0], photo.shape[1])
    area = drawn.area(size)
    if act in ("hide", "keep"):
        hidden = area if act == "hide" else ~area
        view = photo.astype(np.float32) / np.float32(255)
        made = np.rint(filled(view, hidden, fill) * 255).astype(np.uint8)
        made[~hidden] = photo[~hidden]
        return made
    if into is None and drawn.by == (0, 0):
        raise ParamError("Say where to first: drag the drawn part, or press an arrow.")
    if act == "move":
        return moved(photo, area, drawn.by).pixels
    return _pasted(photo, area, drawn.by, photo if into is None else into)


def landing(area: Area, by: tuple[int, int], into: tuple[int, int]) -> tuple[int, int]:
    """Return how far a part lies from its own place once it is pasted into another photo.

    Its middle goes to the same share of the other photo's sides (height and width `into`), and from
    there as far as it was dragged, in that photo's pixels.
    """
    rows, columns = np.nonzero(area)
    middle = [(each.min() + each.max() + 1) / 2 for each in (rows, columns)]
    share = [into[axis] / area.shape[axis] for axis in (0, 1)]
    down, across = (round(middle[axis] * share[axis] - middle[axis]) + by[axis] for axis in (0, 1))
    return down, across


def _pasted(photo: Pixels, area: Area, by: tuple[int, int], into: Pixels) -> Pixels:
    rows, columns = np.nonzero(area)
    down, across = by if into is photo else landing(area, by, (into.shape[0], into.shape[1]))
    made = into.copy()
    new_rows, new_columns = rows + down, columns + across
    on = (new_rows >= 0) & (new_rows < into.shape[0])
    on &= (new_columns >= 0) & (new_columns < into.shape[1])
    if not on.any():
        raise ParamError("The part would lie outside the photo. Drag it less far.")
    made[new_rows[on], new_columns[on]] = photo[rows[on], columns[on]]
    return made


def words(drawn: Drawn, act: Act, photo: tuple[int, int], into: str = "") -> str:
    """Say what was done, '5 % of the photo hidden'."""
    share = percent(float(drawn.area(photo).mean()))
    return {
        "hide": f"{share} of the photo hidden",
        "keep": f"all but {share} of the photo hidden",
        "move": f"{share} of the photo moved",
        "paste": f"{share} of the photo pasted {f'into {into}' if into else 'once more'}",
    }[act]
