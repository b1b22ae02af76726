"""What a patch of a photo can reach in each map of a network, followed along its graph.

A network that PyTorch can trace (`torch.fx`) is a row of steps. Most of them carry a patch's
region of a map to a somewhat larger one of the next: those that treat each place by itself, those
that slide a window, and those that join maps. Nothing here knows any network by name.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

from loaders.torch import notes

Ints = NDArray[np.int64]
Run = Callable[..., Any]

_PLACEWISE: tuple[type[nn.Module], ...] = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish,
    nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Identity,
    nn.Dropout, nn.Dropout2d, nn.BatchNorm2d,
)  # fmt: skip
_PLACEWISE_CALLS = {
    torch.relu, functional.relu, functional.relu6, functional.leaky_relu, functional.elu,
    functional.gelu, functional.silu, functional.mish, functional.hardswish,
    functional.hardsigmoid, functional.hardtanh, torch.sigmoid, torch.tanh, functional.dropout,
}  # fmt: skip
_PLACEWISE_METHODS = {"relu", "sigmoid", "tanh", "contiguous", "clone"}
_ADDS = {operator.add, operator.iadd, torch.add}
_OTHER_ARITHMETIC = {operator.mul, torch.mul, operator.sub, torch.sub, operator.truediv}


@dataclasses.dataclass(frozen=True)
class Slide:
    """A step that slides a window; `run` takes a map that already has its padding of `fill`."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    fill: float
    run: Run
    weight: int = 0
    """Products for one place of one channel of what comes out."""

    @property
    def reads(self) -> tuple[int, int]:
        """The rows and columns that one place is made of."""
        rows, columns = (d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))
        return rows, columns

    @property
    def placewise(self) -> bool:
        """Whether each place is made of that same place."""
        return self.reads == (1, 1) == self.stride and self.padding == (0, 0)


@dataclasses.dataclass(eq=False)
class Step:
    """One step: the steps it takes, how it runs on whole maps, and how on parts of them.

    `slide` says how a window slides, `part` runs it on regions that lie alike; a step with neither
    needs all of its maps. `size` are the sides of what comes out and `channels` its channels, set
    by a first pass; no sides where that is no map.
    """

    name: str
    sources: tuple[Step, ...]
    whole: Run
    slide: Slide | None = None
    part: Run | None = None
    size: tuple[int, int] | None = None
    channels: int = 0
    elements: int = 0


class Unfollowed(Exception):
    """A network cannot be followed; it says why, as a clause."""


def followed(body: nn.Module) -> list[Step]:
    """Return a network's steps, its photos first and its answer last. Raises Unfollowed."""
    try:
        with notes.untouched(body):
            graph = fx.Tracer().trace(body)
    except Exception as error:  # a stranger's forward may raise anything
        raise Unfollowed("its code goes ways that no trace shows") from error
    parts = dict(body.named_modules())
    made: dict[fx.Node, Step] = {}
    steps: list[Step] = []
    for node in graph.nodes:
        norm = _norm_behind(node, parts)
        if node.op == "placeholder":
            if made and not node.args:
                raise Unfollowed("it takes more than photos")
            step = Step(node.name, (), lambda: None)
            if node.args:  # an argument of its own with a default
                step.whole = _constant(node.args[0])
        elif (
            node.op == "call_module"
            and isinstance(parts[str(node.target)], nn.BatchNorm2d)
            and (node.args[0] in made and _norm_behind(node.args[0], parts) is not None)
        ):
            made[node] = made[node.args[0]]  # it is in the convolution before it
            continue
        else:
            step = _step(node, body, parts, made, norm)
        made[node] = step
        steps.append(step)
    if not steps or steps[0].name == "output":
        raise Unfollowed("it takes no photos")
    return steps


def _constant(value: Any) -> Run:
    return lambda: value


def _norm_behind(node: fx.Node, parts: Mapping[str, nn.Module]) -> nn.BatchNorm2d | None:
    """Return the batch norm that alone reads a convolution, which can be made one with it."""
    if node.op != "call_module" or type(parts[str(node.target)]) is not nn.Conv2d:
        return None
    users = list(node.users)
    if len(users) != 1 or users[0].op != "call_module":
        return None
    norm = parts[str(users[0].target)]
    if type(norm) is not nn.BatchNorm2d or norm.training or norm.running_mean is None:
        return None
    return norm if not _hooked(norm) and not _hooked(parts[str(node.target)]) else None


def _hooked(part: nn.Module) -> bool:
    return bool(part._forward_hooks or part._forward_pre_hooks)


def _step(
    node: fx.Node,
    body: nn.Module,
    parts: Mapping[str, nn.Module],
    made: Mapping[fx.Node, Step],
    norm: nn.BatchNorm2d | None,
) -> Step:
    taken: list[fx.Node] = list(node.all_input_nodes)
    sources = tuple(made[each] for each in taken)

    def whole(*values: Any) -> Any:
        known = dict(zip(taken, values, strict=True))
        args = fx.node.map_arg(node.args, known.__getitem__)
        kwargs = fx.node.map_arg(node.kwargs, known.__getitem__)
        match node.op:
            case "call_module":
                return parts[str(node.target)](*args, **kwargs)
            case "call_function":
                # a map may be read again later: nothing is written in place
                called: Any = operator.add if node.target is operator.iadd else node.target
                return called(*args, **kwargs)
            case "call_method":
                return getattr(args[0], str(node.target))(*args[1:], **kwargs)
            case "get_attr":
                return operator.attrgetter(str(node.target))(body)
        return args[0]  # the answer

    step = Step(node.name, sources, whole)
    part: Any = parts[str(node.target)] if node.op == "call_module" else None
    if part is not None and _hooked(part):
        return step
    if type(part) is nn.Conv2d:
        step.slide = _convolution(part, norm)
        if step.slide is not None:
            step.whole = _padded(step.slide)
        elif norm is not None:
            step.whole = lambda x: norm(part(x))
    elif type(part) is nn.MaxPool2d and not part.return_indices:
        step.slide = _max_pool(part.kernel_size, part.stride, part.padding, part.dilation)
    elif type(part) is nn.AvgPool2d:
        step.slide = _average_pool(vars(part))
    elif node.target in (functional.max_pool2d, functional.avg_pool2d) and len(sources) == 1:
        step.slide = _called_pool(node)
    elif _is_placewise(node, part) or _is_join(node):
        step.part = whole
    return step


