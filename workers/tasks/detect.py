"""What a detector finds on a photo."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workers.tasks.predict import check_place, seen_of
from xai_core.card import Card
from xai_core.model import Detections, Detects, Finding, Geometry
from xai_core.result import Result
from xai_core.task import Bench, Progress, Shape, Task, task

MOST = 300
"""The most candidates of a photo."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Detection(Result):
    """All boxes that the detector weighed, and where the view lies in the photo.

    `boxes` float32 `[n, 4]` (top, left, bottom, right) in the view's pixels, `labels` int32 `[n]`,
    `scores` float32 `[n]` in 0..1, the highest first; none is dropped for another one's sake.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int32]
    scores: NDArray[np.float32]
    geometry: Geometry
    seconds: float
    findings: tuple[Finding, ...] = ()

    @property
    def found(self) -> Detections:
        """The boxes together."""
        return Detections(self.boxes, self.labels, self.scores)


@task
class DetectObjects(Task):
    """Asks a detector about a photo, uint8 `[H, W, 3]`."""

    needs: ClassVar[tuple[type, ...]] = (Detects,)
    returns = Detection

    pixels: NDArray[np.uint8]

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shapes of the boxes."""
        return {
            "boxes": Shape("<f4", ("", 4), most=4 * MOST),
            "labels": Shape("<i4", ("",), most=MOST),
            "scores": Shape("<f4", ("",), most=MOST),
        }

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for boxes that are none, and another place of the view."""
        boxes, labels, scores = result.boxes, result.labels, result.scores
        if not len(boxes) == len(labels) == len(scores) or result.seconds < 0:
            raise ValueError("boxes, labels and scores of different numbers")
        if not (np.isfinite(boxes).all() and ((scores >= 0) & (scores <= 1)).all()):
            raise ValueError("boxes that are none")
        if (boxes[:, :2] > boxes[:, 2:]).any() or (np.diff(scores) > 0).any():
            raise ValueError("boxes turned over, or out of order")
        if card is not None and ((labels < 0) | (labels >= card.classes)).any():
            raise ValueError("a label that the model has not")
        check_place(result.geometry, self.pixels, card)

    def run(self, bench: Bench, progress: Progress) -> Detection:
        """Return them."""
        start = time.perf_counter()
        model = bench.model
        view, geometry = model.preprocessing.view(self.pixels)
        found = model.candidates(view[None])[0]
        return Detection(
            boxes=found.boxes,
            labels=found.labels,
            scores=found.scores,
            geometry=geometry,
            seconds=time.perf_counter() - start,
            findings=seen_of(geometry, view),
        )
