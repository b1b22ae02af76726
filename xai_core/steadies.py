"""Whether the lines of four quarters of the samples weigh the features alike by now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from xai_core import halves
from xai_core.halves import QUARTERS, WAYS, Agreement

Numbers = NDArray[np.float64]


class Fitted(Protocol):
    """What takes samples in and can be joined with another of its kind."""

    def add(self, bits: NDArray[np.bool_], scores: Numbers, kernel: Numbers) -> None:
        """Take samples: bits `[b, features]`, their scores and their weights `[b]`."""

    def joined(self, other: Self) -> Self:
        """Return that of both's samples."""


F = TypeVar("F", bound=Fitted)


class Steadies(Generic[F]):
    """Deals samples to four quarters, each fitted by itself, and looks at their halves when due.

    `made` gives an empty fit, `weights` the features' weights of one; `most` samples are taken at
    the most, and the first look is not before `fewest`; where an agreement of 1 is asked there is
    but one, at the end. So many samples as `together` says, which follow each other, go to one
    quarter.
    """

    def __init__(
        self,
        made: Callable[[], F],
        weights: Callable[[F], NDArray[Any]],
        *,
        most: int,
        fewest: int,
        asked: float,
        together: int = 1,
    ) -> None:
        self.asked, self.together, self._weights = asked, together, weights
        self._looks = halves.looks(most, fewest) if asked < halves.NEVER else [most]
        self._quarters = [made() for _ in range(QUARTERS)]
        self.count, self.agreed = 0, halves.NONE

    @property
    def done(self) -> bool:
        """Whether any two halves give the features one order, as far as was asked."""
        return self.agreed.low >= self.asked

    def until(self, end: int) -> int:
        """Return how many samples are to be taken by the next look, `end` at the most."""
        return min(end, self._looks[0])

    def add(self, bits: NDArray[np.bool_], scores: Numbers, kernel: Numbers) -> None:
        """Take samples, and look at the halves where that is due."""
        dealt = np.arange(self.count, self.count + len(bits)) // self.together % QUARTERS
        for quarter, line in enumerate(self._quarters):
            own = dealt == quarter
            if own.any():
                line.add(bits[own], scores[own], kernel[own])
        self.count += len(bits)
        if self.count == self._looks[0]:
            self._looks = self._looks[1:] or self._looks
            self.agreed = Agreement.of(
                [(self._half(one), self._half(other)) for one, other in WAYS]
            )

    def errors(self) -> Numbers:
        """Return each weight's standard error, `[features]`, by how the quarters' differ."""
        found = np.stack([self._weights(line) for line in self._quarters])
        made: Numbers = found.std(0, ddof=1) / QUARTERS**0.5
        return made

    def _half(self, half: tuple[int, int]) -> NDArray[Any]:
        one, other = (self._quarters[quarter] for quarter in half)
        return self._weights(one.joined(other))
