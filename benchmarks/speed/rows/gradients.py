"""Slopes of long runs, through the network as it is and with its batch normalisations folded."""

from __future__ import annotations

import numpy as np

from benchmarks.speed import networks
from benchmarks.speed.row import Case, Size, row


@row(what="slopes of 8 photos, MobileNetV2 in PyTorch, over the network as it is",
     goal="", memory=False)  # fmt: skip
def gradients_torch(size: Size) -> Case:
    """Count over the run without the fold."""
    from xai_core.target import ClassTarget

    plain, folded = (networks.torch_model("mobilenet_v2") for _ in range(2))
    folded.expects(50)
    views = np.random.default_rng(0).random((8, 224, 224, 3), np.float32)
    target = ClassTarget(0)
    return Case(
        sides={
            "ours": lambda: folded.gradients(views, target),
            "as it is": lambda: plain.gradients(views, target),
        },
        over="as it is",
    )
