"""What the hiding test itself finds doubtful about what it did."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xai_core.probes._hidden import Hidden
from xai_core.report.numbers import percent

UNSEEN = 1 / 255
"""A change of a pixel by less than this is none: photos have no finer steps."""
NEAR = 0.001
"""A probability this near to 0 or 1 hardly shows what the score does."""


def notes(made: Hidden, values: NDArray[np.float64], signed: bool) -> tuple[str, ...]:
    """Say what weakens a test. `values` are the parts' from the strongest on."""
    said = []
    if made.flat:
        blank = not np.any(values)
        said.append(
            f"The map is {'blank' if blank else 'flat'}: no part of it is stronger than another, "
            "so what was hidden as the strongest was drawn at random."
        )
    said += [] if made.flat else _ranks(made, values)
    said += [
        f"{percent(share)} was asked, and one {made.part} has {percent(area)} of the view: that "
        f"one {made.part} was hidden."
        for share, area, cut in zip(made.shares, made.areas, made.cuts, strict=True)
        if cut == 1 and percent(share) != percent(area) and area > share
    ]
    for area, change, drawn in zip(made.areas, made.changed, made.changed_random, strict=True):
        if change < UNSEEN:
            said.append(
                f"The fill looks like the strongest {percent(area)} itself, so hiding that changed "
                "nothing. Hide with another fill."
            )
        elif (none := int((drawn < UNSEEN).sum())) > 0:
            said.append(
                f"In {none} of {made.draws} draws for {percent(area)} the fill looks like what it "
                "hid, so nothing was hidden there."
            )
    if made.whole.probabilities is not None:
        chance = float(made.whole.probabilities[0])
        if not NEAR < chance < 1 - NEAR:
            end = "full" if chance > 0.5 else "zero"
            said.append(
                f"The probability stands so near to {end} that it hardly moves: the score tells "
                "more."
            )
    # the wall keeps no space but the plain one
    return tuple(dict.fromkeys(each.replace("\u00a0", " ") for each in said))


def _ranks(made: Hidden, values: NDArray[np.float64]) -> list[str]:
    """Say where the map does not tell which parts belong to the strongest."""
    said = []
    positive = int((values > 0).sum())
    with_evidence = float((made.most_places < positive).mean())
    short = [area for area, cut in zip(made.areas, made.cuts, strict=True) if cut > positive]
    if short:
        more = " (and of what is larger)" if len(short) > 1 else ""
        said.append(
            f"Only {percent(with_evidence)} of the view has evidence for what is explained: "
            f"the rest of the strongest {percent(short[0])}{more} has none."
            if positive
            else "No part of the view has evidence for what is explained: the strongest are those "
            "that speak least against it."
        )
    for area, cut in zip(made.areas, made.cuts, strict=True):
        if cut <= positive and cut < len(values) and values[cut - 1] == values[cut]:
            equal = int((values == values[cut]).sum())
            said.append(
                f"{equal} {plural(made.part)} are equally strong at the edge of the strongest "
                f"{percent(area)}: which of them were hidden was drawn."
            )
    return said


def plural(part: str) -> str:
    """Return the word for several parts."""
    return part + ("es" if part.endswith("ch") else "s")
