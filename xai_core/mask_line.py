"""What of RISE's scores a straight line in the masks explains: that part is known without noise.

Most of the noise in a map of random masks comes from which masks happened to be drawn. Where the
scores follow a straight line in how much each block of the photo shows, what that line adds to the
map of endlessly many masks is known exactly, and only the rest has to be averaged over the masks
drawn (a control variate). The line for each half of the masks is fitted on the other half, so that
its expected map is the same as without it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xai_core.grids import Grids, enlarging

Numbers = NDArray[np.float64]

_STRENGTHS = (1e-3, 1e-2, 0.1, 1.0, 10.0)
"""How strongly the line may be drawn to zero, over the features' mean variance."""


class MaskLine:
    """The line through masks' scores `[masks]`.

    `rest` float64 `[masks]` is what the line leaves of each score, `part` float64 `[h, w]` what it
    adds to the map that counts from the mean score, and `explained` the share of the scores'
    variance that it foresees on masks it was not fitted on.
    """

    def __init__(self, masks: Grids, scores: NDArray[np.float32], keep: float) -> None:
        shown = [_Side(*each) for each in zip(masks.size, masks.cell, strict=True)]
        sides = [side.of(masks.grid) for side in shown]
        (down, down_spread), (across, across_spread) = sides
        features = np.einsum(
            "nbi,nij,ncj->nbc",
            down[masks.shifts[:, 0]],
            masks.cells.astype(np.float64),
            across[masks.shifts[:, 1]],
            optimize=True,
        )
        blocks = features.shape[1:]
        flat, values = features.reshape(len(masks), -1) - keep, scores.astype(np.float64)
        halves = [np.arange(len(masks)) % 2 == half for half in (0, 1)]
        best = min(
            (_fitted(flat, values, halves, strength) for strength in _STRENGTHS),
            key=lambda fit: float(fit[0].var()),
        )
        self.rest, slopes = best
        varies = float(values.var())
        self.explained = 1 - float(self.rest.var()) / varies if varies > 0 else 0.0
        line = slopes.reshape(blocks)
        self.part: Numbers = (1 - keep) * down_spread @ line @ across_spread.T


class _Side:
    """One side of the masks: its pixels, and those of a cell."""

    def __init__(self, pixels: int, cell: int) -> None:
        self.pixels, self.cell = pixels, cell

    def of(self, grid: int) -> tuple[Numbers, Numbers]:
        """Return blocks out of cells by shift `[cell, blocks, grid]`, and pixels with blocks.

        The second, `[pixels, blocks]`, is how a pixel varies together with a block's mean, for a
        variance of 1 of each cell, over all shifts.
        """
        large = enlarging(grid, (grid + 1) * self.cell).astype(np.float64)
        blocks = np.array_split(np.arange(self.pixels), min(grid + 1, self.pixels))
        views = [large[shift : shift + self.pixels] for shift in range(self.cell)]
        means = np.array([[view[block].mean(0) for block in blocks] for view in views])
        spread = sum(view @ mean.T for view, mean in zip(views, means, strict=True)) / self.cell
        return means, np.asarray(spread)


def _fitted(
    features: Numbers, values: Numbers, halves: list[NDArray[np.bool_]], strength: float
) -> tuple[Numbers, Numbers]:
    """Return what is left of each value, and the mean of the two halves' slopes."""
    rest, slopes = values - values.mean(), np.zeros(features.shape[1])
    for own, other in (halves, halves[::-1]):
        x, y = features[other], values[other] - values[other].mean()
        gram = x.T @ x
        ridge = strength * np.trace(gram) / len(gram) * np.eye(len(gram))
        found = np.linalg.solve(gram + ridge + 1e-12 * np.eye(len(gram)), x.T @ y)
        rest[own] -= features[own] @ found
        slopes += found * (own.sum() / len(values))
    return rest, slopes
