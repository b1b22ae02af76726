"""A TorchScript of a detector: how it takes a photo, and what it says of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders import boxed
from loaders.boxed import BoxedDetector, Export
from loaders.decoders import Answers
from loaders.options import Options
from loaders.torch import outputs
from xai_core.errors import UnsupportedModel

Array = NDArray[np.float32]
SIDE = 800
"""Pixels of a side where nothing says it: torchvision's own."""


def script(module: Any, options: Options, *, name: str, kind: str) -> BoxedDetector | None:
    """Return the detector that a TorchScript module is, or None where it is no known one.

    Raises UnsupportedModel for a detector whose answers are not read.
    """
    size, fit = _size(module)
    size = options.size or size
    for take in _ways(module):
        run = _Run(module, take)
        try:
            (answers,) = run(np.full((1, *size, 3), 0.5, np.float32))
        except UnsupportedModel:
            continue
        if not answers:
            continue
        tensors = dict(module.named_parameters()) | dict(module.named_buffers())
        export = Export(
            run=run,
            framework="torch",
            kind=kind,
            shapes={key: tuple(tensor.shape) for key, tensor in tensors.items()},
            parameters=sum(each.numel() for each in module.parameters()),
            size=size,
            fit=fit,
            architecture=str(getattr(module, "original_name", "")),
        )
        return boxed.opened(export, options, name)
    return None


def _size(module: Any) -> tuple[tuple[int, int], str]:
    """Return the size and the fit of photos, as torchvision's transform in the network says."""
    transform = getattr(module, "transform", None)
    fixed = getattr(transform, "fixed_size", None)
    if isinstance(fixed, (tuple, list)) and len(fixed) == 2:
        return (int(fixed[1]), int(fixed[0])), "stretch"
    least = getattr(transform, "min_size", None)
    sides = [int(each) for each in least] if isinstance(least, (tuple, list)) else []
    side = sides[-1] if sides and 32 <= sides[-1] <= 2 * SIDE else SIDE
    return (side, side), "pad"


def _ways(module: Any) -> list[str]:
    """Return how photos may go in: a list of them where the module says so, else a tensor."""
    try:
        _, photos, *_ = module.forward.schema.arguments
        listed = str(photos.type).replace(" ", "") in ("List[Tensor]", "Tensor[]")
    except (AttributeError, ValueError, RuntimeError):
        listed = False
    return ["list"] if listed else ["batch", "photo"]


class _Run:
    """Runs a module on views, one after the other."""

    def __init__(self, module: Any, take: str) -> None:
        self.module, self.take = module, take

    def __call__(self, views: Array) -> Iterator[Answers]:
        """Yield the arrays of each view's answer. Raises UnsupportedModel where it fails."""
        import torch

        for view in views:
            photo = torch.from_numpy(np.ascontiguousarray(view.transpose(2, 0, 1)))
            given = {"list": [photo], "batch": photo[None], "photo": photo}[self.take]
            try:
                with torch.inference_mode(), warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # a script says that it gives losses, too
                    said = self.module(given)
            except Exception as error:  # the file's own code, which may raise anything
                why = " ".join(str(error).split())[-160:]
                raise UnsupportedModel(f"The detector fails on this photo: {why}") from error
            yield {
                ".".join(path): tensor.detach().numpy() for path, tensor in outputs.tensors(said)
            }
