"""How far two maps of the same view agree."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError
from xai_core.explanation import Explanation
from xai_core.grain import Cells, Patches, Superpixels
from xai_core.parts import grid

Array = NDArray[np.float32]
STRONGEST = 0.1
"""The share of the view whose overlap is measured."""


@dataclasses.dataclass(frozen=True, eq=False)
class Agreement:
    """How far two maps agree, on a grid of `rows` x `columns` that both can fill.

    `rank` is Spearman's rank correlation, -1..1, None where one of the maps is flat. `overlap` is
    what both count among their strongest, over what either does (intersection over union), 0..1,
    None where neither has evidence; two that know nothing of each other have about `chance`.
    `apart` float32 `[h, w]` is the first map's rank minus the second's, each from 0 (weakest) to 1
    (strongest), in cells of the grid.
    """

    rank: float | None
    overlap: float | None
    chance: float
    rows: int
    columns: int
    apart: Array


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
    """Measure how far two maps of one view agree.

    Both are averaged over the cells of the coarser of their two grids (fewer rows, fewer columns):
    finer detail than a method has is its smoothing's, and would count the same cell many times.
    What speaks against counts only where both maps have it; else both are cut at zero. Equal values
    share a mean rank. Among the strongest is every cell with evidence whose value is at least that
    of the last one that fits, so that a tie has no first. Raises ParamError for maps of two photos
    or of two cuts of one.
    """
    if reason := apart(first, second):
        raise ParamError(reason)
    sides = tuple(min(pair) for pair in zip(resolution(first), resolution(second), strict=True))
    rows, columns = sides[0], sides[1]
    cells = grid(first.view, (rows, columns))
    both = first.signed and second.signed
    values = [_means(each.attribution, cells, cut=not both) for each in (first, second)]
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
        rows=rows,
        columns=columns,
        apart=((ranks[0] - ranks[1]) / scale).astype(np.float32)[cells],
    )


def apart(first: Explanation, second: Explanation) -> str:
    """Say why two maps cannot be laid over each other, or nothing."""
    if first.image_hash and second.image_hash and first.image_hash != second.image_hash:
        return (
            "These two maps explain different photos, so their places mean different things. "
            "Compare runs on one photo."
        )
    if first.view != second.view or first.placed != second.placed:
        views = " and ".join(f"{view[0]} x {view[1]}" for view in (first.view, second.view))
        return (
            f"These two maps lie on different views of the photo ({views} pixels), which do not "
            "match pixel by pixel. Compare runs of models that see the same part at one size."
        )
    return ""


def same_question(first: Explanation, second: Explanation) -> bool:
    """Tell whether two runs ask the same of one model and one photo, in two ways."""
    return (
        not apart(first, second)
        and first.target == second.target
        and first.model_hash == second.model_hash
        and first.image_hash == second.image_hash
    )


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
