"""What the PyTorch cases share: photos, networks out of a source, saved checkpoints."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision import models

from benchmarks.assumptions.case import Truth, softmax, view
from loaders.options import Options

CODE = """from torch import nn
from torch.nn import functional as F
import torch


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.maps = nn.Conv2d(3, 8, 7, 4)
        self.out = nn.Linear(8, {units})

    def forward(self, photos):
        code = self.maps(photos).relu().mean((2, 3))
        scores = self.out(code)
        return {end}
"""

UNIT: dict[str, Any] = {"preprocessing": "unit", "fit": "stretch"}
IMAGENET: dict[str, Any] = {"preprocessing": "imagenet", "fit": "stretch"}
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


def photos(size: Any, *, grey: bool = False, imagenet: bool = False) -> torch.Tensor:
    """Return the photo as a batch of one, float32 `[1, c, h, w]`."""
    pixels = view(size, grey=grey)
    if imagenet:
        pixels = (pixels - MEAN) / STD
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32))


def scores(network: Any, batch: torch.Tensor) -> Any:
    """Return the network's answer to a batch of one."""
    with torch.no_grad():
        return network(batch)


def of_source(folder: Path, text: str) -> Any:
    """Return the class `Net` of a source, which is written to net.py beside the file."""
    (folder / "net.py").write_text(text)
    spec = importlib.util.spec_from_file_location("written_net", folder / "net.py")
    if spec is None or spec.loader is None:
        raise ImportError("the source")
    module = importlib.util.module_from_spec(spec)
    sys.modules["written_net"] = module
    spec.loader.exec_module(module)
    return module.Net


def sourced(folder: Path, text: str, seed: int = 0, gain: float = 6) -> tuple[Any, dict[str, Any]]:
    """Return a seeded network of a source in eval mode, and the options that bring the source."""
    torch.manual_seed(seed)
    network = of_source(folder, text)().eval()
    last = [part for part in network.modules() if isinstance(part, nn.Linear)][-1]
    last.weight.data *= gain
    return network, {"source": text}


def small(classes: int = 3, seed: int = 0) -> Any:
    """Return a small torchvision classifier whose answers differ from even."""
    torch.manual_seed(seed)
    network = models.shufflenet_v2_x0_5(weights=None, num_classes=classes).eval()
    network.fc.weight.data *= 30
    return network


def saved(
    folder: Path, content: Any, network: Any, *, labels: tuple[str, ...] = (), **more: Any
) -> Truth:
    """Save a checkpoint of a `small` network, whose answers are the truth."""
    path = folder / "model.pth"
    torch.save(content, path)
    answer = softmax(scores(network, photos(224, imagenet=True))[0])
    return Truth(path, Options(**IMAGENET, **more), answer, labels)
