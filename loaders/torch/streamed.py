"""Streams of one thread for what stays in torch, where a network can run twice at once.

One that keeps something of a photo in itself, to read it again further on, would read another's.
"""

from __future__ import annotations

import contextlib
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from loaders.backend import threads
from loaders.streams import Streams, streams

DEEP = 3
"""How far into lists within lists it is looked for what a pass left."""


def streamed(module: nn.Module, once: Callable[[], object]) -> Streams | None:
    """Return the streams for a network, or None where it is to run alone or has one thread.

    `once` lets it run on something.
    """
    count = threads()
    if count == 1 or keeps(module, once):
        return None
    before = torch.get_num_threads()
    made = streams(count, _single)
    torch.set_num_threads(before)  # the last that was said is what later threads begin with
    return made


def _single() -> None:
    torch.get_num_threads()  # the first time, it takes what was said last in any thread
    torch.set_num_threads(1)  # of this thread alone


def keeps(module: nn.Module, once: Callable[[], object]) -> bool:
    """Say whether a pass writes into the network, or might without its being seen."""
    parts = list(module.modules())
    for part in parts:
        if part._forward_hooks or part._forward_pre_hooks:
            return True  # they are code of any kind
        if isinstance(part, torch.jit.ScriptModule) and "prim::SetAttr" in _graph(part):
            return True
    held: list[Any] = []

    def seen() -> Any:
        tensors = [each._version for each in (*module.buffers(), *module.parameters())]
        return tensors, [_marks(vars(part), held) for part in parts]

    before = seen()
    with _writes() as found:
        once()
    return bool(found) or before != seen()


def _graph(part: torch.jit.ScriptModule) -> str:
    return str(part.inlined_graph) if hasattr(part, "forward") else ""


@contextlib.contextmanager
def _writes() -> Iterator[list[str]]:
    """Note the names of what is set or deleted in any module."""
    found: list[str] = []
    own = nn.Module.__setattr__, nn.Module.__delattr__

    def put(self: nn.Module, name: str, value: Any) -> None:
        found.append(name)
        own[0](self, name, value)

    def drop(self: nn.Module, name: str) -> None:
        found.append(name)
        own[1](self, name)

    nn.Module.__setattr__, nn.Module.__delattr__ = put, drop
    try:
        yield found
    finally:
        nn.Module.__setattr__, nn.Module.__delattr__ = own


def _marks(value: Any, held: list[Any], deep: int = DEEP) -> Any:
    """Return what is the same as long as nothing was written into a value.

    `held` keeps what it goes by, so that nothing else comes to stand at the same place.
    """
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return repr(value)
    held.append(value)
    if isinstance(value, torch.Tensor):
        return id(value), None if value.is_inference() else value._version
    if isinstance(value, np.ndarray):
        return id(value), zlib.crc32(np.ascontiguousarray(value).view(np.uint8).data)
    if isinstance(value, nn.Module) or not deep:
        return id(value)
    inside = value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
    pairs = [each for pair in inside.items() for each in pair]
    if isinstance(value, list | tuple | set | frozenset | deque):
        pairs += value
    return id(value), [_marks(each, held, deep - 1) for each in pairs]
