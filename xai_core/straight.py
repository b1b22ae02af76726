"""Whether the rest of a network is a straight line in a layer's map, and its slope where it is.

Behind an average over all places and one dense layer it is: then what any change of the map does
to the score is known from one pass back, and no change has to be tried.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.target import Target

Array = NDArray[np.float32]

PROBES = 8
"""Maps on which the line is tried: the photo's own, and changed ones."""
CLOSE = 2e-5
"""How far it may miss a score, as a share of the largest: single precision misses as much."""


@dataclasses.dataclass(frozen=True)
class Line:
    """A score's slopes by a map `[mh, mw, channels]`, and the score of the map that was given."""

    slopes: Array
    whole: float


def line(model: Any, layer: str, maps: Array, image: Array, target: Target) -> Line | None:
    """Return a score as a straight line in a layer's map, or None where it is none.

    `maps` is the layer's map of the view `image`, `[mh, mw, channels]`. The line is tried on maps
    that lie far off, some of them with half of the channels left out, some with half of them
    turned round, and the score must be where the line says: a bend on the way would move it.
    """
    if target.reads != "scores" or target.of != "logit":
        return None
    weights = np.asarray(target.weights(len(model.labels)), np.float32)
    found = np.ascontiguousarray(model.vjp_from(layer, maps[None], image, weights[None])[0])
    tried = _probes(maps)
    scores = target.score(model.run_from(layer, tried, image), model.head).astype(np.float64)
    added = adds(tried, found).sum((1, 2))
    said = scores[0] + added - added[0]
    scale = max(float(np.abs(scores).max()), float(np.ptp(said)))
    near = np.abs(said - scores).max() <= CLOSE * scale  # not so where slopes are no numbers
    return Line(found, float(scores[0])) if near and np.isfinite(scores).all() else None


def adds(maps: Array, slopes: Array) -> NDArray[np.float64]:
    """Return what each cell of maps `[..., mh, mw, channels]` adds by its slopes, `[..., mh, mw]`.

    A cell's channels are added in single precision, which costs a fifth of double's time.
    """
    return np.asarray(np.vecdot(maps, slopes), np.float64)


def _probes(maps: Array) -> Array:
    """Return the map, and changed ones, `[PROBES, mh, mw, channels]`; the same for the same map."""
    rng = np.random.default_rng(0)
    made = np.repeat(maps[None], PROBES, 0)
    half = rng.random((PROBES, 1, 1, maps.shape[-1])) < 0.5
    cells = rng.random((PROBES, *maps.shape[:2], 1)) < 0.5
    made[1] *= half[1]  # half of the channels left out
    made[2:4] *= np.where(half[2:4], -2, 3)  # half of them turned round, all of them larger
    made[4:6] *= half[4:6] ^ cells[4:6]  # other channels in other places
    made[6] = 0
    far = np.float32(10 * float(maps.std()) + 1e-6)  # noise of about three times the map's own
    made[7] = (rng.random(maps.shape, np.float32) - np.float32(0.5)) * far
    return made
