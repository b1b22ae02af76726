"""A map measured: every number in a sentence about it comes out of here, once for each result."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.explanation import Explanation
from xai_core.grain import Superpixels
from xai_core.model import Geometry

HALF = 0.5
NAMED = 0.6
"""A region is named as the place of the evidence when it holds this share of the strong half."""

_PLACES = (
    ("at the top left", (0, 1 / 3), (0, 1 / 3)),
    ("at the top, in the middle", (0, 1 / 3), (1 / 3, 2 / 3)),
    ("at the top right", (0, 1 / 3), (2 / 3, 1)),
    ("on the left, halfway up", (1 / 3, 2 / 3), (0, 1 / 3)),
    ("in the middle", (1 / 3, 2 / 3), (1 / 3, 2 / 3)),
    ("on the right, halfway up", (1 / 3, 2 / 3), (2 / 3, 1)),
    ("at the bottom left", (2 / 3, 1), (0, 1 / 3)),
    ("low in the middle", (2 / 3, 1), (1 / 3, 2 / 3)),
    ("at the bottom right", (2 / 3, 1), (2 / 3, 1)),
    ("in the upper half", (0, 1 / 2), (0, 1)),
    ("in the lower half", (1 / 2, 1), (0, 1)),
    ("in the left half", (0, 1), (0, 1 / 2)),
    ("in the right half", (0, 1), (1 / 2, 1)),
)
SPREAD = "in several places"


_KNOWN: weakref.WeakKeyDictionary[Explanation, dict[str, Any]] = weakref.WeakKeyDictionary()


def facts(explanation: Explanation) -> dict[str, Any]:
    """Measure a map.

    Returns
    -------
    dict
        `half_area`: the smallest share of the view's pixels that holds half of the evidence for
        the target (the sum of the positive values), 0 where there is none; `place`: the smallest
        named region with at least `NAMED` of those pixels' evidence; `place_share`: that share;
        `against`: the share of the map's absolute sum that is negative; `peak`: the largest
        value; `seen`: the share of the upload's area that the view shows. A map of superpixels is
        measured part by part, however large each is, and has the facts of `_parts` too.
    """
    if (known := _KNOWN.get(explanation)) is not None:
        return known
    values = np.asarray(explanation.attribution, np.float64)
    positive = np.maximum(values, 0)
    half_area, least = _half(positive)
    # Pixels as strong as the last one that was needed count too: a tie has no first.
    place, share = _place(np.where(positive >= least, positive, 0))
    weight = float(np.abs(values).sum())
    found = {
        "half_area": half_area,
        "place": place,
        "place_share": share,
        "against": float(np.maximum(-values, 0).sum()) / weight if weight > 0 else 0.0,
        "peak": float(values.max()),
        "seen": _seen(explanation.placed),
    }
    if isinstance(explanation.grain, Superpixels):
        found |= _parts(explanation.grain)
    _KNOWN[explanation] = found
    return found


def place_of(inside: NDArray[np.bool_]) -> str:
    """Return in which ninth of the view the middle of some of its pixels lies."""
    middle = [float((where + 0.5).mean()) for where in np.nonzero(inside)]
    row, column = (at / side for at, side in zip(middle, inside.shape, strict=True))
    return _PLACES[min(int(row * 3), 2) * 3 + min(int(column * 3), 2)][0]


def _parts(grain: Superpixels) -> dict[str, Any]:
    """Measure a map that is made of superpixels.

    Returns
    -------
    dict
        `parts`: how many there are; `half_parts`: the fewest that
        hold half of the positive weight; `half_area`: their share of the view; `against`: the
        share of all weights' absolute sum that is negative; `strongest` and `weakest`: the largest
        and the smallest weight; `strongest_place`, `weakest_place`: where those parts lie.
    """
    labels, weights = grain.labels, np.asarray(grain.weights, np.float64)
    positive, total = np.maximum(weights, 0), float(np.abs(weights).sum())
    order = np.argsort(-positive, kind="stable")
    summed = np.cumsum(positive[order])
    half = int(np.searchsorted(summed, HALF * summed[-1])) + 1 if summed[-1] > 0 else 0
    sizes = np.bincount(labels.ravel(), minlength=len(weights))
    first, last = int(np.argmax(weights)), int(np.argmin(weights))
    return {
        "parts": len(weights),
        "half_parts": half,
        "half_area": float(sizes[order[:half]].sum() / labels.size),
        "against": float(np.maximum(-weights, 0).sum()) / total if total > 0 else 0.0,
        "strongest": float(weights[first]),
        "strongest_place": place_of(labels == first) if sizes[first] else SPREAD,
        "weakest": float(weights[last]),
        "weakest_place": place_of(labels == last) if sizes[last] else SPREAD,
    }


def _half(positive: NDArray[np.float64]) -> tuple[float, float]:
    """Return the smallest share of pixels with half of the sum, and the weakest one's value."""
    ordered = np.sort(positive, axis=None)[::-1]
    summed = np.cumsum(ordered)
    if summed[-1] <= 0:
        return 0.0, np.inf
    last = int(np.searchsorted(summed, HALF * summed[-1]))
    return (last + 1) / ordered.size, float(ordered[last])


def _place(evidence: NDArray[np.float64]) -> tuple[str, float]:
    total = evidence.sum()
    if total <= 0:
        return SPREAD, 0.0
    height, width = evidence.shape
    row = (np.arange(height) + 0.5) / height
    column = (np.arange(width) + 0.5) / width
    shares: dict[str, float] = {}
    for name, (top, bottom), (left, right) in _PLACES:
        rows = (row >= top) & (row < bottom)
        columns = (column >= left) & (column < right)
        shares[name] = float(evidence[np.ix_(rows, columns)].sum() / total)
    ninths = [name for name, *_ in _PLACES[:9]]
    halves = [name for name, *_ in _PLACES[9:]]
    for names in (ninths, halves):
        best = max(names, key=shares.__getitem__)
        if shares[best] >= NAMED:
            return best, shares[best]
    return SPREAD, 0.0


def _seen(geometry: Geometry) -> float:
    height, width = geometry.photo
    top, left, bottom, right = geometry.shown
    return max(bottom - top, 0) * max(right - left, 0) / (height * width)
