"""How far a method's maps of several boxes of one photo lie in each other's boxes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from xai_core.detection.blind import likeness
from xai_core.detection.context import within
from xai_core.explanation import Explanation
from xai_core.report.numbers import counted, percent
from xai_core.target import BoxTarget


@dataclasses.dataclass(frozen=True)
class Shares:
    """Where one map's positive values lie, as shares of them all, 0..1.

    In its own box, in the other boxes that were asked about (and not in its own), and elsewhere.
    """

    own: float
    others: float

    @property
    def elsewhere(self) -> float:
        """What lies in none of the boxes."""
        return max(0.0, 1 - self.own - self.others)


def shares(made: Sequence[Explanation]) -> list[Shares | None]:
    """Return the shares of each map; None for one that holds nothing positive."""
    areas = [
        within(each.target, each.view) if isinstance(each.target, BoxTarget) else None
        for each in made
    ]
    found: list[Shares | None] = []
    for at, (each, own) in enumerate(zip(made, areas, strict=True)):
        positive = np.maximum(np.asarray(each.attribution, np.float64), 0)
        total = float(positive.sum())
        if own is None or total == 0:
            found.append(None)
            continue
        rest = [area for number, area in enumerate(areas) if number != at and area is not None]
        other = np.any(rest, axis=0) & ~own if rest else np.zeros_like(own)
        found.append(
            Shares(float(positive[own].sum()) / total, float(positive[other].sum()) / total)
        )
    return found


def alike(made: Sequence[Explanation]) -> float | None:
    """Return the mean correlation of each two maps, -1..1; None where no two can be compared."""
    pairs = [likeness(*two) for two in itertools.combinations(made, 2)]
    known = [each for each in pairs if each is not None]
    return float(np.mean(known)) if known else None


def sentences(title: str, made: Sequence[Explanation]) -> list[str]:
    """Say where a method's maps of some boxes of a photo lie, in measured numbers."""
    every = shares(made)
    found = [each for each in every if each is not None]
    blank = len(every) - len(found)
    if not found:
        return [f"{title}: the maps of all {len(every)} boxes are blank."]
    own, others, rest = (
        float(np.mean([getattr(each, part) for each in found]))
        for part in ("own", "others", "elsewhere")
    )
    rival = "the other box" if len(every) == 2 else f"the other {len(every) - 1} boxes"
    said = [
        f"{title}: of what speaks for a box {percent(own)} lies in that box, {percent(others)} in "
        f"{rival} and {percent(rest)} in none of them, on average."
    ]
    if (like := alike(made)) is not None:
        said.append(
            f"Two boxes\u2019 maps correlate with {like:.2f} on average (1 is the same map)."
        )
    if blank:
        said.append(f"{counted(blank, 'map is', 'maps are')} blank and counted in none of these.")
    return said
