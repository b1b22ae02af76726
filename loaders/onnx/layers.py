"""The layers of an ONNX graph: values that are maps, read as further outputs."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders.keras.audit import printable
from loaders.onnx.graph import Graph
from loaders.onnx.operators import MAPS
from loaders.onnx.parts import Node
from xai_core.model import Layer

Array = NDArray[np.float32]

MOST = 800
"""The most layers that are offered, the last ones of the graph."""

MAX_PREFIX = 8
"""The most tokens before those of the patches: class, distillation, registers."""

_FIRST = (
    "Conv", "FusedConv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool",
    "GlobalMaxPool", "BatchNormalization", "InstanceNormalization", "GroupNormalization", "LpPool",
    "DepthToSpace", "SpaceToDepth", "QLinearConv", "ConvInteger", "LRN",
)  # fmt: skip
"""Operators for which the standard puts channels first."""

_KEEPS = (
    "Relu", "Clip", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Gelu", "BiasGelu", "FastGelu",
    "QuickGelu", "HardSwish", "HardSigmoid", "Swish", "Mish", "Sigmoid", "Tanh", "Erf", "Softplus",
    "Add", "Sub", "Mul", "Div", "Sum", "Concat", "Pad", "Cast", "Identity", "Dropout", "Resize",
    "Slice", "Pow", "Sqrt", "QuantizeLinear", "DequantizeLinear", "LayerNormalization",
    "SkipLayerNormalization", "SimplifiedLayerNormalization", "Max", "Min", "Where", "Upsample",
)  # fmt: skip
"""Operators that leave the axes as they are."""

_GATES = ("Sigmoid", "HardSigmoid", "Tanh", "Softplus", "Erf", "Clip")
_ROWS = ("LayerNormalization", "SkipLayerNormalization", "SimplifiedLayerNormalization", "Add")
"""Operators that are offered where a map is rows of tokens."""


@dataclasses.dataclass(frozen=True)
class Place:
    """A layer: the value that holds its map, and how the map lies in it.

    `skipped` tokens stand before those of a map of rows.
    """

    layer: Layer
    value: str
    layout: str
    skipped: int = 0

    def read(self, found: Array) -> Array:
        """Return float32 `[N, map h, map w, channels]`."""
        height, width = self.layer.map_size
        if self.layout == "tokens":
            found = found[:, self.skipped :].reshape(len(found), height, width, -1)
        elif self.layout == "nchw":
            found = found.transpose(0, 2, 3, 1)
        return np.ascontiguousarray(found, np.float32)


def candidates(graph: Graph) -> list[Node]:
    """Return the operations whose outputs may be layers, in the order of the graph."""
    found = []
    for node in graph.nodes:
        if node.operator not in MAPS or not node.outputs or not node.outputs[0]:
            continue
        if node.domain == "com.microsoft.nchwc" or node.outputs[0] in graph.outputs:
            continue
        if node.operator in ("Mul", "Add", "Clip") and not _is_layer(graph, node):
            continue
        found.append(node)
    return found[-MOST:]


def places(
    graph: Graph, nodes: Sequence[Node], shapes: Mapping[str, tuple[int, ...]], *, last: bool
) -> tuple[Place, ...]:
    """Return the layers among `nodes`, of which `shapes` says how large each value is."""
    layouts = _layouts(graph, last=last)
    names = titles(graph, nodes)
    grids = {
        shape[2:] if layouts[value] == "nchw" else shape[1:3]
        for value, shape in shapes.items()
        if len(shape) == 4 and value in layouts
    }
    found = []
    for node in nodes:
        value = node.outputs[0]
        shape, layout, skipped = shapes.get(value, ()), layouts.get(value, ""), 0
        if len(shape) == 4 and layout:
            size = shape[2:] if layout == "nchw" else shape[1:3]
            channels = shape[1 if layout == "nchw" else 3]
        elif len(shape) == 3 and node.operator in _ROWS:
            grid = _grid(shape[1], grids)
            if grid is None:
                continue
            size, skipped = grid
            channels, layout = shape[2], "tokens"
        else:
            continue
        if shape[0] != 1 or min(size) < 2:
            continue
        layer = Layer(names[value], node.operator, (size[0], size[1]), channels)
        found.append(Place(layer, value, layout, skipped))
    return tuple(found)


def titles(graph: Graph, nodes: Sequence[Node]) -> dict[str, str]:
    """Name each operation's value by its module's path, or as the exporter names it."""
    paths = {node.outputs[0]: _path(node) for node in nodes}
    parents = {path[: at.start()] for path in paths.values() for at in re.finditer(r"[./]", path)}
    names: dict[str, str] = {}
    taken: set[str] = set()
    for node in nodes:
        value = node.outputs[0]
        path = paths[value] or printable(value, 100)
        if path in parents:
            path = f"{path}.{node.operator.lower()}"
        name, number = path, 1
        while name in taken:
            number += 1
            name = f"{path}_{number}"
        taken.add(name)
        names[value] = name
    return names


def static(shape: Sequence[Any]) -> tuple[int, ...] | None:
    """Return a value's shape where onnxruntime knows it, or None."""
    sides = [side if isinstance(side, int) and side > 0 else 0 for side in shape]
    return tuple(sides) if sides and all(sides) else None


