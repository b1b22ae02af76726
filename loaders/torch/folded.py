"""A copy of a network whose batch normalisations are folded into the convolutions before them."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from loaders.backend import Cut, Refused, probes
from loaders.torch.streamed import streamed
from loaders.torch.wrapped import Wrapped

Array = NDArray[np.float32]
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def folded(module: Wrapped) -> Wrapped:
    """Return the copy. Raises Refused where nothing can be folded.

    The network is followed by `torch.fx`, which stops where its code goes by what a tensor holds;
    what can be seen of a difference is left to whoever takes the copy.
    """
    from torch.fx.experimental.optimization import fuse

    if not any(isinstance(part, _NORMS) for part in module.body.modules()):
        raise Refused("it has no batch normalisation to fold")
    before = _norms(module.body)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            body = fuse(module.body)
        except Exception as error:  # what a stranger's forward raises on a symbol
            raise Refused(f"torch.fx cannot follow it ({type(error).__name__})") from error
    if _norms(body) >= before:
        raise Refused("none of its batch normalisations follows a convolution")
    made = copy.copy(module)
    # the copy's submodules are its own: a module keeps them in a table
    made._modules = {**module._modules, "body": body}
    for parameter in body.parameters():
        parameter.requires_grad_(False)
    made.eval()
    return made


class Folded(Cut):
    """Such a copy as a way to run a network."""

    def __init__(self, module: Wrapped, still: Any, size: tuple[int, int]) -> None:
        made = folded(module)

        def scores(views: Array) -> Array:
            given = np.ascontiguousarray(views, np.float32)
            with still():
                found: Array = made(torch.from_numpy(given).permute(0, 3, 1, 2)).numpy()
            return found

        streams = streamed(made, lambda: scores(probes(size)[:1]))
        super().__init__(scores, "PyTorch with its batch normalisations folded", streams)


def _norms(body: Any) -> int:
    return sum(isinstance(part, _NORMS) for part in body.modules())
