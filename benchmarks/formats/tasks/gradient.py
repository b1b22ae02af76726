"""A gradient by a view."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from xai_core.card import Card
from xai_core.model import Differentiates, lacks
from xai_core.result import Result
from xai_core.target import ClassTarget
from xai_core.task import Bench, Progress, Shape, Task, task


@task
class Gradient(Task):
    """Gives the gradient of class 1's logit less class 0's; none where a model gives none."""

    views: NDArray[np.float32]

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the view's shape."""
        return {"arrays.gradient": Shape("<f4", (1, "h", "w", 3))}

    def run(self, bench: Bench, progress: Progress) -> Result:
        """Return it."""
        if lacks(bench.model, Differentiates):
            return Result()
        target = ClassTarget(1, against=0)
        return Result(arrays={"gradient": bench.model.gradients(self.views, target)})
