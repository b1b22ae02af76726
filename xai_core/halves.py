"""How far two halves of what was drawn agree, so that a run can end before its limit.

What is drawn at random is dealt out in turn to four quarters. Two of them against the other two
make two halves that know nothing of each other, in three ways; how alike they order the places of
the map (Spearman's rank correlation) says how much of it is not chance. The map of all that was
drawn is steadier than either half.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.explainer import Raw
from xai_core.masked_mean import MaskedMean, add_to

Array = NDArray[np.float32]
Numbers = NDArray[np.float64]

QUARTERS = 4
WAYS = (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2)))
"""The three ways to make two halves of four quarters."""
NEVER = 1.0
"""The agreement at which no run ends: chance keeps two halves from it."""
FEWEST, GROWS, ROUND = 96, 1.1, 16
"""The first look at the halves, by how much more there is at the next, and of what it is a multiple
(so that a look seldom ends in the midst of a batch)."""
SIDE = 32
"""Places along each side of a map at which two halves are compared."""
PLACES = 4
"""Places below which an order says nothing."""


@dataclasses.dataclass(frozen=True)
class Agreement:
    """The lowest and the highest rank correlation of two halves, over the ways to make them."""

    low: float
    high: float

    @classmethod
    def of(cls, pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> Agreement:
        """Return that of some pairs of halves, each an array of values at the same places."""
        found = [alike(one, other) for one, other in pairs]
        return cls(min(found), max(found))

    @property
    def scalars(self) -> dict[str, float]:
        """Both, by the names under which a result holds them."""
        return {"halves_agree_low": self.low, "halves_agree_high": self.high}

    def words(self) -> str:
        """Say both, 'of 0.91 to 0.93', with two digits that are no rounding up."""
        low, high = (f"{math.floor(100 * each + 1e-9) / 100:.2f}" for each in (self.low, self.high))
        return f"of {low}" if low == high else f"of {low} to {high}".replace("-", "\u2212")


NONE = Agreement(0.0, 0.0)


def ended(what: str, used: int, most: int, agreed: Agreement, asked: float) -> str:
    """Say why a run ended: after how many of what it draws, and how far its halves agree."""
    how = f"two halves of them, made in {len(WAYS)} ways, agree by a rank correlation"
    if agreed.low >= asked:
        return (
            f"It took {used:,} of at most {most:,} {what}: {how} {agreed.words()}, where "
            f"{asked:g} was asked."
        )
    return (
        f"It took all {used:,} {what}, and {how} {agreed.words()}, below the {asked:g} that was "
        "asked."
    )


def closed(
    raw: Raw,
    what: str,
    used: int,
    most: int,
    agreed: Agreement,
    asked: float,
    passes: int,
    *,
    words: str = "",
) -> Raw:
    """Return a result with why its run ended, and after how many of what it draws and passes.

    `words` is what its sentence calls them, where that is not `what`.
    """
    said = ended(words or what, used, most, agreed, asked)
    short = agreed.low < asked
    return dataclasses.replace(
        raw,
        scalars={**raw.scalars, **agreed.scalars, f"{what}_used": used},
        notes=(*raw.notes, said) if short else raw.notes,
        way=raw.way if short else f"{raw.way} {said}".strip(),
        passes=passes,
    )


def looks(most: int, fewest: int = FEWEST) -> list[int]:
    """Return after how many drawn the halves are looked at, the last of them `most`."""
    found, at = [], float(max(fewest, FEWEST))
    while (next_ := -(-int(at) // ROUND) * ROUND) < most:
        found.append(next_)
        at = max(at * GROWS, next_ + 1)
    return [*found, most]


def ranked(values: NDArray[Any]) -> Numbers:
    """Return the rank of each value, from 1; equals share the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    made: Numbers = (np.cumsum(counts) - (counts - 1) / 2)[which.ravel()]
    return made


def alike(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return Spearman's rank correlation of two maps' values; 0 where one does not vary."""
    first, second = (ranked(np.ravel(each)) for each in (one, other))
    first, second = first - first.mean(), second - second.mean()
    size = math.sqrt(float(first @ first) * float(second @ second))
    return float(first @ second) / size if size > 0 and len(first) >= PLACES else 0.0


class Halves:
    """The quarters' maps of a run over masks, at some places of the view, for each target.

    `abouts` are scores near all of each target's, and `keep` as in `MaskedMean`. The run is over,
    `done`, once the two halves of every target agree by at least `asked`, however they are made.
    """

    def __init__(
        self,
        size: tuple[int, int],
        abouts: Sequence[float],
        keep: float | None,
        most: int,
        asked: float,
    ) -> None:
        self.asked, self.count, self.done = asked, 0, False
        self._steps = [max(1, -(-side // SIDE)) for side in size]
        few = (-(-size[0] // self._steps[0]), -(-size[1] // self._steps[1]))
        self._quarters = [
            [MaskedMean(few, about, keep) for about in abouts] for _ in range(QUARTERS)
        ]
        self._looks = looks(most)
        self.agreements = [NONE for _ in abouts]

    def add(self, masks: Array, scores: Array) -> int:
        """Take masks `[b, h, w]` and scores `[b, targets]`; return how many of them were needed.

        Fewer than all are where the halves agreed in their midst: the rest is not taken.
        """
        few = masks[:, :: self._steps[0], :: self._steps[1]]
        taken = 0
        while taken < len(few) and not self.done:
            end = min(len(few), taken + self._looks[0] - self.count)
            for quarter, means in enumerate(self._quarters):
                first = taken + (quarter - self.count) % QUARTERS
                if first < end:
                    own = slice(first, end, QUARTERS)
                    add_to(means, few[own].copy(), scores[own])
            self.count += end - taken
            taken = end
            if self.count == self._looks[0]:
                self._looks = self._looks[1:] or self._looks
                self._look()
        return taken

    def _look(self) -> None:
        self.agreements = [
            Agreement.of([tuple(self._map(half, at) for half in way) for way in WAYS])  # type: ignore[misc]
            for at in range(len(self.agreements))
        ]
        self.done = all(each.low >= self.asked for each in self.agreements)

    def _map(self, half: tuple[int, int], target: int) -> Array:
        one, other = (self._quarters[quarter][target] for quarter in half)
        return one.joined(other).map()
