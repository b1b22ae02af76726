"""What a network's code keeps for itself from one pass to the next: last maps, tables, counters.

It lies in the attributes of its modules, beside weights and submodules.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

_TABLES = ("_parameters", "_modules")
_CONSTANT = "_tensor_constant"


def _holders(body: nn.Module) -> Iterator[Any]:
    """Yield the dicts and lists in which a network can keep something."""
    known: set[int] = set()
    waiting: list[Any] = [part.__dict__ for part in body.modules()]
    while waiting:
        holder = waiting.pop()
        if id(holder) in known:
            continue
        known.add(id(holder))
        yield holder
        rows = holder.items() if isinstance(holder, dict) else enumerate(holder)
        waiting += [
            value for key, value in rows if isinstance(value, (dict, list)) and key not in _TABLES
        ]


def thawed(body: nn.Module) -> bool:
    """Replace tensors that were kept in inference mode, and say whether there were any.

    Others serve no slopes and may not be written into.
    """
    found = False

    def usable(value: Any) -> Any:
        nonlocal found
        if isinstance(value, torch.Tensor) and value.is_inference():
            found = True
            return value.clone()
        if type(value) is tuple:
            made = tuple(map(usable, value))
            return made if any(a is not b for a, b in zip(made, value, strict=True)) else value
        return value

    with torch.inference_mode(mode=False), torch.no_grad():
        for holder in _holders(body):
            rows = list(holder.items() if isinstance(holder, dict) else enumerate(holder))
            for key, value in rows:
                made = usable(value)
                if made is not value:
                    holder[key] = made
    return found


@contextlib.contextmanager
def untouched(body: nn.Module) -> Iterator[None]:
    """Put everything back afterwards, so that a trace leaves none of its symbols behind.

    The constants that `torch.fx` puts into a network, and reads there, stay.
    """
    before = [(holder, holder.copy()) for holder in _holders(body)]
    try:
        yield
    finally:
        for holder, own in before:
            if isinstance(holder, list):
                holder[:] = own
                continue
            for key in holder.keys() - own.keys():
                if not str(key).startswith(_CONSTANT):
                    del holder[key]
            holder.update(own)


def joined(body: nn.Module) -> dict[int, Any]:
    """Return, by their ids, tensors that are bound to a pass, each without it: copies need them."""
    bound = (
        value
        for holder in _holders(body)
        for value in (holder.values() if isinstance(holder, dict) else holder)
        if isinstance(value, torch.Tensor) and not value.is_leaf
    )
    return {id(value): value.detach() for value in bound}
