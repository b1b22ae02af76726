"""Random grids, enlarged and shifted: the masks of RISE, made when they are due."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xai_core.perturb import Blended

Array = NDArray[np.float32]
_DRAWN = 1024
"""Masks whose cells are drawn in one go."""


class Grids(Blended):
    """Grids of cells that show or hide, enlarged smoothly, each mask shifted on its own.

    A grid of `grid` x `grid` cells, each of which shows with the probability `keep`, is enlarged
    linearly to one cell more than the view, and a view is cut out of it at a random place
    (Petsiuk et al. 2018, section 3.2). So each pixel shows `keep` of itself on average. Kept are
    the cells and the shifts only. The first masks are the same however many follow.
    """

    def __init__(
        self, size: tuple[int, int], masks: int, *, grid: int, keep: float, seed: int
    ) -> None:
        self.size, self.grid = size, grid
        self.cell = (-(-size[0] // grid), -(-size[1] // grid))  # rounded up
        cells, shifts = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1])
        self.cells = np.empty((masks, grid, grid), np.bool_)
        for start in range(0, masks, _DRAWN):
            part = self.cells[start : start + _DRAWN]
            part[:] = cells.random(part.shape, np.float32) < keep
        self.shifts = shifts.integers(0, self.cell, (masks, 2))  # [masks, down and across]
        self._enlarge = [enlarging(grid, (grid + 1) * cell) for cell in self.cell]
        self._wide = self._enlarge[0], np.repeat(self._enlarge[1], 3, 0).T.copy()

    def __len__(self) -> int:
        return len(self.cells)

    def write(self, out: Array, start: int) -> None:
        """Write masks `start .. start + len(out)` into `out`, float32 `[b, h, w]` in 0..1."""
        (height, width), (down, across) = self.size, self._enlarge
        for row, mask in enumerate(out, start):
            top, left = self.shifts[row].tolist()
            shown = self.cells[row].astype(np.float32)
            np.matmul(down[top : top + height] @ shown, across[left : left + width].T, out=mask)

    def apply(self, image: Array, baseline: Array, out: Array, start: int) -> None:
        """Write the masked images into `out`, float32 `[b, h, w, 3]`, each where its mask stands.

        The masks are made three times as wide, one column a colour, so that all of it runs over
        whole rows.
        """
        (height, width), (down, across) = self.size, self._wide
        baseline = np.ascontiguousarray(baseline).reshape(height, 3 * width)
        away = np.ascontiguousarray(image).reshape(height, 3 * width) - baseline
        for row, views in enumerate(out.reshape(len(out), height, 3 * width), start):
            top, left = self.shifts[row].tolist()
            shown = down[top : top + height] @ self.cells[row].astype(np.float32)
            np.matmul(shown, across[:, 3 * left : 3 * (left + width)], out=views)
            views *= away
            views += baseline

    def at(self, row: int, column: int) -> Array:
        """Return what each mask shows of one pixel, float32 `[masks]` in 0..1."""
        down, across = self._enlarge
        shown = np.einsum(
            "ni,nij,nj->n",
            down[self.shifts[:, 0] + row],
            self.cells.astype(np.float32),
            across[self.shifts[:, 1] + column],
            optimize=True,
        )
        return np.asarray(shown, np.float32)


def enlarging(cells: int, pixels: int) -> Array:
    """Return what enlarges a row of `cells` to `pixels`, float32 `[pixels, cells]`, rows of sum 1.

    It is linear between the cells' middles, and level beyond the first and the last.
    """
    at = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
    low = np.minimum(at.astype(np.int64), max(cells - 2, 0))
    made = np.zeros((pixels, cells), np.float32)
    rows = np.arange(pixels)
    made[rows, low] = 1 - (at - low)
    if cells > 1:
        made[rows, low + 1] = at - low
    return made
