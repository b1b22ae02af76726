"""A network of torch into one of OpenVINO: traced once, where a trace is all that it does."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from loaders.backend import Refused
from loaders.torch import notes
from loaders.torch.wrapped import Wrapped

_READ = ("aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::is_nonzero")
"""Operations by which a network's own code reads what a tensor holds, and may go by it."""
_UNSEEN = ("NumPy array", "Python list", "torch.tensor results are registered as constants")
"""Of what torch warns while it traces: that something was kept as it was for this one photo."""


class _Reads(TorchDispatchMode):  # type: ignore[misc]
    """Notes whether a pass reads a tensor's values."""

    found = ""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = str(getattr(function, "_schema", "")).split("(", 1)[0].split(".", 1)[0]
        if name in _READ:
            self.found = name.removeprefix("aten::")
        return function(*args, **(kwargs or {}))


class _Views(nn.Module):  # type: ignore[misc]
    """The network for views with channels last."""

    def __init__(self, module: Wrapped) -> None:
        super().__init__()
        self.module = module

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        return self.module(views.permute(0, 3, 1, 2))


def why_not(module: Wrapped, random: str) -> str:
    """Say, as a clause, why a network is not to be converted at all, or nothing."""
    if random:
        return "its answers are not the same each time"
    if module.reading.batch:
        return "it takes one number of photos only"
    if module.reading.dtype != torch.float32:
        return "it computes in another precision"
    if module.within is not contextlib.nullcontext:
        return "it runs under a rule of its own"
    return ""


def converted(module: Wrapped, size: tuple[int, int]) -> Any:
    """Return the model of OpenVINO from views `[n, h, w, 3]`. Raises Refused, and anything else."""
    return traced(_Views(module).eval(), size)


def traced(network: nn.Module, size: tuple[int, int]) -> Any:
    """Return the same of a module that takes such views by itself."""
    import openvino

    photos = np.random.default_rng(0).random((2, *size, 3), np.float32)
    views = torch.from_numpy(photos)
    with torch.no_grad():
        with _Reads() as reads:
            network(views)
        if reads.found:
            raise Refused("its code goes by what is in a photo")
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            with notes.untouched(network):
                made = torch.jit.trace(network, (views,), check_trace=False)
        if any(part in str(each.message) for each in said for part in _UNSEEN):
            raise Refused("its code goes by what is in a photo")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape = openvino.PartialShape([-1, *size, 3])
            return openvino.convert_model(made, input=[shape])
