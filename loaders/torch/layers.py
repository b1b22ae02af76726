"""The layers of a PyTorch module: its submodules, watched by hooks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from loaders.torch import replay
from loaders.torch.replay import Kept, See
from xai_core.errors import UnsupportedModel


class Modules:
    """The submodules of `body`. One that runs more than once is known by its last output."""

    def __init__(self, body: nn.Module, *, written: bool = False) -> None:
        self._written = written
        self._still: list[Any] = []
        for part in body.modules():
            if getattr(part, "inplace", False) and not written:
                part.inplace = False  # what a hook has seen must not be written over afterwards
                self._still.append(part)
        self.body = body
        self._calls: dict[str, int] = {}

    def written(self) -> bool:
        """Let submodules write in place again, and say whether there are any that did.

        A network may read what they wrote over, and answers otherwise where they do not.
        """
        for part in self._still:
            part.inplace = True
        self._written, still = True, self._still
        self._still = []
        return bool(still)

    def kind(self, name: str) -> str:
        """Return the class of a submodule."""
        return type(self.body.get_submodule(name)).__name__

    @contextlib.contextmanager
    def recorded(self) -> Iterator[dict[str, torch.Tensor]]:
        """Fill a dict with the submodules' outputs in a pass, in the order of execution."""
        names = {module: name for name, module in self.body.named_modules() if name}
        outputs: dict[str, torch.Tensor] = {}
        self._calls = {}

        def hook(module: nn.Module, args: object, output: object) -> None:
            name = names[module]
            self._calls[name] = self._calls.get(name, 0) + 1
            if isinstance(output, torch.Tensor):
                outputs.pop(name, None)
                outputs[name] = output

        handles = [module.register_forward_hook(hook) for module in names]
        try:
            yield outputs
        finally:
            for handle in handles:
                handle.remove()

    @contextlib.contextmanager
    def at(self, name: str, see: See, *, needed: bool = True) -> Iterator[None]:
        """Show `see` a submodule's last output in a pass; what it returns takes its place.

        Raises UnsupportedModel where a whole pass does not come to it and it is `needed`.
        """
        calls = 0

        def hook(module: nn.Module, args: object, output: torch.Tensor) -> torch.Tensor | None:
            nonlocal calls
            calls += 1
            return see(output) if calls == self._calls[name] else None

        handle = self.body.get_submodule(name).register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()
        if needed and calls < self._calls[name]:
            raise UnsupportedModel(
                f"The network did not run its layer {name} on this photo as it did when it was "
                "opened: its code goes by what it sees. Choose another layer."
            )

    def front(self, name: str, run: Callable[[], object], *, copied: bool = False) -> Kept:
        """Run a pass up to a submodule's last output, and return what it left."""
        layer = self.body.get_submodule(name)
        return replay.front(self.body, layer, self._calls[name], run, copied=copied)

    def behind(self, name: str, kept: Kept, see: See) -> contextlib.AbstractContextManager[None]:
        """Pass on what was kept, show `see` the submodule's output, and run what follows."""
        return replay.behind(self.body, self.body.get_submodule(name), kept, see)

    def of(self, body: nn.Module) -> Modules:
        """Return the same submodules of a copy of the body."""
        made = Modules(body, written=self._written)
        made._calls = self._calls
        return made


def by_itself(layer: str) -> str:
    """Say why a layer's maps of several photos are not known."""
    return (
        f"The network runs its layer {layer} on one photo after the other, so that its maps of "
        "several photos together are not known. Choose another layer."
    )
