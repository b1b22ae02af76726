"""What a pass had made when it came to a layer, and passes that take it over from there.

Modules that were done before the layer's last call are not run again: what they gave is handed on.
Whole modules are left out where they can be, so that little is kept and little is run.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree

See = Callable[[torch.Tensor], torch.Tensor | None]
_PLAIN = (torch.Tensor, bool, int, float, str, type(None))


class Ended(BaseException):
    """Ends a pass: what was looked for is known, and the rest of the network need not run.

    No Exception, so that a network's own `except` lets it through.
    """


class Astray(Exception):
    """A pass went another way than the one that was kept."""


@dataclasses.dataclass(eq=False)
class Kept:
    """What a pass had made when a layer's last output came, in order.

    `calls` holds each module with whether it was still running; `values` what the others gave;
    `output` is the layer's own, and `stale` says that something was written over afterwards.
    """

    values: list[Any]
    output: torch.Tensor
    calls: tuple[tuple[nn.Module, bool], ...] = ()
    stale: bool = False


class _Record:
    """The calls of a pass so far: those done with what they gave, those running without."""

    def __init__(self, copied: bool) -> None:
        self.copied = copied
        self.rows: list[tuple[nn.Module, bool, Any, list[tuple[torch.Tensor, int]]]] = []

    def run(self, part: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run a module; what ran inside it is forgotten where its answer says it all."""
        place = len(self.rows)
        self.rows.append((part, True, None, []))
        out = forward(*args, **kwargs)
        leaves = _pytree.tree_leaves(out)
        if all(isinstance(leaf, _PLAIN) for leaf in leaves):
            value = _pytree.tree_map_only(torch.Tensor, torch.clone, out) if self.copied else out
            seen = [(leaf, leaf._version) for leaf in leaves if isinstance(leaf, torch.Tensor)]
            self.rows[place:] = [(part, False, value, seen)]
        return out

    def kept(self, output: torch.Tensor) -> Kept:
        """Return what is known when the layer's output has come."""
        stale = any(leaf._version != then for row in self.rows for leaf, then in row[3])
        return Kept(
            [value for _, running, value, _ in self.rows if not running],
            output.clone(),
            tuple((part, running) for part, running, _, _ in self.rows),
            stale and not self.copied,
        )


def front(
    body: nn.Module, layer: nn.Module, calls: int, run: Callable[[], object], *, copied: bool
) -> Kept:
    """Run a pass up to a module's call of that number and return what it left."""
    record = _Record(copied)
    found: list[Kept] = []
    left = calls

    def hook(module: nn.Module, args: object, output: torch.Tensor) -> None:
        nonlocal left
        left -= 1
        if not left:
            found.append(record.kept(output))
            raise Ended

    handle = layer.register_forward_hook(hook)
    try:
        with contextlib.suppress(Ended), _instead(body, record.run):
            run()
    finally:
        handle.remove()
    if not found:
        raise Astray("the layer was not met")
    return found[0]


@contextlib.contextmanager
def behind(body: nn.Module, layer: nn.Module, kept: Kept, see: See) -> Iterator[None]:
    """In a pass, hand on what was kept, show `see` the layer's output, and run what follows it."""
    values, place = iter(kept.values), 0

    def run(part: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        nonlocal place
        if place == len(kept.calls):
            return forward(*args, **kwargs)
        expected, running = kept.calls[place]
        if part is not expected:
            raise Astray("another module was called")
        place += 1
        return forward(*args, **kwargs) if running else next(values)

    seen = False

    def hook(module: nn.Module, args: object, output: torch.Tensor) -> torch.Tensor | None:
        nonlocal seen
        if seen or place < len(kept.calls):
            return None
        seen = True
        return see(output)

    handle = layer.register_forward_hook(hook)
    try:
        with _instead(body, run):
            yield
        if not seen:
            raise Astray("the layer was not met")
    finally:
        handle.remove()


@contextlib.contextmanager
def _instead(body: nn.Module, run: Callable[..., Any]) -> Iterator[None]:
    """Let `run` stand before the forward of every module inside `body`."""

    def replaced(part: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: run(part, forward, args, kwargs)

    parts = [part for part in body.modules() if part is not body]
    own = {part: part.__dict__.get("forward") for part in parts}
    try:
        for part in parts:
            part.__dict__["forward"] = replaced(part, part.forward)
        yield
    finally:
        for part, before in own.items():
            if before is not None:
                part.__dict__["forward"] = before
            else:
                part.__dict__.pop("forward", None)
