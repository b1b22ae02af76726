"""What a masking curve hands back."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xai_core.probes._hidden import Answers
from xai_core.probes.areas import Area, Ranks, flip
from xai_core.result import Result
from xai_core.target import Target

Way = Literal["hide", "keep"]
Order = Literal["strongest", "least", "brightest"]
ORDERS: tuple[Order, ...] = ("strongest", "least", "brightest")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Masked(Result):
    """What a model says as more and more of a view is hidden (or kept), in several orders.

    `ranks` int32 `[h, w]` each say how many pixels come before a pixel's own: by the map from its
    strongest part on, from its least important part on, and from the brightest pixel on. `counts`
    int32 `[points]`, rising from 0 to all, are the pixels of each point, in all orders as many.
    `shifts` int32 `[draws, 2]` rolled the strongest area (rows, columns). `whole` and `blank` hold
    one answer each, to the photo and to nothing but the fill; `strongest`, `least` and `brightest`
    one a point, `random` `[points, draws]`. `flat` says that the map marks nothing.
    """

    target: Target
    way: Way
    fill: str
    seed: int
    part: str
    flat: bool
    strongest_ranks: Ranks
    least_ranks: Ranks
    brightest_ranks: Ranks
    shifts: NDArray[np.int32]
    counts: NDArray[np.int32]
    whole: Answers
    blank: Answers
    strongest: Answers
    least: Answers
    brightest: Answers
    random: Answers

    @property
    def areas(self) -> NDArray[np.float64]:
        """The share of the view at each point, from 0 to 1: the same in all orders."""
        return np.asarray(self.counts / self.strongest_ranks.size, np.float64)

    @property
    def draws(self) -> int:
        """How many random areas each point had."""
        return len(self.shifts)

    def ranks(self, order: Order) -> Ranks:
        """Return the pixels of an order."""
        found: Ranks = getattr(self, f"{order}_ranks")
        return found

    def area(self, order: Order, point: int) -> NDArray[np.bool_]:
        """Return the pixels of an order at a point, bool `[h, w]`."""
        return Area(0, int(self.counts[point])).inside([self.ranks(order)])

    def drawn(self, point: int, draw: int) -> NDArray[np.bool_]:
        """Return the pixels of a random area at a point, bool `[h, w]`."""
        down, across = (int(side) for side in self.shifts[draw])
        return Area(0, int(self.counts[point]), (down, across)).inside([self.strongest_ranks])

    def flips(self, order: Order) -> int | None:
        """Return the first point of an order at which the answer changes, or None.

        Where parts are kept: at which it is the whole photo's.
        """
        return self._flip(getattr(self, order).firsts)

    def random_flips(self) -> list[int | None]:
        """Return the same for each draw."""
        firsts = self.random.firsts
        columns = [] if firsts is None else [firsts[:, draw] for draw in range(self.draws)]
        return [self._flip(each) for each in columns] or [None] * self.draws

    def _flip(self, firsts: NDArray[np.int32] | None) -> int | None:
        if firsts is None or self.whole.firsts is None:
            return None
        return flip(firsts, int(self.whole.firsts[0]), keep=self.way == "keep")

    def consistent(self, classes: int | None) -> None:
        """Raise ValueError where its parts do not fit one another."""
        size, points = self.strongest_ranks.size, len(self.counts)
        for order in ORDERS:
            ranks = self.ranks(order).ravel()
            if not np.array_equal(np.sort(ranks), np.arange(size)):
                raise ValueError("an order that is none")
        rising = points >= 2 and (np.diff(self.counts) > 0).all()
        if not rising or self.counts[0] != 0 or self.counts[-1] != size:
            raise ValueError("a curve that is none")
        if self.part not in ("pixel", "cell", "patch", "superpixel"):
            raise ValueError("a part that is none")
        sides: dict[str, tuple[int, ...]] = dict.fromkeys(ORDERS, (points,))
        sides |= {"whole": (1,), "blank": (1,), "random": (points, self.draws)}
        answers: dict[str, Answers] = {name: getattr(self, name) for name in sides}
        if len({(a.probabilities is None, a.firsts is None) for a in answers.values()}) != 1:
            raise ValueError("answers of several kinds")
        for name, wanted in sides.items():
            answers[name].check(wanted, classes)
