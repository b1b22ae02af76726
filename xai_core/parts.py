"""A map's parts, at its own grain, in the order of their strength; and masks cut out of that order.

A part is what a method can tell apart: a pixel, a cell of a layer, a patch, a superpixel. Hiding
half a cell would test the smoothing, not the map.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.grain import Cells, Grain, Patches, Superpixels

Array = NDArray[np.float32]
Places = NDArray[np.int32]


@dataclasses.dataclass(frozen=True, eq=False)
class Parts:
    """A view cut into parts: `labels` int32 `[h, w]` from 0, `values` float64 `[n]`, one a part.

    `called` is what a sentence calls one of them.
    """

    labels: NDArray[np.int32]
    values: NDArray[np.float64]
    called: str

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many pixels each part has, `[n]`, none of them 0."""
        return np.bincount(self.labels.ravel(), minlength=len(self.values))


def parts(attribution: Array, grain: Grain) -> Parts:
    """Cut a map `[h, w]` into the parts of its grain.

    A cell's value is the layer's own where the engine handed it out, and the map's mean in it
    where not. Patches that overlapped are told apart no better than by a grid of their size. What
    has no pixel (a cell of a map larger than the view, an empty superpixel) is left out.
    """
    view = (attribution.shape[0], attribution.shape[1])
    values: NDArray[Any] | None = None
    labels: NDArray[Any]
    match grain:
        case Cells():
            labels, called = grid(view, (grain.rows, grain.columns)), "cell"
            values = None if grain.map is None else grain.map.ravel()
        case Patches():
            sides = (max(1, round(view[0] / grain.height)), max(1, round(view[1] / grain.width)))
            labels, called = grid(view, sides), "patch"
        case Superpixels():
            labels, called, values = grain.labels, "superpixel", grain.weights
        case _:
            labels, called = np.arange(attribution.size).reshape(view), "pixel"
            values = attribution.ravel()
    known, dense = np.unique(labels, return_inverse=True)
    dense = np.reshape(dense, view).astype(np.int32)
    if values is None:
        sums = np.bincount(dense.ravel(), np.asarray(attribution, np.float64).ravel())
        kept = sums / np.bincount(dense.ravel())
    else:
        kept = np.asarray(values, np.float64)[known]
    return Parts(np.asarray(dense), kept, called)


def grid(view: tuple[int, int], sides: tuple[int, int]) -> NDArray[np.int64]:
    """Return in which cell of a grid of `sides` (rows, columns) each pixel's middle lies."""
    row, column = (
        np.minimum((np.arange(length) + 0.5) * count / length, count - 1).astype(np.int64)
        for length, count in zip(view, sides, strict=True)
    )
    return row[:, None] * sides[1] + column[None]


def order(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the numbers of parts, the largest value first; equals in an order that is drawn."""
    return np.lexsort((rng.random(len(values)), -values))


def places(labels: NDArray[np.int32], ordered: NDArray[np.int64]) -> Places:
    """Return for each pixel how many parts come before its own, int32 `[h, w]`."""
    place = np.empty(len(ordered), np.int32)
    place[ordered] = np.arange(len(ordered), dtype=np.int32)
    return place[labels]


def cuts(sizes: NDArray[np.int64], shares: Sequence[float]) -> NDArray[np.int32]:
    """Return how many of the first parts come nearest to each share of the area, one at least.

    `sizes` are those of the parts in their order. Of two that are as near the fewer are taken.
    """
    covered = np.cumsum(sizes) / sizes.sum()
    nearest = [int(np.argmin(np.abs(covered - share))) + 1 for share in shares]
    return np.array(nearest, np.int32)


@dataclasses.dataclass(frozen=True)
class Cut:
    """One mask: the first `count` parts of an order are hidden, or all others are.

    `least` says that the order is that of the least important; `shift` rolls the mask.
    """

    count: int
    kept: bool = False
    least: bool = False
    shift: tuple[int, int] = (0, 0)


class Hides:
    """A mask source of cuts through the places of a view's parts, int32 `[h, w]` each."""

    def __init__(self, most: Places, least: Places, cuts: Sequence[Cut]) -> None:
        self.most, self.least, self.cuts = most, least, cuts
        self.size = (most.shape[0], most.shape[1])

    def __len__(self) -> int:
        return len(self.cuts)

    def hidden(self, index: int) -> NDArray[np.bool_]:
        """Return which pixels mask `index` hides."""
        cut = self.cuts[index]
        inside = (self.least if cut.least else self.most) < cut.count
        return np.asarray(np.roll(inside, cut.shift, (0, 1)) != cut.kept)

    def write(self, out: Array, start: int) -> None:
        """Write 0 where a pixel is hidden and 1 elsewhere."""
        for row in range(len(out)):
            out[row] = ~self.hidden(start + row)

    def apply(self, image: Array, baseline: Array, out: Array, start: int) -> None:
        """Copy the image and put the baseline in where a pixel is hidden."""
        out[:] = image
        for row in range(len(out)):
            np.copyto(out[row], baseline, where=self.hidden(start + row)[..., None])
