"""What a layer's gates say: how long it remembers, which units are alike, which days are alike."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xai_core.report.numbers import percent

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Order = Literal["as is", "by memory", "by likeness"]
ORDERS: tuple[Order, ...] = ("by memory", "by likeness", "as is")

SHIFTS = 200
"""Shifted copies that say what likeness chance gives."""


def memory(gate: Floats) -> Floats:
    """Return for how many steps each unit remembers, from its gate `[..., units]`.

    After so many steps, at the mean of log f, a share of 1/e is left: `-1 / mean(log f)`. It is
    infinite for a gate that is always open.
    """
    flat = np.clip(gate.reshape(-1, gate.shape[-1]), 1e-12, 1.0)
    rate = -np.log(flat).mean(0)
    endless = np.full_like(rate, np.inf)
    made: Floats = np.divide(1.0, rate, out=endless, where=rate > 0)
    return made


@dataclasses.dataclass(frozen=True, kw_only=True)
class Memory:
    """A layer's memory: `steps` by unit `[units]`, its mean gate, and the words for both."""

    steps: Floats
    mean: float
    window: int
    step: str

    @property
    def words(self) -> str:
        """Say it with the numbers."""
        low, middle, high = np.quantile(self.steps, [0.1, 0.5, 0.9])
        beyond = int((self.steps > self.window).sum())
        more = (
            f" {beyond} of {len(self.steps)} units remember for longer than the window of "
            f"{self.window} {self.step}s, which is all that a forecast sees."
            if beyond
            else ""
        )
        return (
            f"The gate's mean is {self.mean:.2f}. Half of the {len(self.steps)} units remember "
            f"for less than {span(middle, self.step)}; the middle 80\u00a0% "
            f"from {span(low, self.step)} to {span(high, self.step)}.{more}"
        )


def span(steps: float, step: str) -> str:
    """Say a number of steps."""
    if not np.isfinite(steps) or steps > 1000:
        return f"more than 1,000 {step}s"
    return f"{steps:.1f} {step}s"


def remembered(gate: Floats, window: int, step: str) -> Memory:
    """Return the memory of a layer from its remembering gate, `[days, units]`."""
    return Memory(steps=memory(gate), mean=float(gate.mean()), window=window, step=step)


def order(gate: Floats, by: Order) -> Indices:
    """Return the units of `[days, units]` in an order: by memory, the longest first, or so that
    neighbours move alike.
    """  # noqa: D205 - one sentence
    units = gate.shape[1]
    if by == "by memory":
        return np.argsort(-memory(gate), kind="stable").astype(np.int64)
    if by == "as is" or units < 3:
        return np.arange(units, dtype=np.int64)
    moved = gate - gate.mean(0)
    size = np.sqrt((moved**2).sum(0))
    alike = (moved.T @ moved) / np.maximum(np.outer(size, size), 1e-12)
    # the second smallest vector of the graph's Laplacian puts alike units side by side
    weight = (alike + 1) / 2
    np.fill_diagonal(weight, 0)
    _, vectors = np.linalg.eigh(np.diag(weight.sum(1)) - weight)
    line = vectors[:, 1]
    line = line if line[np.argmax(np.abs(line))] > 0 else -line
    return np.argsort(line, kind="stable").astype(np.int64)


# Ask the gate ------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Alike:
    """The days on which the same units behave alike.

    `units` were on one side of their own median on every day of the span (`above` says which side);
    `starts` are where the spans of the same length begin that are most alike, the best first, with
    the share of units and days that are on the same side. `chance` is what the best span reaches
    where the units' days are shifted against each other, in 19 of 20 tries.
    """

    first: int
    last: int
    units: Indices
    above: NDArray[np.bool_]
    starts: Indices
    shares: Floats
    chance: float

    @property
    def length(self) -> int:
        """Days of the span."""
        return self.last - self.first + 1

    def words(self, labels: list[str]) -> str:
        """Say what was found; `labels` are the days' names."""
        if not len(self.units):
            return "No unit stays on one side of its own median over these days. Choose fewer days."
        count = f"{len(self.units)} unit{'' if len(self.units) == 1 else 's'}"
        stay = "stays" if len(self.units) == 1 else "stay"
        if not len(self.starts):
            return f"{count} {stay} on one side; the series has no other span of this length."
        start, share = int(self.starts[0]), float(self.shares[0])
        last = start + self.length - 1
        where = labels[start] if start == last else f"{labels[start]} to {labels[last]}"
        above = (
            "more than chance gives"
            if share > self.chance
            else "no more than chance gives where the units are shifted against each other"
        )
        return (
            f"{count} {stay} on one side of the median over these days. They are most alike from "
            f"{where}: {percent(share)} on the same side, {above} ({percent(self.chance)})."
        )


def ask(gate: Floats, first: int, last: int, *, most: int = 5, seed: int = 0) -> Alike:
    """Find the other spans on which the units that hold in `first..last` behave alike.

    `gate` is `[days, units]`; the units are chosen as LSTMVis does (Strobelt et al. 2018), each by
    its own median in the place of one threshold for all.
    """
    days, _ = gate.shape
    first, last = max(0, min(first, last)), min(days - 1, max(first, last))
    length = last - first + 1
    above = gate > np.median(gate, 0)
    inside = above[first : last + 1]
    units = np.flatnonzero(inside.all(0) | ~inside.any(0)).astype(np.int64)
    side = inside[0, units]
    same = above[:, units] == side  # [days, units]
    found = _best(same, length, first, last, most) if len(units) else []
    rng = np.random.default_rng(seed)
    tries = []
    for _ in range(SHIFTS if found else 0):
        by = rng.integers(0, days, len(units))
        shifted = same[(np.arange(days)[:, None] + by) % days, np.arange(len(units))]
        shares = _shares(shifted, length)
        tries.append(float(shares.max()))
    return Alike(
        first=first,
        last=last,
        units=units,
        above=side,
        starts=np.array([start for start, _ in found], np.int64),
        shares=np.array([share for _, share in found]),
        chance=float(np.quantile(tries, 0.95)) if tries else 0.0,
    )


def _shares(same: NDArray[np.bool_], length: int) -> Floats:
    """Return the share that is on the same side in each span, `[days - length + 1]`."""
    sums = np.concatenate([[0.0], np.cumsum(same.mean(1))])
    made: Floats = (sums[length:] - sums[:-length]) / length
    return made


def _best(
    same: NDArray[np.bool_], length: int, first: int, last: int, most: int
) -> list[tuple[int, float]]:
    """Return the best spans that overlap neither the one that was asked about nor each other."""
    shares = _shares(same, length)
    free = np.ones(len(shares), bool)
    free[max(0, first - length + 1) : last + 1] = False
    found: list[tuple[int, float]] = []
    while free.any() and len(found) < most:
        start = int(np.argmax(np.where(free, shares, -1)))
        found.append((start, float(shares[start])))
        free[max(0, start - length + 1) : start + length] = False
    return found
