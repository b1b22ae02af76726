"""A layer's maps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from xai_core.card import Card
from xai_core.model import ShowsLayers, lacks
from xai_core.result import Result
from xai_core.task import Bench, Progress, Shape, Task, task


@task
class Maps(Task):
    """Gives the maps of the last layer that has any; none where a model shows none."""

    views: NDArray[np.float32]

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the maps' shape."""
        return {"arrays.maps": Shape("<f4", (1, "", "", ""), most=1 << 24)}

    def run(self, bench: Bench, progress: Progress) -> Result:
        """Return them."""
        rows = () if lacks(bench.model, ShowsLayers) else bench.model.layers()
        if not rows:
            return Result()
        return Result(arrays={"maps": bench.model.activations(self.views, rows[-1].name)})
