"""How far two boxes' maps differ: a method that asks about no box gives both the same."""

from __future__ import annotations

import numpy as np

from xai_core.explanation import Explanation
from xai_core.report.numbers import percent


def likeness(one: Explanation, other: Explanation) -> float | None:
    """Return the correlation of two maps, -1..1; None where one of them is flat."""
    a, b = (np.asarray(each.attribution, np.float64).ravel() for each in (one, other))
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def apart(one: Explanation, other: Explanation) -> float:
    """Return the largest difference of two maps, as a share of the largest value in either."""
    top = max(float(np.abs(each.attribution).max()) for each in (one, other))
    if top == 0:
        return 0.0
    return float(np.abs(one.attribution - other.attribution).max()) / top


def sentence(title: str, one: Explanation, other: Explanation, names: tuple[str, str]) -> str:
    """Say how a method's maps of two boxes differ on this photo, in measured numbers."""
    both = f"{title} for {names[0]} and for {names[1]}"
    far, like = apart(one, other), likeness(one, other)
    if far == 0:
        return f"{both}: the same map, pixel for pixel. It does not know which box is asked about."
    said = f"{both}: they differ by up to {percent(far)} of the largest value"
    return said + ("." if like is None else f", and correlate with {like:.2f} (1 is the same map).")
