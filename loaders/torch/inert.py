"""Checkpoints with more than weights: settings and records of classes that are not here.

Training libraries keep theirs beside the weights (Lightning's hyper-parameters, an argparse
namespace, a metric as a NumPy number). The strict reader refuses the whole file for one of them.
Here each becomes an object of ours that does nothing, so the weights can be read and no code of
the file's is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loaders.torch.allowed import allowed

_PLAIN = ("numpy", "_codecs", "collections", "datetime", "pathlib")
"""Libraries whose functions a pickle calls to make numbers, dates and paths."""


class Inert:
    """Stands for an object whose class is not here: takes what a pickle gives, and does nothing."""

    def __init__(self, *args: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        """Take no state."""


class InertMapping:
    """The same for one that may be a mapping, whose entries the reader puts into its own alone."""

    def __new__(cls, *args: object) -> Any:
        """Return a mapping that is not of this class."""
        return OrderedDict()


COMPILED = "torch._dynamo.eval_frame.OptimizedModule"
"""What torch.compile makes of a network; the network inside it is whole."""

_COMPILER = ("torch._dynamo.", "torch._inductor.", "torch._TorchCompile", "contextlib.", "builtins")


def read_compiled(path: Path, names: Sequence[str]) -> Any:
    """Return what a checkpoint holds with torch.compile's own objects inert, its network whole.

    Raises what `torch.load` does, and UnpicklingError for a network of classes that are not here.
    """
    import torch

    def keep(self: Any, inner: Any = None, *args: object) -> None:
        torch.nn.Module.__init__(self)
        if isinstance(inner, torch.nn.Module):
            self._orig_mod = inner

    shell = type("OptimizedModule", (torch.nn.Module,), {"__init__": keep})
    stand_ins: list[Any] = [(shell, COMPILED)]
    for name in names:
        if name.startswith(_COMPILER) and name != COMPILED:
            stand_ins.append((type("StandIn", (Inert,), {}), name))
    with torch.serialization.safe_globals([*allowed(), *stand_ins]):
        return torch.load(path, map_location="cpu", weights_only=True)


def is_record(name: str) -> bool:
    """Tell from a full name whether a pickle may ask for it to keep a record, and not to act."""
    root, last = name.split(".")[0], name.rpartition(".")[2]
    return root in _PLAIN or last.lstrip("_")[:1].isupper()


def read(path: Path, names: Sequence[str]) -> Mapping[str, Any] | None:
    """Return a zip checkpoint's entries with every object of `names` inert; None for no mapping.

    Raises what `torch.load` does for a damaged file, and UnpicklingError for an object that even
    so cannot be made.
    """
    import torch

    stand_ins = [
        (type("StandIn", (Inert if name.startswith("numpy.") else InertMapping,), {}), name)
        for name in names
    ]
    with torch.serialization.safe_globals([*allowed(), *stand_ins]):
        content = torch.load(path, map_location="cpu", weights_only=True)
    return content if type(content) is dict else None
