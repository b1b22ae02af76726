"""The classes that a pickled module may be made of: torch's and torchvision's own layers."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

_PACKAGES = ("torch.nn.modules", "torchvision.models", "torchvision.ops")


@functools.cache
def allowed() -> tuple[Any, ...]:
    """Return the classes that a pickled module may be made of.

    Layers of torch.nn and torchvision, and `functools.partial`, which holds the layer class that
    a vision transformer builds. Never torch.fx's GraphModule: reading one runs its source.
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
    return tuple(found)


def _submodules(root: Any, package: str) -> Iterator[str]:
    for module in pkgutil.iter_modules(root.__path__):
        yield f"{package}.{module.name}"