def _is_placewise(node: fx.Node, part: nn.Module | None) -> bool:
    if len(node.all_input_nodes) != 1:
        return False
    if part is not None:
        known = isinstance(part, _PLACEWISE) and not part.training
        return known and getattr(part, "running_mean", part) is not None  # else of this batch
    if node.op == "call_method":
        return node.target in _PLACEWISE_METHODS
    if node.target in _ADDS | _OTHER_ARITHMETIC:
        return all(isinstance(each, (int, float, fx.Node)) for each in node.args)
    return node.op == "call_function" and node.target in _PLACEWISE_CALLS


def _is_join(node: fx.Node) -> bool:
    if node.target in _ADDS | _OTHER_ARITHMETIC:
        return all(isinstance(each, fx.Node) for each in node.args)
    axis = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else 0)
    return node.target is torch.cat and axis == 1


def _pair(value: Any) -> tuple[int, int]:
    first, second = (value, value) if isinstance(value, int) else value
    return int(first), int(second)


def _convolution(part: nn.Conv2d, norm: nn.BatchNorm2d | None) -> Slide | None:
    if part.padding_mode != "zeros" or isinstance(part.padding, str):
        return None
    weight, bias = part.weight, part.bias
    if norm is not None:
        weight, bias = fuse_conv_bn_weights(
            weight, bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        weight = weight.contiguous(memory_format=torch.channels_last)
    stride, dilation, groups = _pair(part.stride), _pair(part.dilation), part.groups

    def run(x: torch.Tensor, padding: tuple[int, int] = (0, 0)) -> torch.Tensor:
        return functional.conv2d(x, weight, bias, stride, padding, dilation, groups)

    kernel, each = _pair(part.kernel_size), part.in_channels // groups
    products = each * kernel[0] * kernel[1]
    return Slide(kernel, stride, _pair(part.padding), dilation, 0.0, run, products)


def _padded(slide: Slide) -> Run:
    return lambda x: slide.run(x, slide.padding)


def _max_pool(kernel: Any, stride: Any, padding: Any, dilation: Any) -> Slide:
    sides, steps, apart = _pair(kernel), _pair(stride if stride else kernel), _pair(dilation)

    def run(x: torch.Tensor) -> torch.Tensor:
        return functional.max_pool2d(x, sides, steps, 0, apart)

    lowest = float("-inf")
    return Slide(sides, steps, _pair(padding), apart, lowest, run, sides[0] * sides[1])


def _called_pool(node: fx.Node) -> Slide | None:
    average = node.target is functional.avg_pool2d
    names = ["input", "kernel_size", "stride", "padding"]
    names += ["ceil_mode", "count_include_pad", "divisor_override"] if average else ["dilation"]
    given = {"stride": None, "padding": 0, **dict(zip(names, node.args, strict=False))}
    given |= node.kwargs
    if average:
        return _average_pool({"count_include_pad": True, **given})
    if given.get("return_indices") or len(node.args) > len(names):
        return None
    apart = given.get("dilation", 1)
    return _max_pool(given["kernel_size"], given["stride"], given["padding"], apart)


def _average_pool(given: Mapping[str, Any]) -> Slide | None:
    padding, kernel = _pair(given["padding"]), _pair(given["kernel_size"])
    stride = _pair(given["stride"] if given["stride"] else kernel)
    if given.get("ceil_mode") or given.get("divisor_override"):
        return None
    if any(padding) and not given["count_include_pad"]:
        return None

    def run(x: torch.Tensor) -> torch.Tensor:
        return functional.avg_pool2d(x, kernel, stride)

    return Slide(kernel, stride, padding, (1, 1), 0.0, run, kernel[0] * kernel[1])


@dataclasses.dataclass(frozen=True)
class Region:
    """Where patches reach in a map: a window of one `size` for each, its corner in `starts`.

    `starts` are int64 `[patches, 2]`, top and left; all windows lie inside the map.
    """

    starts: Ints
    size: tuple[int, int]

    def same(self, other: Region) -> bool:
        """Say whether all windows are the same."""
        return self.size == other.size and np.array_equal(self.starts, other.starts)


def behind(step: Step, taken: Sequence[Region]) -> Region:
    """Return where patches reach after a step, from where they reach in the maps that it takes."""
    lows = np.min([region.starts for region in taken], 0)
    highs = np.max([region.starts + region.size for region in taken], 0) - 1  # the last ones
    if step.slide is not None:
        reads, stride, padding = (
            np.array(each) for each in (step.slide.reads, step.slide.stride, step.slide.padding)
        )
        lows = -((-(lows + padding - reads + 1)) // stride)
        highs = (highs + padding) // stride
    full = np.array(step.size)
    lows, highs = np.clip(lows, 0, full - 1), np.clip(highs, 0, full - 1)
    size = np.maximum(highs - lows + 1, 1).max(0)
    return Region(np.minimum(lows, full - size), (int(size[0]), int(size[1])))
