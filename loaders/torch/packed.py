"""Convolutions of a traced network with what follows each of them, in one step of oneDNN.

A convolution takes its batch normalisation, a map that is added and the activation behind with it,
and holds its weights in the order in which oneDNN reads them. Nothing is differentiated here.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

ADDS = (operator.add, operator.iadd, torch.add)
_RELU, _RELU6 = ("relu", ()), ("hardtanh", (0.0, 6.0))
_SWISH, _HARDSWISH = ("swish", ()), ("hardswish", ())
_MODULES: Mapping[type[nn.Module], tuple[str, tuple[float, ...]]] = {
    nn.ReLU: _RELU, nn.ReLU6: _RELU6, nn.SiLU: _SWISH, nn.Hardswish: _HARDSWISH,
}  # fmt: skip
_CALLS: Mapping[Any, tuple[str, tuple[float, ...]]] = {
    torch.relu: _RELU, functional.relu: _RELU, functional.relu6: _RELU6, functional.silu: _SWISH,
    functional.hardswish: _HARDSWISH, "relu": _RELU,
}  # fmt: skip


@dataclasses.dataclass(eq=False)
class Chain:
    """A convolution's node and those that are computed with it, of which `last` gives the value."""

    first: fx.Node
    last: fx.Node
    norm: fx.Node | None = None
    added: fx.Node | None = None
    act: tuple[str, tuple[float, ...]] = ("none", ())

    @property
    def takes(self) -> list[fx.Node]:
        """The nodes whose values it takes: the convolution's map, and what is added."""
        given: list[fx.Node] = [self.first.args[0]]  # type: ignore[list-item]
        return [*given, self.added] if self.added is not None else given


def chain(
    node: fx.Node,
    parts: Mapping[str, nn.Module],
    shapes: Mapping[fx.Node, torch.Size],
    until: Collection[fx.Node],
    shown: Collection[fx.Node],
) -> Chain | None:
    """Return what a convolution can take with it, or None for what is none.

    `until` are the nodes that may be taken, and `shown` those whose values are asked for.
    """
    conv: Any = _part(node, parts)
    if type(conv) is not nn.Conv2d or conv.padding_mode != "zeros" or node.kwargs:
        return None
    if isinstance(conv.padding, str) or conv.weight.dtype != torch.float32:
        return None
    made = Chain(node, node)

    def behind() -> fx.Node | None:
        (user, *others) = made.last.users or (None,)
        free = user is not None and not others and made.last not in shown and user in until
        return user if free else None

    user = behind()
    norm: Any = _part(user, parts) if user is not None else None
    if type(norm) is nn.BatchNorm2d and not norm.training and norm.running_mean is not None:
        made.norm = made.last = user
        user = behind()
    if user is not None and user.target in ADDS and len(user.args) == 2 and not user.kwargs:
        other = next((each for each in user.args if each is not made.last), None)
        same = isinstance(other, fx.Node) and shapes.get(other) == shapes.get(made.last)
        if same and len(shapes.get(made.last, ())) == 4:
            made.added, made.last = other, user
            user = behind()
    act = None if user is None else _activation(user, parts)
    if user is not None and act is not None and (made.added is None or act is _RELU):
        made.act, made.last = act, user
    return made


def _part(node: fx.Node, parts: Mapping[str, nn.Module]) -> nn.Module | None:
    """Return the module that a node runs, where nothing watches it."""
    if node.op != "call_module":
        return None
    part = parts[str(node.target)]
    watched = part._forward_hooks or part._forward_pre_hooks
    return None if watched or part._backward_hooks or part._backward_pre_hooks else part


def _activation(
    node: fx.Node, parts: Mapping[str, nn.Module]
) -> tuple[str, tuple[float, ...]] | None:
    if len(node.args) != 1 or node.kwargs.keys() - {"inplace"}:
        return None
    if node.op == "call_module":
        part = _part(node, parts)
        return None if part is None else _MODULES.get(type(part))
    return _CALLS.get(node.target) if node.op in ("call_function", "call_method") else None


def packed(
    weight: torch.Tensor,
    padding: list[int],
    stride: list[int],
    dilation: list[int],
    groups: int,
    given: torch.Size,
) -> Any:
    """Return a convolution's weights in the order in which oneDNN reads them for maps `given`."""
    pack = torch.ops.mkldnn._reorder_convolution_weight
    return pack(weight.contiguous(), padding, stride, dilation, groups, list(given))


class Packed:
    """A convolution, its batch normalisation folded into it, with its weights in oneDNN's order."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d | None, given: torch.Size) -> None:
        weight, bias = conv.weight.detach(), conv.bias
        if norm is not None:
            weight, bias = fuse_conv_bn_weights(
                weight, bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
            )
        self._bias = None if bias is None else bias.detach()
        self._how = list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups
        self._weight = packed(weight.detach(), *self._how, given)

    def __call__(
        self,
        act: tuple[str, tuple[float, ...]],
        over: bool,
        maps: torch.Tensor,
        *added: torch.Tensor,
    ) -> torch.Tensor:
        """Return the map of it, of what is added to that, and of the activation behind.

        `over` lets it be written into what is added, which saves memory's time.
        """
        run, (name, numbers) = torch.ops.mkldnn._convolution_pointwise, act
        weights = self._weight, self._bias, *self._how
        if not added:
            return run.default(maps, *weights, name, list(numbers), "")
        then: Any = ("add", 1.0, None if name == "none" else name, [], "")
        if over and _last(maps) and _last(*added):  # else it would write into a copy
            return torch.ops.mkldnn._convolution_pointwise_.binary(*added, maps, *weights, *then)
        return run.binary(maps, *added, *weights, *then)


def _last(maps: torch.Tensor) -> bool:
    return bool(maps.is_contiguous(memory_format=torch.channels_last))
