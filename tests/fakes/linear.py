"""A model with closed forms: each class's score is a weighted sum of the view's values."""

from collections.abc import Iterator, Sequence

import numpy as np

from xai_core import perturb
from xai_core.model import Array, Head
from xai_core.perturb import MaskSource
from xai_core.target import Target


class LinearModel:
    """logits = sum of weights * view, weights float32 [classes, h, w, 3]; counts its passes."""

    name, framework = "linear", "numpy"
    head = Head("logits")

    def __init__(self, weights: Array) -> None:
        self.weights = weights
        self.input_size = (weights.shape[1], weights.shape[2])
        self.labels = tuple(f"class {index}" for index in range(len(weights)))
        self.passes = 0

    def logits(self, images: Array) -> Array:
        self.passes += len(images)
        return np.einsum("nhwc,khwc->nk", images, self.weights, dtype=np.float64).astype(np.float32)

    def masked_scores(
        self,
        image: Array,
        masks: MaskSource,
        baseline: Array,
        targets: Sequence[Target],
        batch: int = 0,
    ) -> Iterator[tuple[slice, Array]]:
        for part, logits in perturb.stream(self.logits, image, masks, baseline, batch or 5):
            yield part, np.stack([target.score(logits, self.head) for target in targets], 1)

    def gradients(self, images: Array, target: Target, batch: int = 0) -> Array:
        gradient = self.weights[target.index]
        if target.against is not None:
            gradient = gradient - self.weights[target.against]
        return np.broadcast_to(gradient, images.shape).astype(np.float32)
