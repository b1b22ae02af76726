"""The adapter of torchvision's object detectors: views in, boxes out.

A detector prepares photos by itself, and so it does here, but for their size: the view is what it
sees, pixel for pixel, so that boxes and maps lie in the view.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from loaders.preprocessing import Preprocessing
from xai_core import perturb
from xai_core.card import Kind
from xai_core.errors import LoadError, ParamError
from xai_core.model import Detections, Finding, Head, missing
from xai_core.perturb import MaskSource
from xai_core.target import Target

Array = NDArray[np.float32]
BATCH = 2
"""Views in one pass: a detector's maps are large."""

FAINT = 0.02
"""From which score on a box counts at all where candidates are asked for."""

MOST = 300
"""The most candidates of a view, the highest scores first."""


class TorchDetector:
    """A torchvision detector: Detects, and masked scores of what it found.

    `labels` go without the background: a label of 0 is the network's class 1. Raises LoadError
    where the network does not run on a view of its size.
    """

    framework = "torch"
    task: Kind = "detection"
    head = Head("sigmoid", exclusive=False)
    """Scores of boxes are probabilities already."""

    def __init__(
        self,
        module: nn.Module,
        *,
        name: str,
        kind: str,
        architecture: str,
        preprocessing: Preprocessing,
        labels: tuple[str, ...],
        findings: Sequence[Finding] = (),
    ) -> None:
        module.eval()
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        self.name, self.kind, self.architecture = name, kind, architecture
        self.preprocessing, self.labels = preprocessing, labels
        self.input_size = preprocessing.size
        self.channels = 3
        self.parameters = sum(p.numel() for p in module.parameters())
        self.findings = tuple(findings)
        self._module = module
        # What has the thresholds: the second stage where there is one, else the network.
        self._judge = getattr(module, "roi_heads", module)
        # The view is taken as it is.
        height, width = self.input_size
        if getattr(module.transform, "fixed_size", None) is None:
            module.transform.min_size = (min(height, width),)
            module.transform.max_size = max(height, width)
        else:
            module.transform.fixed_size = (width, height)
        try:
            self.detect(np.full((1, height, width, 3), 0.5, np.float32))
        except (RuntimeError, ValueError, AssertionError, IndexError) as error:
            said = " ".join(str(error).split())[:200]
            raise LoadError(
                f"The detector does not run on photos of {width} x {height} pixels: {said}"
            ) from error

    def lacks(self, need: type) -> str | None:
        """Say why it does not give what a capability is, or None where it does."""
        return missing(self, need)

    def detect(self, images: Array) -> tuple[Detections, ...]:
        """Return what is found on each view `[N, h, w, 3]`, by the network's own thresholds."""
        found: list[Detections] = []
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                part = np.array(images[start : start + BATCH], np.float32).transpose(0, 3, 1, 2)
                said = self._module(list(torch.from_numpy(np.ascontiguousarray(part))))
                found += [_detections(each) for each in said]
        return tuple(found)

    def candidates(self, images: Array) -> tuple[Detections, ...]:
        """Return the boxes of each view before any of them is dropped for another one's sake.

        Those from a score of 0.02 on, and 300 at the most.
        """
        with self._judging(score_thresh=FAINT, nms_thresh=1.0, detections_per_img=MOST):
            return self.detect(images)

    def masked_scores(
        self,
        image: Array,
        masks: MaskSource,
        baseline: Array,
        targets: Sequence[Target],
        batch: int = 0,
    ) -> Iterator[tuple[slice, Array]]:
        """Yield `(slice of masks, scores [b, targets])` for targets that read objects."""
        for target in targets:
            target.check(self)
            if target.reads != "objects":
                raise ParamError(f"This model finds objects; the target reads {target.reads}")

        def scores(views: Array) -> Array:
            with self._judging(score_thresh=FAINT):
                found = self.detect(views)
            return np.stack([target.score(found, self.head) for target in targets], 1)

        yield from perturb.stream(scores, image, masks, baseline, batch or BATCH)

    @contextlib.contextmanager
    def _judging(self, **values: float) -> Iterator[None]:
        """Let the network judge by other thresholds while this is open."""
        own = {name: getattr(self._judge, name) for name in values}
        try:
            vars(self._judge).update(values)
            yield
        finally:
            vars(self._judge).update(own)


def _detections(said: dict[str, torch.Tensor]) -> Detections:
    boxes = said["boxes"].numpy().astype(np.float32).reshape(-1, 4)[:, [1, 0, 3, 2]]
    scores = said["scores"].numpy().astype(np.float32)
    labels = said["labels"].numpy().astype(np.int32) - 1
    good = np.isfinite(boxes).all(1) & np.isfinite(scores) & (labels >= 0)
    order = np.argsort(-scores[good], kind="stable")
    return Detections(boxes[good][order], labels[good][order], scores[good][order])
