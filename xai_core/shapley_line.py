"""Shapley values out of coalitions: which to ask, and the weighted line whose slopes they are.

The line is held to the score with all players in it, and to that with none, so that its slopes add
up to the difference (Lundberg and Lee 2017, theorem 2). Sizes of which every coalition can be asked
are asked whole; of the rest, coalitions are drawn by the kernel's weight, each with its complement
(Covert and Lee 2021, section 4.2).
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Bits = NDArray[np.bool_]

ENDS = 2
"""The coalitions of none and of all, which come first and hold the line at its ends."""
_BLOCK = 1000
_RIDGE = 1e-10
"""What keeps the fit solvable while it has too few coalitions: what they leave open is shared
alike. As a part of the mean weight."""


@dataclasses.dataclass(frozen=True, eq=False)
class Coalitions:
    """Coalitions in the order in which they are asked: none, all, sizes that are whole, drawn ones.

    `bits` bool `[coalitions, players]` says who is in, `kernel` float64 `[coalitions]` how much
    each counts in the fit: 0 for the first two; those of whole sizes by the Shapley kernel, the
    drawn ones alike. `known` is how many are not drawn, and `open` the kernel's weight of all sizes
    that are drawn from, 0 where nothing is left to chance.
    """

    bits: Bits
    kernel: Numbers
    known: int
    open: float

    @property
    def drawn(self) -> int:
        """How many are drawn."""
        return len(self.bits) - self.known

    @property
    def exact(self) -> bool:
        """Whether every coalition is among them."""
        return self.open == 0

    def first(self, count: int) -> Coalitions:
        """Return the first so many; the drawn ones count for all that were not drawn."""
        kernel = self.kernel[:count].copy()
        if count > self.known:
            kernel[self.known :] = self.open / (count - self.known)
        return dataclasses.replace(self, bits=self.bits[:count], kernel=kernel)


def sizes(players: int) -> Numbers:
    """Return the weight of all coalitions of each size 1 .. players - 1, which add up to 1."""
    size = np.arange(1, players)
    weights = (players - 1) / (size * (players - size))
    return np.asarray(weights / weights.sum(), np.float64)


def draw(seed: int, most: int, players: int) -> Coalitions:
    """Return at most `most` coalitions of `players`, all 2^players where these are no more.

    A size and its mirror are asked whole, from the outermost inwards, while their share of what is
    left would draw at least as many of them as there are (as the shap library does).
    """
    weights = sizes(players)
    bits = np.zeros((most, players), np.bool_)
    kernel = np.zeros(most)
    bits[1] = True
    filled, open_ = ENDS, 1.0 if players > 1 else 0.0
    outer = 1
    while 2 * outer <= players:
        pair = {outer, players - outer}
        count = len(pair) * math.comb(players, outer)
        share = sum(float(weights[size - 1]) for size in pair)
        left = most - filled
        last = 2 * (outer + 1) > players
        if count > left or (not last and left * share / open_ < count):
            break
        for size in sorted(pair):
            rows = _of_size(players, size)
            bits[filled : filled + len(rows)] = rows
            kernel[filled : filled + len(rows)] = weights[size - 1] / len(rows)
            filled += len(rows)
        open_ -= share
        outer += 1
    if 2 * outer > players:
        return Coalitions(bits[:filled], kernel[:filled], filled, 0.0)
    _fill(bits[filled:], weights[outer - 1 : players - outer], outer, seed)
    made = Coalitions(bits, kernel, filled, open_)
    return made.first(most)


def _of_size(players: int, size: int) -> Bits:
    """Return every coalition of a size, bool `[coalitions, players]`."""
    from itertools import combinations

    members = np.array(list(combinations(range(players), size)), np.intp)
    rows = np.zeros((len(members), players), np.bool_)
    np.put_along_axis(rows, members, values=True, axis=1)
    return rows


def _fill(bits: Bits, weights: Numbers, smallest: int, seed: int) -> None:
    """Draw coalitions of sizes `smallest` and up by their weights, each before its complement."""
    rng = np.random.default_rng(seed)
    players = bits.shape[1]
    for start in range(0, len(bits), _BLOCK):
        part = bits[start : start + _BLOCK]
        pairs = -(-len(part) // 2)
        size = smallest + rng.choice(len(weights), pairs, p=weights / weights.sum())
        ranks = rng.random((pairs, players)).argsort(1).argsort(1)
        one = ranks < size[:, None]
        part[::2] = one
        part[1::2] = ~one[: len(part) // 2]


class ShapleyLine:
    """Takes coalitions in and gives the slopes whenever asked; memory does not grow with them."""

    def __init__(self, players: int, none: float, whole: float) -> None:
        self.count, self.none, self.whole = players, none, whole
        self.xx, self.xy = np.zeros((players, players)), np.zeros(players)
        self.w = 0.0

    def add(self, bits: Bits, scores: Numbers, kernel: Numbers) -> None:
        """Take coalitions `[b, players]`, their scores and how much each counts, `[b]`."""
        on = bits.astype(np.float64)
        weighed = on * kernel[:, None]
        self.xx += weighed.T @ on
        self.xy += weighed.T @ (scores - self.none)
        self.w += float(kernel.sum())

    def joined(self, other: ShapleyLine, times: float = 1.0) -> ShapleyLine:
        """Return the line of both's coalitions, the other's counting so many times as much."""
        made = ShapleyLine(self.count, self.none, self.whole)
        made.xx, made.xy = self.xx + times * other.xx, self.xy + times * other.xy
        made.w = self.w + times * other.w
        return made

    def fit(self) -> Numbers:
        """Return the slopes, float64 `[players]`, which add up to `whole` less `none`."""
        each = (self.whole - self.none) / self.count
        if not self.xx.any():
            return np.full(self.count, each)
        # what is left beside equal slopes adds up to nothing: the fit is made among such
        middle = self.xx.mean(0)
        inner = self.xx - middle - middle[:, None] + middle.mean()
        towards = self.xy - each * self.xx.sum(0)
        scale = float(np.trace(self.xx)) / self.count
        inner += scale / self.count + _RIDGE * scale * np.eye(self.count)
        beside = np.linalg.solve(inner, towards - towards.mean())
        return np.asarray(each + beside - beside.mean())
