"""A fake detector that is left in a worker: it finds what is bright."""

from typing import Any

import numpy as np

from loaders.preprocessing import preset
from xai_core.model import Detections, Detects, MasksFast
from xai_core.perturb import stream
from xai_core.result import Result
from xai_core.task import Task, task

SIDE = 32


class Bright:
    """Finds one box in each half of a view, as sure as the half is bright."""

    name, framework, kind, labels = "bright", "numpy", "detector", ("dark", "light")
    input_size = (SIDE, SIDE)
    head = None

    def __init__(self) -> None:
        self.preprocessing = preset("unit", (SIDE, SIDE))

    def detect(self, images: Any) -> tuple[Detections, ...]:
        half = SIDE // 2
        boxes = np.array([[0, 0, SIDE, half], [0, half, SIDE, SIDE]], np.float32)
        found = []
        for view in images:
            bright = np.array([view[:, :half].mean(), view[:, half:].mean()], np.float32)
            order = np.argsort(-bright)
            labels = (bright[order] > 0.5).astype(np.int32)
            found.append(Detections(boxes=boxes[order], labels=labels, scores=bright[order]))
        return tuple(found)

    def candidates(self, images: Any) -> tuple[Detections, ...]:
        return self.detect(images)

    def masked_scores(
        self, image: Any, masks: Any, baseline: Any, targets: Any, batch: int = 0
    ) -> Any:
        for part, found in stream(self.detect, image, masks, baseline, batch or 64):
            yield part, np.stack([each.score(found, None) for each in targets], 1)

    def lacks(self, need: type) -> str | None:
        if need in (Detects, MasksFast):
            return None
        return f"This needs what a detector has not ({need.__name__})."


@task
class OpenDetector(Task):
    """Leaves the detector in the worker."""

    def run(self, bench: Any, progress: Any) -> Result:
        bench.model = Bright()
        return Result()
