"""How long a training takes: what it has to do, and how fast that was done before."""

from __future__ import annotations

import collections
import dataclasses
import statistics
from collections.abc import Sequence

KEPT = 5
"""Trainings that say how fast a server is; older ones are forgotten."""


@dataclasses.dataclass(frozen=True)
class Work:
    """What a training does in all its epochs: each part is done at a pace of its own.

    `steps` are those that a processor makes one after the other, however large they are; `moved`
    the weights that the optimiser moves, `products` the multiplications, both in millions.
    """

    steps: float
    moved: float
    products: float

    def parts(self) -> tuple[float, float, float]:
        """Return them in the order of a pace."""
        return self.steps, self.moved, self.products

    def seconds(self, pace: Sequence[float]) -> float:
        """Return the seconds that it takes where each part takes `pace` seconds."""
        return sum(part * each for part, each in zip(self.parts(), pace, strict=True))


class Measured:
    """How fast this server is beside the one where a pace was measured, by its own trainings."""

    def __init__(self) -> None:
        self._shares: collections.deque[float] = collections.deque(maxlen=KEPT)

    def note(self, took: float, expected: float) -> None:
        """Note what a training took that was expected to take so long."""
        if took > 0 and expected > 0:
            self._shares.append(took / expected)

    @property
    def known(self) -> bool:
        """Whether anything was trained here."""
        return bool(self._shares)

    @property
    def share(self) -> float:
        """How many times as long as expected a training takes; 1 before the first one."""
        return statistics.median(self._shares) if self._shares else 1.0