def _is_layer(graph: Graph, node: Node) -> bool:
    """Tell an activation, a gate or a sum from the arithmetic inside of one."""
    makers = [graph.makers.get(name) for name in node.inputs]
    if node.operator == "Mul":
        return any(maker is not None and maker.operator in _GATES for maker in makers)
    if node.operator == "Add":
        constant = any(graph.constant(name) is not None for name in node.inputs)
        return not constant or any(m is not None and m.operator == "MatMul" for m in makers)
    users = graph.users.get(node.outputs[0], [])
    return not all(user.operator in ("Mul", "Div") for user in users)  # part of a hard swish


def _layouts(graph: Graph, *, last: bool) -> dict[str, str]:
    """Return how maps lie in values, as far as operators tell: `nchw` or `nhwc`."""
    found = dict.fromkeys(graph.inputs[:1], "nhwc" if last else "nchw")
    for node in graph.nodes:
        before = next((found[name] for name in node.inputs if name in found), "")
        layout = ""
        if node.domain == "com.microsoft.nchwc":
            continue
        if node.operator in _FIRST:
            layout = "nchw"
        elif node.operator == "Transpose":
            order = node.numbers.get("perm")
            if order == (0, 2, 3, 1):
                layout = "nhwc" if before == "nchw" else ""
            elif order == (0, 3, 1, 2):
                layout = "nchw"
        elif node.operator == "MatMul":
            layout = before if before == "nhwc" else ""
        elif node.operator in _KEEPS:
            layout = before
        if layout:
            for name in node.outputs[:1]:
                found[name] = layout
    return found


def _grid(rows: int, grids: set[tuple[int, int]]) -> tuple[tuple[int, int], int] | None:
    """Return the map that rows of tokens are, and how many stand before them."""
    for height, width in sorted(grids, key=lambda sides: -sides[0] * sides[1]):
        if height > 1 and width > 1 and 0 <= rows - height * width <= MAX_PREFIX:
            return (height, width), rows - height * width
    side = int(rows**0.5)
    if not grids and side > 2 and rows - side * side in (0, 1):
        return (side, side), rows - side * side
    return None


def _path(node: Node) -> str:
    """Return the path of the module that an operation stands in, as its exporter says it."""
    if node.scopes:  # "['', 'layer1', 'layer1.0', 'layer1.0.bn1', 'relu_3']"
        scopes = re.findall(r"'([^']{0,200})'", node.scopes)
        steps = [scope for scope in scopes[:-1] if scope]
        return printable((steps or scopes)[-1], 100) if scopes else ""
    if not node.name.startswith("/"):
        parts = [part for part in node.name.split("/") if part != "StatefulPartitionedCall"]
        return printable("/".join(parts), 100) if node.name else ""
    parts = node.name.strip("/").split("/")
    if len(parts) > 1 and re.fullmatch(rf"{re.escape(node.operator)}(_\d+)?", parts[-1]):
        parts = parts[:-1]
    path: list[str] = []
    for part in parts:  # "/layer4/layer4.1/conv2/Conv"
        if path and part.startswith(path[-1] + "."):
            path.pop()
        path.append(part)
    return printable(".".join(path), 100)
