"""How far two maps of one photo agree."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError
from xai_core.explanation import Explanation
from xai_core.grain import Cells, Patches, Superpixels
from xai_core.model import Geometry
from xai_core.parts import grid

Array = NDArray[np.float32]
Sides = tuple[int, int]
STRONGEST = 0.1
"""The share of the view whose overlap is measured."""

SEEN = 0.5
"""The least share of what either model sees that both must see."""


@dataclasses.dataclass(frozen=True, eq=False)
class Agreement:
    """How far two maps agree, on a grid of `rows` x `columns` that both can fill.

    `rank` is Spearman's rank correlation, -1..1, None where one of the maps is flat. `overlap` is
    what both count among their strongest, over what either does (intersection over union), 0..1,
    None where neither has evidence; two that know nothing of each other have about `chance`.
    `apart` float32 `[h, w]` is the first map's rank minus the second's, each from 0 (weakest) to 1
    (strongest), in cells of the grid; `placed` says where it lies in the photo. `common` is the
    share of what the first model sees that the other one sees, too, 0..1.
    """

    rank: float | None
    overlap: float | None
    chance: float
    rows: int
    columns: int
    apart: Array
    placed: Geometry | None = None
    common: float = 1.0


def resolution(explanation: Explanation) -> tuple[int, int]:
    """Return how many rows and columns a map can tell apart.

    Cells and patches have theirs; superpixels count as a square of as many; pixels are pixels.
    """
    grain, (height, width) = explanation.grain, explanation.view
    match grain:
        case Cells():
            return min(grain.rows, height), min(grain.columns, width)
        case Patches():
            return max(1, round(height / grain.height)), max(1, round(width / grain.width))
        case Superpixels():
            side = max(1, round(len(np.unique(grain.labels)) ** 0.5))
            return min(side, height), min(side, width)
    return height, width


def agreement(
    first: Explanation, second: Explanation, *, strongest: float = STRONGEST
) -> Agreement:
    """Measure how far two maps of one photo agree.

    Both are averaged over the cells of the coarser of their two grids (fewer rows, fewer columns):
    finer detail than a method has is its smoothing's, and would count the same cell many times.
    Maps of two views of the photo are laid over each other in the photo, where both models see it.
    What speaks against counts only where both maps have it; else both are cut at zero. Equal values
    share a mean rank. Among the strongest is every cell with evidence whose value is at least that
    of the last one that fits, so that a tie has no first. Raises ParamError for maps of two photos
    or of parts of one that hardly overlap.
    """
    if reason := apart(first, second):
        raise ParamError(reason)
    cut = not (first.signed and second.signed)
    here = _same_view if _one_view(first, second) else _two_views
    values, sides, spread, placed = here(first, second, cut=cut)
    ranks = [_ranks(each) for each in values]
    count = len(values[0])
    fits = max(1, round(strongest * count))
    sets = [_strongest(each, fits) for each in values]
    either = int((sets[0] | sets[1]).sum())
    flat = any(np.ptp(each) == 0 for each in values)
    scale = max(count - 1, 1)
    return Agreement(
        rank=None if flat else float(np.corrcoef(ranks[0], ranks[1])[0, 1]),
        overlap=None if either == 0 else int((sets[0] & sets[1]).sum()) / either,
        chance=fits / (2 * count - fits),
        rows=sides[0],
        columns=sides[1],
        apart=((ranks[0] - ranks[1]) / scale).astype(np.float32)[spread],
        placed=placed,
        common=min(1.0, _share(placed.box, first.placed.shown)),
    )


def apart(first: Explanation, second: Explanation) -> str:
    """Say why two maps cannot be laid over each other, or nothing."""
    if first.image_hash and second.image_hash and first.image_hash != second.image_hash:
        return (
            "Maps that explain different photos cannot be laid over each other: their places mean "
            "different things. Compare runs on one photo."
        )
    if _one_view(first, second):
        return ""
    one, two = first.placed, second.placed
    if not first.image_hash or first.geometry is None or one.photo != two.photo:
        views = " and ".join(f"{view[0]} x {view[1]}" for view in (first.view, second.view))
        return (
            f"These two maps lie on different views of the photo ({views} pixels), which do not "
            "match pixel by pixel. Compare runs of models that see the same part at one size."
        )
    common = _both(one.shown, two.shown)
    if min(_share(common, one.shown), _share(common, two.shown)) < SEEN:
        return (
            "These two models see parts of the photo that hardly overlap, so their maps have too "
            "little in common to be compared."
        )
    return ""


def same_question(first: Explanation, second: Explanation) -> bool:
    """Tell whether two runs ask the same of one model and one photo, in two ways."""
    return (
        not apart(first, second)
        and _one_view(first, second)
        and first.target == second.target
        and first.model_hash == second.model_hash
        and first.image_hash == second.image_hash
    )


def same_way(first: Explanation, second: Explanation) -> bool:
    """Tell whether two runs were made in one way: by one engine with the same values."""
    one, two = first.question, second.question
    same = (one.method, one.engine) == (two.method, two.engine)
    return same and dict(one.values) == dict(two.values)


Box = tuple[float, float, float, float]
Laid = tuple[list[NDArray[np.float64]], Sides, NDArray[np.int64], Geometry]
"""Two maps' values by cell of a grid, its sides, each pixel's cell, and where these pixels lie."""


def _one_view(first: Explanation, second: Explanation) -> bool:
    return first.view == second.view and first.placed == second.placed


def _same_view(first: Explanation, second: Explanation, *, cut: bool) -> Laid:
    """Average two maps of one view over the coarser grid."""
    rows, columns = (min(pair) for pair in zip(resolution(first), resolution(second), strict=True))
    cells = grid(first.view, (rows, columns))
    values = [_means(each.attribution, cells, cut=cut) for each in (first, second)]
    return values, (rows, columns), cells, first.placed


def _two_views(first: Explanation, second: Explanation, *, cut: bool) -> Laid:
    """Average two maps over the coarser grid of the part of the photo that both models see."""
    common = _both(first.placed.shown, second.placed.shown)
    rows, columns = (min(_told(each, common, axis) for each in (first, second)) for axis in (0, 1))
    values = []
    for each in (first, second):
        known = np.asarray(each.attribution, np.float64)
        known = np.maximum(known, 0) if cut else known
        down = _shares(each, common, 0, rows)
        across = _shares(each, common, 1, columns)
        values.append((down @ known @ across.T).ravel())
    cells = np.arange(rows * columns).reshape(rows, columns)
    placed = Geometry(photo=first.placed.photo, box=common, view=(rows, columns))
    return values, (rows, columns), cells, placed


def _told(explanation: Explanation, common: Box, axis: int) -> int:
    """Return how many rows (axis 0) or columns (1) of a part of the photo a map can tell apart."""
    box = explanation.placed.box
    share = (common[axis + 2] - common[axis]) / (box[axis + 2] - box[axis])
    return max(1, round(resolution(explanation)[axis] * share))


def _shares(explanation: Explanation, common: Box, axis: int, count: int) -> NDArray[np.float64]:
    """Return what each of `count` cells of a part takes of each row or column of a map, `[c, n]`.

    The shares of one cell add up to 1: it is the mean over what it covers.
    """
    box, length = explanation.placed.box, explanation.view[axis]
    edges = np.linspace(common[axis], common[axis + 2], count + 1)
    at = (edges - box[axis]) / (box[axis + 2] - box[axis]) * length
    place = np.arange(length)
    low = np.maximum(at[:-1, None], place[None])
    high = np.minimum(at[1:, None], place[None] + 1)
    covered = np.maximum(high - low, 0)
    return np.asarray(covered / covered.sum(1, keepdims=True))


def _both(one: Box, two: Box) -> Box:
    """Return what two boxes share; it may be empty."""
    top, left = max(one[0], two[0]), max(one[1], two[1])
    return top, left, max(min(one[2], two[2]), top), max(min(one[3], two[3]), left)


def _share(part: Box, box: Box) -> float:
    """Return how much of a box a part of it covers, 0..1."""
    whole = (box[2] - box[0]) * (box[3] - box[1])
    return (part[2] - part[0]) * (part[3] - part[1]) / whole if whole > 0 else 0.0


def _means(attribution: Array, cells: NDArray[np.int64], *, cut: bool) -> NDArray[np.float64]:
    """Average a map over cells."""
    values = np.asarray(attribution, np.float64)
    values = np.maximum(values, 0) if cut else values
    return np.bincount(cells.ravel(), values.ravel()) / np.bincount(cells.ravel())


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 0; equals have their mean."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts) - 1
    return np.asarray((last - (counts - 1) / 2)[which.ravel()])


def _strongest(values: NDArray[np.float64], fits: int) -> NDArray[np.bool_]:
    least = np.sort(values)[-fits]
    return np.asarray((values >= least) & (values > 0))
