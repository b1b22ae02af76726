"""Exports of the small detector of random weights: TorchScript and ONNX, as people make them."""

import warnings
from pathlib import Path
from typing import Any

from tests.fakes import boxes

SIDE = boxes.SIDE


def script(path: Path, seed: int = 0) -> Any:
    """Write a TorchScript of the small detector, and return the detector itself."""
    import torch

    model = boxes.detector(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(model.native()).save(path)
    return model


def traced(path: Path, seed: int = 0) -> Any:
    """Write a trace of a wrapper, `[1, 3, h, w]` in and three tensors out."""
    import torch

    model = boxes.detector(seed=seed)

    class Wrapper(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.detector = model.native()

        def forward(self, photos: torch.Tensor) -> Any:
            said = self.detector([photos[0]])[0]
            return said["boxes"], said["labels"], said["scores"]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        photo = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
        torch.jit.trace(Wrapper().eval(), photo, check_trace=False).save(path)
    return model


def graph(path: Path, seed: int = 0, *, names: bool = True) -> Any:
    """Write an ONNX graph of the small detector, with its outputs named or numbered."""
    import torch

    model = boxes.detector(seed=seed)
    more = {"output_names": ["boxes", "labels", "scores"]} if names else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.native(), ([torch.rand(3, SIDE, SIDE)],), path, dynamo=False, opset_version=17,
            **more,
        )  # fmt: skip
    return model
