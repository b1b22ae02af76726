"""The loop of every gradient method: many views, a few at a time, with progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from xai_core.model import Differentiates
from xai_core.target import Target
from xai_core.task import Progress

Array = NDArray[np.float32]
CHUNK = 8
"""Views in one backward pass: a graph for all of them would hold every layer of each."""


def stream(
    model: Differentiates,
    views: Callable[[int, int], Array],
    count: int,
    target: Target,
    progress: Progress,
    *,
    chunk: int = CHUNK,
    partial: Callable[[], Array] | None = None,
    before: int = 0,
    after: int = 0,
) -> Iterator[tuple[slice, Array]]:
    """Yield `(slice of views, d score / d view [b, h, w, 3])` in order.

    `views(start, stop)` makes float32 `[b, h, w, 3]` when they are due, so that memory stays flat
    in `count`. `partial` gives the map so far; progress counts views, `before` of other passes that
    were made first and `after` that may follow, and is told after what was yielded has been used.
    """
    if (expects := getattr(model, "expects", None)) is not None:
        expects(count)
    for start in range(0, count, chunk):
        stop = min(start + chunk, count)
        yield slice(start, stop), model.gradients(views(start, stop), target, chunk)
        progress(before + stop, before + count + after, partial() if partial else None)


def mean(
    model: Differentiates,
    views: Callable[[int, int], Array],
    count: int,
    target: Target,
    progress: Progress,
    *,
    weights: NDArray[np.float64] | None = None,
    chunk: int = CHUNK,
) -> Array:
    """Return the mean gradient over views, float32 `[h, w, 3]`; `weights` `[count]` sum to 1."""
    share = np.full(count, 1 / count) if weights is None else weights
    total = np.zeros((*model.input_size, 3), np.float64)
    for part, gradients in stream(model, views, count, target, progress, chunk=chunk):
        total += np.tensordot(share[part], gradients, 1)
    return total.astype(np.float32)
