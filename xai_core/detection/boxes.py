"""A detector's boxes: those that a threshold and an overlap leave, and where they lie in the photo.

Boxes are float32 `[n, 4]` (top, left, bottom, right), in the view's pixels unless said otherwise.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from xai_core.model import Detections, Geometry
from xai_core.target import overlaps

Array = NDArray[np.float32]
Places = NDArray[np.int64]

THRESHOLD, OVERLAP = 0.5, 0.5
"""From which score a box is shown, and how far two of one class may overlap, where nobody asks."""


def kept(found: Detections, threshold: float = THRESHOLD, overlap: float = OVERLAP) -> Places:
    """Return which boxes stay, the highest score first, as int64 `[k]`.

    Those of a score of at least `threshold`, less each that overlaps a better one of its own class
    by more than `overlap` (intersection over union): greedy non-maximum suppression, which
    torchvision does at 0.5.
    """
    return np.array([step.best for step in suppressed(found, threshold, overlap)], np.int64)


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of suppression: the candidate that stays, and those that it drops, as places."""

    best: int
    dropped: tuple[int, ...]


def suppressed(
    found: Detections, threshold: float = THRESHOLD, overlap: float = OVERLAP
) -> list[Step]:
    """Return the steps by which `kept` comes to its boxes, the best first."""
    order = np.argsort(-found.scores, kind="stable")
    waiting = order[found.scores[order] >= threshold]
    steps: list[Step] = []
    while len(waiting):
        best, rest = int(waiting[0]), waiting[1:]
        over = overlaps(found.boxes[best].tolist(), found.boxes[rest])
        gone = (over > overlap) & (found.labels[rest] == found.labels[best])
        steps.append(Step(best, tuple(int(at) for at in rest[gone])))
        waiting = rest[~gone]
    return steps


def in_photo(boxes: Array, geometry: Geometry) -> Array:
    """Return boxes in the upload's pixels, cut at its edges."""
    (height, width), (tall, wide) = geometry.view, geometry.photo
    top, left, bottom, right = geometry.box
    down, across = (bottom - top) / height, (right - left) / width
    scale = np.array([down, across, down, across], np.float32)
    moved = np.asarray(boxes, np.float32).reshape(-1, 4) * scale
    moved += np.array([top, left, top, left], np.float32)
    return np.asarray(np.clip(moved, 0, [tall, wide, tall, wide]), np.float32)


def in_view(boxes: Array, geometry: Geometry) -> Array:
    """Return boxes of the upload's pixels in the view's, cut at the view's edges."""
    height, width = geometry.view
    top, left, bottom, right = geometry.box
    down, across = height / (bottom - top), width / (right - left)
    moved = np.asarray(boxes, np.float32).reshape(-1, 4) - np.array([top, left] * 2, np.float32)
    moved *= np.array([down, across] * 2, np.float32)
    return np.asarray(np.clip(moved, 0, [height, width] * 2), np.float32)
