"""The size of a network's photos, worked out of what its first dense layer takes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from loaders.torch.axes import Grid, Shape
from loaders.torch.watch import Step, Watch

COMMON = (224, 299, 256, 384, 192, 160, 128, 112, 96, 64, 48, 32, 28)
"""Sides that are tried, in pixels, where nothing says what a network was trained on."""

_ROUND = (*COMMON, 227, 200, 150, 100, 50, 180, 120, 80, 40, 36, 60, 72, 75, 144, 240, 320, 512)
_LARGEST = 1024
_RESHAPES = ("view", "reshape", "unsafe_view", "flatten")
_DENSE = ("linear", "addmm", "mm", "matmul")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What the map before the first dense layer must be: so many channels, so many cells."""

    numbers: int
    channels: int

    @property
    def side(self) -> int:
        """The side of a square map; 0 where no square map has as many numbers."""
        cells, rest = divmod(self.numbers, self.channels)
        side = math.isqrt(cells)
        return side if not rest and side * side == cells else 0


@dataclasses.dataclass(frozen=True)
class Sides:
    """The sides from `low` to `high`, in pixels, that all give the map that is wanted."""

    low: int
    high: int

    @property
    def likely(self) -> int:
        """The one of them that people use most."""
        if self.low in _ROUND:
            return self.low  # the lowest is the one that no pooling cuts an edge off
        inside = range(self.low, self.high + 1)
        for side in _ROUND:
            if side in inside:
                return side
        for step in (64, 32, 16, 10, 8, 4, 2):
            if found := [side for side in inside if side % step == 0]:
                return found[0]
        return self.low


def flattened(watch: Watch) -> list[tuple[Wanted, int]]:
    """Return what each dense layer behind a map takes in a pass, and the side of its map there."""
    found = []
    for step in (*watch.steps, *([watch.failed] if watch.failed else [])):
        place = 1 if step.name == "addmm" else 0
        if step.name in _DENSE and len(step.inputs) > place + 1:
            before = _map_before(step.sources[place])
            weight = step.inputs[place + 1]
            numbers = weight[-1 if step.name == "linear" else 0]
        elif step is watch.failed and step.name in _RESHAPES:
            before, numbers = _map_before(step), _last_side(step)
        else:
            continue
        if before is not None and numbers > 0:
            found.append((Wanted(numbers, before[1]), before[2]))
    return found


def misfit(watch: Watch) -> tuple[int, Wanted, int] | None:
    """Return the number of the dense layer whose map has the wrong side, its wish, and the side."""
    for number, (wish, side) in enumerate(flattened(watch)):
        if wish.numbers != wish.channels * side * side:
            return number, wish, side
    return None


def _map_before(step: Step | None) -> Shape | None:
    """Return the shape of the map that was flattened, `[N, c, h, w]`."""
    for _ in range(20):
        if step is None:
            return None
        shape = step.inputs[0] if step.inputs else step.shape
        if step.name in _RESHAPES and len(shape) == 4:
            return shape
        if len(step.shape) == 4:
            return None
        step = step.sources[0] if step.sources else None
    return None


def _last_side(step: Step) -> int:
    sides = step.arguments[0] if step.arguments else ()
    if isinstance(sides, (list, tuple)) and len(sides) == 2 and isinstance(sides[1], int):
        return sides[1]
    return 0


def search(
    run: Callable[[int], Watch], number: int, known: tuple[int, int], goal: int
) -> Sides | None:
    """Return the sides for which the map of a dense layer has `goal` cells a side, by halving.

    `run` makes a pass over a photo of a side, `number` is the layer's in `flattened`, and `known`
    is a side with its map's.
    """

    def cells(side: int) -> int:
        if side not in found:
            said = flattened(run(side))
            late = 0 if side < known[0] else goal + 1
            found[side] = said[number][1] if number < len(said) else late
        return found[side]

    found = {known[0]: known[1]}
    stride = max(1, math.ceil(known[0] / max(known[1], 1)))
    guess = min(max(round(goal * known[0] / max(known[1], 1)), 8), _LARGEST)
    low, high = max(guess - stride, 4), min(guess + stride, _LARGEST)
    while cells(low) >= goal and low > 4:
        low = max(4, low - 2 * stride)
    while cells(high) <= goal and high < _LARGEST:
        high = min(_LARGEST, high + 2 * stride)
    first = _first(low, high, lambda side: cells(side) >= goal)
    last = _first(low, high, lambda side: cells(side) > goal) - 1
    if first > last or cells(first) != goal:
        return None
    return Sides(first, last)


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Return the first side that a rising condition holds for; one past the last for none."""
    if holds(low):
        return low
    if not holds(high):
        return high + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def tokens(watch: Watch) -> tuple[int, int] | None:
    """Return the photo's grid and the one that positions were learned for, where a sum failed."""
    step = watch.failed
    if step is None or step.name not in ("add", "sub") or len(step.inputs) < 2:
        return None
    source, (here, there) = step.sources[0], step.inputs[:2]
    if source is None or source.axes is None or len(here) != 3 or len(there) != 3:
        return None
    grid = next((axis for axis in source.axes if isinstance(axis, Grid)), None)
    if grid is None or grid.height != grid.width:
        return None
    side = math.isqrt(max(there[1] - grid.before - grid.after, 0))
    return (grid.height, side) if side * side + grid.before + grid.after == there[1] else None


def pictures(numbers: int, channels: int, size: tuple[int, int] | None) -> list[Any]:
    """Return the (channels, height, width) that a row of so many numbers may be, likelier first.

    `channels` and `size` are what is known, or 0 and None.
    """
    found = []
    for count in (channels,) if channels else (3, 1):
        cells, rest = divmod(numbers, count)
        if rest:
            continue
        if size is not None:
            if size[0] * size[1] == cells:
                found.append((count, *size))
            continue
        side = math.isqrt(cells)
        if side * side == cells and side >= 16:
            found.append((count, side, side))
    return sorted(found, key=lambda each: each[1] not in _ROUND)
