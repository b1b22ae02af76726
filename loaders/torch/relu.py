"""ReLUs whose gradients pass by another rule, whatever a network calls them by.

A network's modules, functions and exported operations all come to a few functions of torch; a mode
stands before them while the network runs. Answers stay as they are.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch.overrides import TorchFunctionMode

Rule = Literal["guided", "deconvolution"]

OTHERS = (
    *("gelu", "silu", "hardswish", "mish", "elu", "selu", "celu", "leaky_relu", "prelu"),
    *("softplus", "hardsigmoid", "log_sigmoid", "tanh", "erf"),
)
"""Operations of other nonlinearities; a sigmoid is a gate or an answer as often."""

_LOWER: dict[str, tuple[tuple[str, int], tuple[str, int]]] = {
    "hardtanh": (("min_val", 1), ("max_val", 2)),
    "clamp": (("min", 1), ("max", 2)),
    "clip": (("min", 1), ("max", 2)),
    "clamp_min": (("min", 1), ("", 9)),
    "threshold": (("threshold", 1), ("", 9)),
}
"""Functions that are a ReLU where they cut at 0: the names and places of their two bounds."""


class _Ruled(torch.autograd.Function):  # type: ignore[misc]
    """A ReLU's own answer, and a rule for what goes back."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, high: float | None, rule: Rule) -> torch.Tensor:
        if rule == "guided":
            ctx.save_for_backward(x > 0 if high is None else (x > 0) & (x < high))
        return x.clamp(0, high)

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        slope = slope.clamp_min(0)
        return slope * ctx.saved_tensors[0] if ctx.saved_tensors else slope, None, None


class Ruled(TorchFunctionMode):  # type: ignore[misc]
    """While it is entered, ReLUs go by a rule. `count` says how many gradients met."""

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.rule, self.count = rule, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run a function of torch, and let gradients pass it by the rule if it is a ReLU."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "").partition(".")[0]  # "relu.default" in an export
        x = args[0] if args else kwargs.get("input")
        if not isinstance(x, torch.Tensor) or not x.is_floating_point():
            return func(*args, **kwargs)
        relu, high = _bounds(name.rstrip("_"), args, kwargs)
        if not relu or not x.requires_grad:  # no photo reaches it, as where it makes a bias
            return func(*args, **kwargs)
        self.count += 1
        made = _Ruled.apply(x, high, self.rule)  # type: ignore[no-untyped-call]
        inside = name.endswith("_") or kwargs.get("inplace", False)
        return x.copy_(made) if inside else made


def _bounds(name: str, args: Any, kwargs: Any) -> tuple[bool, float | None]:
    """Say whether a call is a ReLU, and where it cuts above."""
    if name in ("relu", "relu6"):
        return True, 6.0 if name == "relu6" else None
    if name not in _LOWER:
        return False, None
    low, high = (
        kwargs.get(word, args[place] if len(args) > place else None) for word, place in _LOWER[name]
    )
    plain = isinstance(low, (int, float)) and low == 0
    if name == "threshold":
        value = kwargs.get("value", args[2] if len(args) > 2 else None)
        return plain and value == 0, None
    return plain and (high is None or isinstance(high, (int, float))), high
