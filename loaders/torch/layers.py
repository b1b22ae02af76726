"""The layers of a PyTorch module: its submodules, watched by hooks."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import torch
from torch import nn

Layout = Literal["nchw", "nhwc", "tokens"]
"""How a map lies in a layer's output: channels first, channels last, or a row a cell."""

See = Callable[[torch.Tensor], torch.Tensor | None]

_PARTITIONED = ("grid_attention", "window_attention")
"""Parts of MaxViT that see the map cut into windows, so that their outputs are no maps."""


class Modules:
    """The submodules of `body`. One that runs more than once is known by its last output."""

    def __init__(self, body: nn.Module) -> None:
        for part in body.modules():
            if getattr(part, "inplace", False):
                part.inplace = False  # what a hook has seen must not be written over afterwards
        self.body = body
        self._calls: dict[str, int] = {}

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
    def at(self, name: str, see: See) -> Iterator[None]:
        """Show `see` a submodule's last output in a pass; what it returns takes its place."""
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

    def layouts(
        self, outputs: Mapping[str, torch.Tensor], size: tuple[int, int]
    ) -> dict[str, Layout]:
        """Return how the map lies in each output that holds one."""
        last = _channels_last_names(self.body)
        found: dict[str, Layout] = {}
        for name, output in outputs.items():
            layout: Layout | None = tokens(output)
            if output.ndim == 4 and len(output) == 1:
                layout = "nhwc" if name in last else "nchw"
                sides = output.shape[1:3] if layout == "nhwc" else output.shape[2:]
                layout = layout if min(sides) > 1 else None
            if layout and not any(part in name for part in _PARTITIONED):
                found[name] = layout
        return found


def tokens(output: torch.Tensor) -> Literal["tokens"] | None:
    """Tell whether an output is a row a cell of a square map, with a class token or without."""
    if output.ndim != 3 or len(output) != 1:
        return None
    side = int(output.shape[1] ** 0.5)
    return "tokens" if side > 2 and output.shape[1] - side * side in (0, 1) else None


def _channels_last_names(body: nn.Module) -> frozenset[str]:
    """Name the modules of torchvision that put channels last: Swin's, and what a Permute opens."""
    swins: Any = ()
    permutes: Any = ()
    if "torchvision" in sys.modules:  # else nothing here is torchvision's, and it takes seconds
        from torchvision.models.swin_transformer import SwinTransformer
        from torchvision.ops import Permute

        swins, permutes = SwinTransformer, Permute
    names: set[str] = set()
    swin = isinstance(body, swins)
    for name, module in body.named_modules():
        if type(module) in (nn.LayerNorm, nn.Linear) or (
            swin and name and not isinstance(module, (nn.Conv2d, permutes))
        ):
            names.add(name)
        if isinstance(module, nn.Sequential):
            last = False
            for child_name, child in module.named_children():
                if isinstance(child, permutes):
                    last = child.dims[-1] == 1  # [0, 2, 3, 1] puts channels last
                elif type(child) is nn.Linear and child_name == "0":
                    last = True
                if last:
                    names.add(f"{name}.{child_name}" if name else child_name)
    return frozenset(names)
