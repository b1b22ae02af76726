"""What the hiding test hands back."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.parts import Places
from xai_core.result import Result, frozen
from xai_core.target import Target


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """What a model says of some views, one side or two: the target's number for each.

    `probabilities` 0..1 are the target's (first) class's, where it has one; `firsts` int32 are the
    classes with the highest score. Neither is there for a model that gives no class scores.
    """

    scores: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None = None
    firsts: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, frozen(getattr(self, field.name)))

    def shaped(self, sides: tuple[int, ...]) -> Answers:
        """Return the same answers with other sides."""
        chances, firsts = self.probabilities, self.firsts
        return Answers(
            self.scores.reshape(sides),
            None if chances is None else chances.reshape(sides),
            None if firsts is None else firsts.reshape(sides),
        )

    def check(self, sides: tuple[int, ...], classes: int | None) -> None:
        """Raise ValueError where it holds no such answers."""
        chances, firsts = self.probabilities, self.firsts
        for each in (self.scores, chances, firsts):
            if each is not None and (each.shape != sides or not np.isfinite(each).all()):
                raise ValueError("answers of another shape, or none")
        if chances is not None and not ((chances >= 0) & (chances <= 1)).all():
            raise ValueError("probabilities that are none")
        if firsts is not None and not (
            (firsts >= 0).all() and (classes is None or (firsts < classes).all())
        ):
            raise ValueError("classes that are none")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Hidden(Result):
    """What a model says when parts of a photo are hidden.

    `shares` are those that were asked, `areas` what was really hidden. `most_places` and
    `least_places` int32 `[h, w]` say of each pixel how many parts come before its own, from the
    strongest and from the least important; the first `cuts` int32 `[shares]` (`least_cuts`) of
    them were hidden. `shifts` int32 `[draws, 2]` rolled the same region (rows, columns).
    `changed` 0..1 is how far a hidden pixel's colours differ from the photo's on average.

    `whole` and `blank` hold one answer each, to the photo and to nothing but the fill; `strongest`
    (hidden), `kept` (all others hidden) and `least` one a share; `random` `[shares, draws]`.
    `curve` has an answer for each of `curve_cuts` int32 `[points]`, from 0 to all parts, and
    `curve_random` `[points, draws]`. `flat` says that the map marks nothing.
    """

    target: Target
    shares: tuple[float, ...]
    fill: str
    seed: int
    parts: int
    part: str
    flat: bool
    most_places: Places
    least_places: Places
    shifts: NDArray[np.int32]
    cuts: NDArray[np.int32]
    least_cuts: NDArray[np.int32]
    curve_cuts: NDArray[np.int32]
    changed: NDArray[np.float64]
    changed_random: NDArray[np.float64]
    whole: Answers
    blank: Answers
    strongest: Answers
    kept: Answers
    least: Answers
    random: Answers
    curve: Answers
    curve_random: Answers

    @property
    def draws(self) -> int:
        """How many random regions each share had."""
        return len(self.shifts)

    @property
    def areas(self) -> NDArray[np.float64]:
        """The share of the view that was really hidden, for each share: also at random."""
        return _areas(self.most_places, self.cuts)

    @property
    def least_areas(self) -> NDArray[np.float64]:
        """The share of the view that the least important parts really have."""
        return _areas(self.least_places, self.least_cuts)

    @property
    def curve_areas(self) -> NDArray[np.float64]:
        """The share of the view that is hidden at each point of the curve, from 0 to 1."""
        return _areas(self.most_places, self.curve_cuts)

    @property
    def overlap(self) -> NDArray[np.float64]:
        """How much of each random region is what the map marks, `[shares, draws]` in 0..1."""
        made = np.empty((len(self.cuts), self.draws))
        for row, cut in enumerate(self.cuts):
            inside = self.most_places < cut
            for at in range(self.draws):
                made[row, at] = inside[self.rolled(row, at)].mean()
        return made

    @property
    def curve_mean(self) -> NDArray[np.float64]:
        """The mean score over the draws at each point of the curve."""
        return np.asarray(self.curve_random.scores.mean(1, dtype=np.float64))

    @property
    def curve_spread(self) -> NDArray[np.float64]:
        """The standard deviation of a draw's score at each point; 0 for a single draw."""
        ddof = min(1, self.draws - 1)
        return np.asarray(self.curve_random.scores.std(1, dtype=np.float64, ddof=ddof))

    def marked(self, at: int) -> NDArray[np.bool_]:
        """Return which pixels the strongest parts of share number `at` are, bool `[h, w]`."""
        return np.asarray(self.most_places < self.cuts[at])

    def least_marked(self, at: int) -> NDArray[np.bool_]:
        """Return which pixels the least important parts of share number `at` are."""
        return np.asarray(self.least_places < self.least_cuts[at])

    def rolled(self, at: int, draw: int) -> NDArray[np.bool_]:
        """Return which pixels a draw hid for share number `at`."""
        return np.roll(self.marked(at), self.shifts[draw].tolist(), (0, 1))

    def consistent(self, classes: int | None, draws: int) -> None:
        """Raise ValueError where its parts do not fit one another."""
        shares, points = len(self.shares), len(self.curve_cuts)
        for places in (self.most_places, self.least_places):
            if places.min() != 0 or places.max() != self.parts - 1:
                raise ValueError("places that are none")
        for cuts in (self.cuts, self.least_cuts):
            if not ((cuts >= 1) & (cuts <= self.parts)).all():
                raise ValueError("cuts that are none")
        rising = points >= 2 and (np.diff(self.curve_cuts) > 0).all()
        if not rising or self.curve_cuts[0] != 0 or self.curve_cuts[-1] != self.parts:
            raise ValueError("a curve that is none")
        for changed in (self.changed, self.changed_random):
            if not ((changed >= 0) & (changed <= 1)).all():
                raise ValueError("changes that are none")
        sides: dict[str, tuple[int, ...]] = {
            "whole": (1,), "blank": (1,), "strongest": (shares,), "kept": (shares,),
            "least": (shares,), "random": (shares, draws), "curve": (points,),
            "curve_random": (points, draws),
        }  # fmt: skip
        known = {(a.probabilities is None, a.firsts is None) for a in self._answers(sides)}
        if len(known) != 1 or self.part not in ("pixel", "cell", "patch", "superpixel"):
            raise ValueError("answers of several kinds")
        for each, wanted in zip(self._answers(sides), sides.values(), strict=True):
            each.check(wanted, classes)

    def _answers(self, names: Any) -> list[Answers]:
        return [getattr(self, name) for name in names]


def _areas(places: Places, cuts: NDArray[np.int32]) -> NDArray[np.float64]:
    return np.array([(places < cut).mean() for cut in cuts], np.float64)
