"""The layouts of YOLO's exports: named by their shapes, and not read yet."""

from __future__ import annotations

from loaders.decoders import Answers, Decoder, floats
from xai_core.report.numbers import counted

PLACES = 500
"""A layout has more places than this, and fewer numbers at each."""

MASKS = 32
"""Numbers a place that belong to masks, where the export has prototypes of masks beside it."""


def _first(answers: Answers) -> tuple[int, int] | None:
    """Return the sides of the only list of places, `[1, rows, columns]`."""
    flat = [value.shape for value in floats(answers) if value.ndim == 3 and len(value) == 1]
    return (flat[0][1], flat[0][2]) if len(flat) == 1 else None


def _masks(answers: Answers) -> int:
    prototypes = any(value.ndim == 4 and value.shape[1] == MASKS for value in floats(answers))
    return MASKS if prototypes else 0


def _across(answers: Answers) -> str | None:
    sides = _first(answers)
    if sides is None or not (sides[1] > PLACES and 4 < sides[0] < sides[1]):
        return None
    classes = sides[0] - 4 - _masks(answers)
    also = ", with masks" if _masks(answers) else ""
    return (
        f"a YOLO detector's of version 8, 9, 11 or 12{also}, "
        f"{counted(classes, 'class', 'classes')} at {sides[1]:,} places, before suppression"
    )


def _down(answers: Answers) -> str | None:
    sides = _first(answers)
    if sides is None or not (sides[0] > PLACES and 5 < sides[1] < sides[0]):
        return None
    classes = sides[1] - 5 - _masks(answers)
    also = ", with masks" if _masks(answers) else ""
    return (
        f"a YOLO detector's of version 5 or 7{also}, with objectness and "
        f"{counted(classes, 'class', 'classes')} at {sides[0]:,} places, before suppression"
    )


def _rows(answers: Answers) -> str | None:
    sides = _first(answers)
    if sides is None or sides[1] != 6 or not 1 < sides[0] <= PLACES:
        return None
    return (
        f"a YOLO detector's of version 10 or 26, {sides[0]:,} rows of two corners, a score and a "
        "class"
    )


def _grids(answers: Answers) -> str | None:
    shapes = [value.shape for value in floats(answers)]
    if len(shapes) < 2 or {len(sides) for sides in shapes} not in ({4}, {5}):
        return None
    numbers = {sides[1] if len(sides) == 4 else sides[4] for sides in shapes}
    least = 18 if len(shapes[0]) == 4 else 6
    if len(numbers) != 1 or min(numbers) < least or len({s[2:4] for s in shapes}) < len(shapes):
        return None
    return "a YOLO detector's maps, one a grid, before they are made into boxes"


DECODERS = (
    Decoder(name="yolo-v8", tells=_across),
    Decoder(name="yolo-v5", tells=_down),
    Decoder(name="yolo-v10", tells=_rows),
    Decoder(name="yolo-grids", tells=_grids),
)
