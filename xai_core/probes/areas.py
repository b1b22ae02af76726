"""Areas of one size: the first pixels of an order, and the same region in other places.

A control is never smaller or larger than the area that it controls: an order counts single pixels,
so that as many are taken from each to the pixel.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from xai_core.parts import order, places
from xai_core.perturb import Blended
from xai_core.probes.fills import covered

Array = NDArray[np.float32]
Ranks = NDArray[np.int32]

LUMINANCE = (0.299, 0.587, 0.114)
"""How bright red, green and blue are (ITU-R BT.601)."""


def ranked(labels: NDArray[np.int32], ordered: NDArray[np.int64]) -> Ranks:
    """Return how many pixels come before each one, int32 `[h, w]`, when parts are taken in order.

    Within a part they come row by row: what ends in the midst of one takes its upper rows.
    """
    place = places(labels, ordered).ravel()
    rank = np.empty(place.size, np.int32)
    rank[np.argsort(place, kind="stable")] = np.arange(place.size, dtype=np.int32)
    return rank.reshape(labels.shape)


def brightest(image: Array, rng: np.random.Generator) -> Ranks:
    """Return how many pixels of a view `[h, w, 3]` are brighter than each one; equals are drawn."""
    light = np.asarray(image, np.float64) @ np.array(LUMINANCE)
    labels = np.arange(light.size, dtype=np.int32).reshape(light.shape)
    return ranked(labels, order(light.ravel(), rng))


def shifts(view: Iterable[int], draws: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Draw shifts `[draws, 2]` in rows and columns, none of them zero in both."""
    height, width = view
    if height * width == 1:
        return np.zeros((draws, 2), np.int32)
    drawn = rng.integers(1, height * width, draws)
    return np.stack(np.divmod(drawn, width), 1).astype(np.int32)


@dataclasses.dataclass(frozen=True)
class Area:
    """The first `count` pixels of order number `order`, rolled by `shift` rows and columns."""

    order: int
    count: int
    shift: tuple[int, int] = (0, 0)

    def inside(self, orders: Sequence[Ranks]) -> NDArray[np.bool_]:
        """Return which pixels it has, bool `[h, w]`: `count` of them, wherever it lies."""
        found = orders[self.order] < self.count
        return np.asarray(np.roll(found, self.shift, (0, 1)) if any(self.shift) else found)


class Covers(Blended):
    """A mask source that hides areas, or all but them (`keep`), under a fill."""

    def __init__(
        self, orders: Sequence[Ranks], areas: Sequence[Area], fill: str, *, keep: bool = False
    ) -> None:
        self.orders, self.areas, self.fill, self.keep = orders, areas, fill, keep
        self.size = (orders[0].shape[0], orders[0].shape[1])

    def __len__(self) -> int:
        return len(self.areas)

    def hidden(self, index: int) -> NDArray[np.bool_]:
        """Return which pixels mask `index` hides."""
        return np.asarray(self.areas[index].inside(self.orders) != self.keep)

    def write(self, out: Array, start: int) -> None:
        """Write 0 where a pixel is hidden and 1 elsewhere."""
        for row in range(len(out)):
            out[row] = ~self.hidden(start + row)

    def apply(self, image: Array, baseline: Array, out: Array, start: int) -> None:
        """Write the view with each area hidden; `baseline` is what `fills.cover` gives."""
        for row in range(len(out)):
            out[row] = covered(image, self.hidden(start + row), self.fill, baseline)


def flip(firsts: NDArray[np.int32], whole: int, *, keep: bool = False) -> int | None:
    """Return the first point of a curve, `[points]`, at which the answer is another one.

    Where parts are kept it is the first at which the answer is `whole`, that of the whole photo.
    None where there is no such point.
    """
    reached = (firsts == whole) if keep else (firsts != whole)
    return int(reached.argmax()) if reached.any() else None
