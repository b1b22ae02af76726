"""A first convolution that someone put in the place of a known network's own.

For grey photos or for small ones: its channels, kernel and bias are in the file; its stride, and
whether the pooling behind it stayed, are not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from xai_core.errors import UnsupportedModel
from xai_core.model import Finding

SMALL_SIDE = 32
"""The photos, in pixels a side, that a body with a 3 x 3 stem of stride 1 is mostly trained on."""


@dataclasses.dataclass(frozen=True)
class Stem:
    """What a file's first convolution takes, and what was assumed; a side of 0 is the body's."""

    channels: int = 3
    side: int = 0
    findings: tuple[Finding, ...] = ()


def fit(module: Any, changed: Sequence[str], shapes: Mapping[str, tuple[int, ...]]) -> Stem:
    """Give `module` a first convolution of the file's shape. Raises UnsupportedModel."""
    from torch import nn

    if not changed:
        return Stem()
    path = changed[0].rpartition(".")[0]
    weight = next((shapes[key] for key in changed if key.endswith(".weight")), None)
    own = module.get_submodule(path)
    if weight is None:
        weight = tuple(own.weight.shape)
    channels, kernel = weight[1] * own.groups, weight[2:]
    if channels not in (1, 3):
        raise UnsupportedModel(
            f"The network takes {channels} channels; a classifier of photos takes 1 or 3."
        )
    small = kernel != tuple(own.kernel_size)
    bias = f"{path}.bias" in shapes
    new = nn.Conv2d(
        channels,
        weight[0],
        tuple(kernel),
        stride=1 if small else own.stride,
        padding=tuple(side // 2 for side in kernel) if small else own.padding,
        groups=own.groups,
        bias=bias,
    )
    parent, _, child = path.rpartition(".")
    setattr(module.get_submodule(parent) if parent else module, child, new)
    said = []
    if channels == 1:
        message = (
            "The network's first convolution takes one grey channel, where the architecture's "
            "takes three. The file does not say how its photos were prepared: if its answers are "
            "wrong, choose the pre-processing that it was trained with (--mean, --std)."
        )
        said.append(Finding("warning", message, "preprocessing"))
    if not small:
        return Stem(channels, 0, tuple(said))
    size = " x ".join(str(side) for side in kernel)
    was = " x ".join(str(side) for side in own.kernel_size)
    pooled = _drop_pooling(module, path)
    without = ", without the max pooling that follows it" if pooled else ""
    message = (
        f"The network's first convolution is {size} where the architecture's is {was}, as for "
        f"small photos. The file does not say its stride: 1 is assumed{without}, and photos of "
        f"{SMALL_SIDE} x {SMALL_SIDE} pixels (--size). If it was built otherwise, send the source "
        "of its class."
    )
    said.append(Finding("warning", message, "size"))
    return Stem(channels, SMALL_SIDE, tuple(said))


def _drop_pooling(module: Any, path: str) -> bool:
    """Replace the max pooling right behind the first convolution's stage by nothing."""
    from torch import nn

    parent, _, child = path.rpartition(".")
    while True:
        holder = module.get_submodule(parent) if parent else module
        children = list(holder.named_children())
        place = next(index for index, (name, _) in enumerate(children) if name == child)
        for name, layer in children[place + 1 :]:
            if isinstance(layer, nn.MaxPool2d):
                setattr(holder, name, nn.Identity())
                return True
            if not isinstance(layer, (nn.BatchNorm2d, nn.ReLU)):
                return False
        if not parent:
            return False
        parent, _, child = parent.rpartition(".")
