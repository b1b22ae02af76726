"""pytorch-grad-cam behind our contract. It scales each map to 0..1, which `SCALE` says."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.explanation import Scale
from xai_core.target import Target

Array = NDArray[np.float32]
SCALE: Scale = "its own 0..1"


def why_not(model: Any) -> str | None:
    """Say why the library cannot serve the model."""
    if model.framework != "torch":
        return "The grad-cam library reads PyTorch models only; this is a TensorFlow model."
    if getattr(model, "scripted", False):
        return "The grad-cam library reads layers by hooks, and TorchScript runs none."
    return None


def grad_cam(model: Any, image: Array, target: Target, layer: str) -> Array:
    """Return the library's Grad-CAM of one view, float32 `[h, w]` in 0..1."""
    import torch
    from pytorch_grad_cam import GradCAM

    weights = torch.from_numpy(target.weights(len(model.labels)))

    def score(output: torch.Tensor) -> torch.Tensor:
        if target.of == "probability":
            output = output.softmax(-1) if model.head.exclusive else output.sigmoid()
        return output @ weights

    module = model.native()
    view = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
    view.requires_grad_()  # the parameters are frozen, so a gradient has to start at the view
    cam = GradCAM(
        model=module,
        target_layers=[model.native_layer(layer)],
        reshape_transform=model.reshape_transform(layer),
    )
    try:
        maps = cam(input_tensor=view, targets=[score])
    finally:
        cam.activations_and_grads.release()
    return np.asarray(maps[0], np.float32)
