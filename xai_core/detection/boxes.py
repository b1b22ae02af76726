"""A detector's boxes: those that a threshold and an overlap leave, and where they lie in the photo.

Boxes are float32 `[n, 4]` (top, left, bottom, right), in the view's pixels unless said otherwise.
"""

from __future__ import annotations

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
    order = np.argsort(-found.scores, kind="stable")
    waiting = order[found.scores[order] >= threshold]
    stay: list[int] = []
    while len(waiting):
        best, waiting = int(waiting[0]), waiting[1:]
        stay.append(best)
        over = overlaps(found.boxes[best].tolist(), found.boxes[waiting])
        waiting = waiting[(over <= overlap) | (found.labels[waiting] != found.labels[best])]
    return np.array(stay, np.int64)


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
