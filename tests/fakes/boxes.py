"""A small detector of random weights that finds boxes, as the built-in one is built."""

from typing import Any

import numpy as np

from loaders.preprocessing import preset
from xai_core.target import BoxTarget

SIDE = 64
LABELS = ("one", "two", "three")


def detector(side: int = SIDE, seed: int = 0) -> Any:
    """Return a TorchDetector whose class biases give boxes."""
    import torch

    from loaders import vitrine_detector
    from loaders.torch.detector import TorchDetector

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = vitrine_detector.build(len(LABELS) + 1)
        module.rpn._post_nms_top_n["testing"] = 20  # few places, for quick tests
        with torch.no_grad():
            for name, tensor in module.named_parameters():
                if "cls_score.bias" in name:
                    tensor += torch.tensor([-0.5, 0.6, 0.4, 0.2])
                elif "box_predictor" in name and tensor.ndim > 1:
                    tensor *= 4 if "cls_score" in name else 1
    return TorchDetector(
        module,
        name="boxes",
        kind="test",
        architecture="vitrine_detector",
        preprocessing=preset("unit", (side, side), fit="pad"),
        labels=LABELS,
    )


def view(seed: int = 1, side: int = SIDE) -> Any:
    """Return a smooth view, float32 `[side, side, 3]`."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((8, 8, 3), np.float32)
    return np.kron(coarse, np.ones((side // 8, side // 8, 1), np.float32))


def target(model: Any, image: Any, place: int = 0, **more: Any) -> BoxTarget:
    """Return what is asked of one of the larger boxes that it weighs."""
    (found,) = model.candidates(image[None])
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    large = np.flatnonzero((sides > 6).all(1))
    at = int(large[place])
    return BoxTarget(tuple(float(side) for side in found.boxes[at]), int(found.labels[at]), **more)
