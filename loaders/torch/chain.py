"""A chain of layers rebuilt from the names and shapes of its tensors, nested as they were.

Layers with weights are read off the file. Those without (ReLU, Dropout) leave gaps in the numbers
of a Sequential: what stood there is told by what people write, and said to be assumed.

| numbers | taken as |
| --- | --- |
| Linear, gap, Linear | Linear, ReLU, (Dropout,) Linear |
| Linear, Linear | nothing between them |
| Linear, BatchNorm, gap, Linear | Linear, BatchNorm, ReLU, (Dropout,) Linear |
| Linear, gap, BatchNorm, gap, Linear | Linear, ReLU, BatchNorm, Dropout, Linear |
| BatchNorm, gap of one, Linear (the first layers) | BatchNorm, Dropout, Linear |
| no numbers | as the first and the third row |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from loaders.options import Activation
from xai_core.errors import LoadError

Shapes = Mapping[str, tuple[int, ...]]

TITLES: dict[Activation, str] = {
    "relu": "ReLU",
    "leaky-relu": "LeakyReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "none": "Identity",
}
"""Torch's names of the activations that can be asked for."""


@dataclasses.dataclass(frozen=True)
class Chain:
    """The module, its layers in words, and how many activations were put where none is told.

    `takes` and `gives` are the first and the last layer's numbers of values.
    """

    module: Any
    described: str
    assumed: int
    unsure: bool
    takes: int
    gives: int


@dataclasses.dataclass(frozen=True)
class _Leaf:
    path: str
    layer: Any
    takes: int
    gives: int

    @property
    def dense(self) -> bool:
        return type(self.layer).__name__ == "Linear"

    @property
    def title(self) -> str:
        name = type(self.layer).__name__
        return f"Linear({self.takes}, {self.gives})" if self.dense else name


def build(shapes: Shapes, where: str, activation: Activation | None) -> Chain:
    """Make the chain of a head's tensors, in the order of the file. Raises LoadError."""
    from torch import nn

    groups: dict[str, dict[str, tuple[int, ...]]] = {}
    for key, shape in shapes.items():
        path, _, name = key.rpartition(".")
        groups.setdefault(path, {})[name] = shape
    leaves = [_leaf(path, tensors, where) for path, tensors in groups.items()]
    _check_widths(leaves, where)
    gaps = [_gap(a.path, b.path) for a, b in pairwise(leaves)]
    spots, unsure = _spots(leaves, gaps)
    first, last = leaves[0], leaves[-1]
    if first.path == "" and len(leaves) == 1:
        return Chain(first.layer, first.title, 0, False, first.takes, first.gives)
    container = nn.Sequential()
    title = TITLES[activation or "relu"]
    described: list[str] = []
    for index, leaf in enumerate(leaves):
        holder = _place(container, leaf, where)
        described.append(leaf.title)
        gap = gaps[index] if index < len(gaps) else 0
        if index in spots:
            holder.add_module(f"assumed_{len(holder)}", getattr(nn, title)())
            described += [title] if title != "Identity" else []
            gap = gap - 1 if gap else gap
        described += ["Dropout"] if gap else []
    return Chain(container, ", ".join(described), len(spots), unsure, first.takes, last.gives)


def _leaf(path: str, tensors: Shapes, where: str) -> _Leaf:
    from torch import nn

    weight, mean = tensors.get("weight"), tensors.get("running_mean")
    if mean is not None and len(mean) == 1:
        affine = weight is not None
        return _Leaf(path, nn.BatchNorm1d(mean[0], affine=affine), mean[0], mean[0])
    if weight is not None and len(weight) == 2:
        layer = nn.Linear(weight[1], weight[0], bias="bias" in tensors)
        return _Leaf(path, layer, weight[1], weight[0])
    if weight is not None and len(weight) == 1 and "bias" in tensors:
        return _Leaf(path, nn.LayerNorm(weight[0]), weight[0], weight[0])
    if weight is not None and len(weight) == 1:
        return _Leaf(path, nn.PReLU(weight[0]), 0, 0)
    name = ".".join(part for part in (where, path) if part)[:80]
    raise LoadError(
        f"The head holds a layer {name!r} that is not a Linear, BatchNorm or LayerNorm, so it "
        "cannot be rebuilt from its weights. Send the source of its class with it."
    )


def _check_widths(leaves: Sequence[_Leaf], where: str) -> None:
    width = 0
    for leaf in leaves:
        if width and leaf.takes and leaf.takes != width:
            raise LoadError(
                f"The head's layers do not follow one another: {f'{where}.{leaf.path}'[:80]} takes "
                f"{leaf.takes} values and the one before it gives {width}. Send the source of its "
                "class with it."
            )
        width = leaf.gives or width


def _gap(before: str, after: str) -> int | None:
    """Return how many layers without weights stand between two; None where no number says it."""
    one, other = before.split("."), after.split(".")
    depth = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if depth is None or not (_is_number(one[depth]) and _is_number(other[depth])):
        return None
    between = int(other[depth]) - int(one[depth]) - 1 + _leading(".".join(other[depth + 1 :]))
    nested = len(one) > depth + 1  # more may stand at the end of an inner Sequential
    return None if between < 0 or (nested and between == 0) else between


def _leading(path: str) -> int:
    """Return how many layers without weights stand before the first of a Sequential."""
    return sum(int(part) for part in path.split(".") if _is_number(part))


def _is_number(part: str) -> bool:
    return part.isascii() and part.isdigit() and len(part) < 4


def _spots(leaves: Sequence[_Leaf], gaps: Sequence[int | None]) -> tuple[set[int], bool]:
    """Return behind which layers an activation is assumed, and whether their place is unsure."""
    spots, unsure = set(), False
    dense = [index for index, leaf in enumerate(leaves) if leaf.dense]
    if dense and dense[0] > 0 and (gaps[dense[0] - 1] or 0) > 1:
        spots.add(dense[0] - 1)  # BatchNorm, ReLU, Dropout, Linear: one of the two can be a ReLU
        unsure = True
    for one, other in pairwise(dense):
        between = leaves[one + 1 : other]
        if any(leaf.takes == 0 for leaf in between):  # a PReLU is told
            continue
        first, last = gaps[one], gaps[other - 1]
        if not between:
            spots |= {one} if first != 0 else set()
        elif first:
            spots.add(one)
            unsure |= last != 0
        elif last != 0:
            spots.add(other - 1)
            unsure |= last == 1
        elif first is None:
            spots.add(one)
    return spots, unsure


def _place(container: Any, leaf: _Leaf, where: str) -> Any:
    """Add a layer under its own path, so that the file's names fit; return what holds it."""
    from torch import nn

    *parents, last = leaf.path.split(".")
    for parent in parents:
        children = dict(container.named_children())
        if parent in children and parent != list(children)[-1]:
            raise LoadError(
                f"The head's layers under {f'{where}.{parent}'[:80]} do not follow one another in "
                "the file, so it cannot be rebuilt from its weights. Send the source of its class."
            )
        if parent not in children:
            container.add_module(parent, nn.Sequential())
        container = container.get_submodule(parent)
    container.add_module(last, leaf.layer)
    return container
