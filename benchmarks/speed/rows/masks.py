"""What masks cost by themselves: occlusion of a model that costs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed import networks
from benchmarks.speed.row import Case, Size, row
from xai_core import perturb
from xai_core.model import Head
from xai_core.target import ClassTarget, Target

Array = NDArray[np.float32]


class Free:
    """Gives each view the red of its first pixel."""

    name, framework, labels = "free", "none", ("a", "b")
    head = Head("logits")

    def __init__(self, side: int) -> None:
        self.input_size = (side, side)

    def logits(self, images: Array) -> Array:
        """Return float32 `[N, 2]`."""
        return np.repeat(images[:, 0, 0, :1], 2, 1)

    def masked_scores(
        self,
        image: Array,
        masks: Any,
        baseline: Array,
        targets: Sequence[Target],
        batch: int = 0,
    ) -> Iterator[tuple[slice, Array]]:
        """Yield the scores as the adapters do."""

        def scores(views: Array) -> Array:
            logits = self.logits(views)
            return np.stack([target.score(logits, self.head) for target in targets], 1)

        many = batch or perturb.at_once(self.input_size, networks.BATCH)
        yield from perturb.stream(scores, image, masks, baseline, many)


@row(what="occlusion 299 px 12/4, a model that costs nothing", goal="1.5 s, 60 MB",
     before="Xplique 28.6 s, 863 MB")  # fmt: skip
def masks_occlusion(size: Size) -> Case:
    """Count seconds."""
    from xai_core.explainer import make

    side = 299
    given = {"patch_height": 12, "patch_width": 12, "stride_height": 4, "stride_width": 4}
    model, view = Free(side), networks.view(side)
    made = make("occlusion", given, size=model.input_size)
    return Case(sides={"ours": lambda: made.explain(model, view, ClassTarget(0))})
