"""Adaptive input sampling for black-box models, as it was published, one photo a pass: to compare.

A slow transcription of the method that OpenVINO XAI 1.1 describes as AISE: for each of a few widths
a bell-shaped window is moved by a global optimiser (DIRECT, Jones et al. 1993), which seeks where
the score of what the window keeps, less that of what it takes away, is largest. The map of a width
is the sum of its windows, weighed by that difference, over its largest value where that is above
nought; the map is the sum over the widths, over its largest value in any case, which turns a map
without a place above nought upside down. Each trial costs two passes. What is hidden becomes 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Scores = Callable[[Array], NDArray[np.float64]]

WIDTHS = (0.1, 0.175, 0.25)
"""The windows' deviations, as parts of each side of the view."""
CAREFUL = 0.1
"""How much better than the best a box must promise to be, to be cut by the optimiser."""


def window(size: tuple[int, int], at: tuple[float, float], width: float) -> NDArray[np.float64]:
    """Return a window `[h, w]` whose middle lies at parts of the view, 1 at its largest."""
    down, across = (np.linspace(0, 1, side) - middle for side, middle in zip(size, at, strict=True))
    away = np.square(down)[:, None] + np.square(across)[None]
    bell: NDArray[np.float64] = np.exp(-away / (2 * width**2))
    bell /= bell.max()
    return bell


def explained(scores: Scores, view: Array, passes: int) -> Array:
    """Return the map `[h, w]` of at most so many passes.

    `scores` gives the probability of the class for views `[n, h, w, 3]`.
    """
    from scipy.optimize import direct

    trials = passes // (2 * len(WIDTHS))
    size = (view.shape[0], view.shape[1])
    total = np.zeros(size)
    for width in WIDTHS:
        tried: list[tuple[NDArray[np.float64], float]] = []

        def loss(
            at: NDArray[np.float64], width: float = width,
            tried: list[tuple[NDArray[np.float64], float]] = tried,
        ) -> float:  # fmt: skip
            mask = window(size, (float(at[1]), float(at[0])), width)  # across comes first
            both = (view * part[..., None] for part in (mask, 1 - mask))
            kept, taken = (float(scores(each[None].astype(np.float32))[0]) for each in both)
            tried.append((mask, kept - taken))
            return taken - kept

        direct(loss, [(0.0, 1.0), (0.0, 1.0)], eps=CAREFUL, maxfun=trials, locally_biased=False)
        summed = np.sum([mask * gain for mask, gain in tried[:trials]], 0)
        total += summed / summed.max() if summed.max() > 0 else summed
    found: Array = (total / total.max()).astype(np.float32)
    return found
