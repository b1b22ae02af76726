"""The classes that a pickled module may be made of: torch's and torchvision's own layers."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

_PACKAGES = ("torch.nn.modules", "torchvision.models", "torchvision.ops")
_TRANSFORMS = ("Normalize", "Resize", "CenterCrop", "Grayscale", "ConvertImageDtype")
_WRAPPERS = (
    ("torch.nn.parallel.data_parallel", "DataParallel"),
    ("torch.optim.swa_utils", "AveragedModel"),
    ("torch.nn.utils.weight_norm", "WeightNorm"),
    ("torch.nn.utils.spectral_norm", "SpectralNorm"),
)
_PRUNING = ("torch.nn.utils.prune", "BasePruningMethod")


@functools.cache
def allowed() -> tuple[Any, ...]:
    """Return the classes that a pickled module may be made of.

    Layers of torch.nn and torchvision, its transforms that a network may begin with, wrappers of a
    network or a weight, the ways of pruning, and `functools.partial`, which holds the layer class
    that a vision transformer builds. Never torch.fx's GraphModule: reading one runs its source.
    """
    from torch import nn

    found: set[Any] = {functools.partial}
    for package in _PACKAGES:
        root = importlib.import_module(package)
        for name in (package, *_submodules(root, package)):
            for item in vars(importlib.import_module(name)).values():
                own = inspect.isclass(item) and item.__module__.startswith(package)
                if own and issubclass(item, nn.Module):
                    found.add(item)
    found |= {getattr(importlib.import_module(module), name) for module, name in _WRAPPERS}
    transforms = importlib.import_module("torchvision.transforms.transforms")
    found |= {getattr(transforms, name) for name in _TRANSFORMS}
    found.add(transforms.InterpolationMode)
    pruning = importlib.import_module(_PRUNING[0])
    kinds = [item for item in vars(pruning).values() if inspect.isclass(item)]
    found |= {kind for kind in kinds if issubclass(kind, getattr(pruning, _PRUNING[1]))}
    return tuple(found)


def _submodules(root: Any, package: str) -> Iterator[str]:
    for module in pkgutil.iter_modules(root.__path__):
        yield f"{package}.{module.name}"
