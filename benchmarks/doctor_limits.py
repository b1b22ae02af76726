"""How far the doctor's figures hang on its three limits, which were chosen on the same models.

Each model is left out in turn, with those that were trained on the same pictures; the limits are
chosen on the other ones, and it is judged by those.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from loaders import doctor
from loaders.doctor import LIMITS, Limits, Trial

MARGINS: Final = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
FITS: Final = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
WORSE: Final = (1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.5, 3.0)
STEP, FARTHEST = 1.02, 10.0
"""By how much a limit is moved at once, and how many times it is at the most."""


@dataclasses.dataclass(frozen=True)
class Asking:
    """The trials of one photo under one preset: whether that is the right one, its class known."""

    right: bool
    known: bool
    trials: Sequence[Trial]


Counts = tuple[int, ...]
"""False alarms, of how many, hits, of how many: with the class known, then without it."""


def counted(askings: Iterable[Asking], limits: Limits = LIMITS) -> Counts:
    """Count what the doctor says of them by some limits."""
    counts = [0] * 8
    for each in askings:
        place = (0 if each.known else 4) + (0 if each.right else 2)
        counts[place] += doctor.better(each.trials, limits) is not None
        counts[place + 1] += 1
    return tuple(counts)


def summed(rows: Iterable[Counts]) -> Counts:
    """Return the sums of several counts."""
    return tuple(map(sum, zip(*rows, strict=True)))


def wrong(counts: Counts) -> float:
    """Return the share of false alarms and that of misses, together: 0 where all is right."""
    alarms, right, hits, other = (counts[at] + counts[at + 4] for at in range(4))
    return alarms / max(right, 1) + 1 - hits / max(other, 1)


def left_out(
    models: Mapping[str, Sequence[Asking]], kin: Mapping[str, str]
) -> dict[str, tuple[Limits, Counts]]:
    """Return for each model the limits that the others choose, and its counts by these.

    Models of one `kin` are left out together. The others choose what is wrong least; of equals the
    one that lies most in their midst, so that a limit which does not matter there is not put at an
    end.
    """
    grid = [Limits(*each) for each in itertools.product(MARGINS, FITS, WORSE)]
    rows = {name: [counted(each, one) for one in grid] for name, each in models.items()}
    found = {}
    for name in models:
        others = [row for other, row in rows.items() if kin[other] != kin[name]]
        errors = np.array([wrong(summed(each)) for each in zip(*others, strict=True)])
        best = np.flatnonzero(errors <= errors.min() + 1e-12)
        at = _midst([grid[each] for each in best.tolist()])
        found[name] = grid[int(best[at])], rows[name][int(best[at])]
    return found


def _midst(equals: Sequence[Limits]) -> int:
    """Return which of some limits lies nearest to the median of all of them."""
    logs = np.log([dataclasses.astuple(each) for each in equals])
    return int(np.abs(logs - np.median(logs, 0)).sum(1).argmin())


def reach(askings: Sequence[Asking], name: str) -> tuple[float, float]:
    """Return between which values of one limit no count changes, the others as they are.

    In steps of 2 %, to a tenth and to ten times it at the most.
    """
    own, before = float(getattr(LIMITS, name)), counted(askings)
    ends = []
    for way in (1 / STEP, STEP):
        value = own
        while 1 / FARTHEST < (other := value * way) / own < FARTHEST:
            moved = dataclasses.replace(LIMITS, **{name: other})
            if counted(askings, moved) != before:
                break
            value = other
        ends.append(value)
    return ends[0], ends[1]


def lines(models: Mapping[str, Sequence[Asking]], kin: Mapping[str, str]) -> list[str]:
    """Return the table of what each model gives by the limits of the others, and the reaches."""
    made = [
        "| left out | lead | fits below | times worse | false alarms, class known "
        "| hits, class known | false alarms, unknown | hits, unknown |",
        "| --- | ---: | ---: | ---: | --- | --- | --- | --- |",
    ]
    found = left_out(models, kin)
    rows = [(name, limits, counts) for name, (limits, counts) in found.items()]
    total = summed(counts for _, _, counts in rows)
    for name, limits, counts in [*rows, ("all, each left out", None, total)]:
        values = ["", "", ""] if limits is None else [f"{each:g}" for each in _values(limits)]
        pairs = [f"{counts[at]} of {counts[at + 1]}" for at in range(0, 8, 2)]
        made.append(f"| {' | '.join([name, *values, *pairs])} |")
    every = [each for askings in models.values() for each in askings]
    total = counted(every)
    pairs = [f"{total[at]} of {total[at + 1]}" for at in range(0, 8, 2)]
    own = [f"{each:g}" for each in _values(LIMITS)]
    made.append(f"| {' | '.join(['none: as they are', *own, *pairs])} |")
    said = []
    for name, words in (
        ("margin", "the lead"), ("fits_below", "what fits"), ("worse", "how many times worse"),
    ):  # fmt: skip
        low, high = reach(every, name)
        lies = f"lies from {low:.3g} to {high:.3g}" if low < high else f"stays at {low:.3g}"
        said.append(f"{words} {lies}")
    made += [
        "",
        f"No figure changes while {said[0]}, {said[1]}, or {said[2]}, each",
        "moved alone in steps of 2 %.",
    ]
    return made


def _values(limits: Limits) -> tuple[float, ...]:
    return limits.margin, limits.fits_below, limits.worse
