"""Superpixels: a view cut into segments that look alike, numbered from 0 without a gap."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError
from xai_core.params import SEGMENTATIONS
from xai_core.perturb import baseline

Array = NDArray[np.float32]
Labels = NDArray[np.int32]

UNCUT = (
    "The photo was not cut: it is one superpixel, so its weight says nothing of where the model "
    "looks. Choose the grid, or more superpixels."
)
_SMALL = 96
"""Views with a shorter side are enlarged before they are cut: quickshift's smallest kernel would
leave a handful of segments."""


def cut(view: Array, algorithm: str, number: int) -> Labels:
    """Return the segment of each pixel, int32 `[h, w]`, for a view float32 `[h, w, 3]` in 0..1.

    `number` is about how many. Quickshift and felzenszwalb are run fine, then the neighbours that
    differ least are joined until that many are left; slic aims at it by itself. 0 takes the
    algorithm as scikit-image and lime set it, with as many segments as come out. There may be
    fewer, and one on a plain view.
    """
    height, width = view.shape[:2]
    if algorithm == "grid":
        return _grid(height, width, number or 49)
    if algorithm not in SEGMENTATIONS:
        raise ParamError(
            f"A segmentation must be one of {', '.join(SEGMENTATIONS)}, got {algorithm}"
        )
    if number == 0:
        return _numbered(_by_default(view, algorithm))
    times = -(-_SMALL // min(height, width)) if algorithm == "quickshift" else 1
    # at least, so that a view of one row is not enlarged without bound
    times = max(1, min(times, 1024 // max(height, width)))
    fine = _fine(_enlarged(view, times), algorithm, number)
    middle = times // 2
    labels = _numbered(fine[middle::times, middle::times])
    return labels if algorithm == "slic" else joined(labels, view, number)


def _by_default(view: Array, algorithm: str) -> NDArray[Any]:
    from skimage.segmentation import felzenszwalb, quickshift, slic

    if algorithm == "quickshift":
        labels = quickshift(view, kernel_size=4, max_dist=200, ratio=0.2)
    elif algorithm == "slic":
        # scikit-image counts from 1 by default, and lime then never hides the last segment
        labels = slic(view, start_label=0)
    else:
        labels = felzenszwalb(view)
    return np.asarray(labels)


def _fine(view: Array, algorithm: str, number: int) -> NDArray[Any]:
    from skimage.segmentation import felzenszwalb, quickshift, slic

    share = view.shape[0] * view.shape[1] / number  # pixels of a segment
    if algorithm == "quickshift":
        # a kernel of a 16th of a segment's side leaves two to four times as many as wanted
        kernel = float(np.clip(np.sqrt(share) / 16, 1, 4))
        labels = quickshift(view, kernel_size=kernel, max_dist=200, ratio=0.2)
    elif algorithm == "slic":
        labels = slic(view, n_segments=number, start_label=0)
    else:
        least = max(1, int(share / 8))
        labels = felzenszwalb(view, scale=1, sigma=0.5, min_size=least)
    return np.asarray(labels)


def _enlarged(view: Array, times: int) -> Array:
    if times == 1:
        return view
    from xai_core.upsample import resize

    size = (view.shape[0] * times, view.shape[1] * times)
    return np.stack([resize(view[..., channel], size, "linear") for channel in range(3)], -1)


def _grid(height: int, width: int, number: int) -> Labels:
    rows = int(np.clip(round(np.sqrt(number * height / width)), 1, min(height, number)))
    columns = int(np.clip(round(number / rows), 1, width))
    row = np.arange(height) * rows // height
    column = np.arange(width) * columns // width
    return np.asarray(row[:, None] * columns + column, np.int32)


def _numbered(labels: NDArray[Any]) -> Labels:
    _, numbered = np.unique(labels, return_inverse=True)
    return np.asarray(numbered.reshape(labels.shape), np.int32)


def means(view: Array, labels: Labels) -> Array:
    """Return each segment's mean colour, float32 `[segments, 3]`."""
    flat = labels.ravel()
    counts = np.bincount(flat)
    sums = [np.bincount(flat, view[..., channel].ravel()) for channel in range(3)]
    return np.asarray(np.stack(sums, 1) / counts[:, None], np.float32)


def hidden(name: str, view: Array, labels: Labels) -> Array:
    """Return what hidden superpixels show, float32 `[h, w, 3]`, by the name of a baseline.

    `segment` is the mean colour of each.
    """
    return means(view, labels)[labels] if name == "segment" else baseline(name, view)


def painted(weights: NDArray[np.float64], labels: Labels) -> Array:
    """Return each pixel's superpixel's weight, float32 `[h, w]`."""
    return np.asarray(weights[labels], np.float32)


def joined(labels: Labels, view: Array, number: int) -> Labels:
    """Join neighbours until at most `number` segments are left.

    First come those that can be joined with the least loss of colour (Ward 1963), so that a small
    segment that stands out is kept and a large plain one is not cut.
    """
    colours = dict(enumerate(means(view, labels).astype(np.float64)))
    sizes = {index: int(count) for index, count in enumerate(np.bincount(labels.ravel()))}
    if len(sizes) <= number:
        return labels
    near = _neighbours(labels)
    into = np.arange(len(sizes))

    def loss(one: int, other: int) -> float:
        weight = sizes[one] * sizes[other] / (sizes[one] + sizes[other])
        return float(weight * ((colours[one] - colours[other]) ** 2).sum())

    # sizes go along: they only grow, so an entry whose sizes are not the present ones is stale
    def entry(one: int, other: int) -> tuple[float, int, int, int, int]:
        first, second = sorted((one, other))
        return loss(first, second), first, second, sizes[first], sizes[second]

    heap = [entry(one, other) for one in near for other in near[one] if one < other]
    heapq.heapify(heap)
    while len(sizes) > number and heap:
        _, one, other, size, other_size = heapq.heappop(heap)
        if sizes.get(one) != size or sizes.get(other) != other_size:
            continue
        colours[one] = (colours[one] * size + colours.pop(other) * other_size) / (size + other_size)
        sizes[one] += sizes.pop(other)
        into[other] = one
        for third in near.pop(other) - {one}:
            near[third].discard(other)
            near[third].add(one)
            near[one].add(third)
        near[one].discard(other)
        for third in near[one]:
            heapq.heappush(heap, entry(one, third))
    for index in range(len(into)):  # a segment is joined to one of a lower number only
        into[index] = into[into[index]]
    return _numbered(into[labels])


def _neighbours(labels: Labels) -> dict[int, set[int]]:
    pairs = np.concatenate(
        [
            np.stack([labels[:, 1:].ravel(), labels[:, :-1].ravel()], 1),
            np.stack([labels[1:].ravel(), labels[:-1].ravel()], 1),
        ]
    )
    near: dict[int, set[int]] = {index: set() for index in range(int(labels.max()) + 1)}
    for one, other in np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0).tolist():
        near[one].add(other)
        near[other].add(one)
    return near
