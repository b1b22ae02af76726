"""What an ONNX graph does, in the words in which any network is told, as far as it shows it."""

from __future__ import annotations

from collections.abc import Sequence

from loaders.onnx.graph import Graph
from loaders.onnx.layers import Place
from loaders.onnx.parts import Node
from xai_core.stages import Ran

_PLAIN = {
    "BatchNormalization": "batch normalisation", "LayerNormalization": "layer normalisation",
    "GroupNormalization": "group normalisation", "InstanceNormalization": "normalisation",
    "Relu": "ReLU", "LeakyRelu": "leaky ReLU", "PRelu": "leaky ReLU", "Elu": "ELU", "Selu": "ELU",
    "Gelu": "GELU", "FastGelu": "GELU", "HardSwish": "hard swish", "Swish": "SiLU",
    "Sigmoid": "sigmoid", "HardSigmoid": "sigmoid", "Tanh": "tanh", "MaxPool": "max pooling",
    "AveragePool": "average pooling", "GlobalAveragePool": "global average pooling",
    "GlobalMaxPool": "global max pooling", "Attention": "attention",
    "MultiHeadAttention": "attention", "Gemm": "dense layer", "Concat": "joining",
}  # fmt: skip
_HEADS = ("GlobalAveragePool", "GlobalMaxPool", "Gemm", "Softmax")


def ran(graph: Graph, places: Sequence[Place]) -> tuple[Ran, ...]:
    """Return the graph's layers in their order; of what is no map yet, the next map has the size.

    Sums and products are left out: a graph does not say which of them are shortcuts and gates.
    """
    maps = {place.value: place.layer for place in places}
    rows = [(node, _part(graph, node)) for node in graph.nodes]
    found: list[Ran] = []
    for at, (node, part) in enumerate(rows):
        if not part or not node.outputs:
            continue
        layer = maps.get(node.outputs[0])
        if node.operator in _HEADS:
            found.append(Ran(part, (1, 1)))
            continue
        if node.operator == "Concat" and layer is None:
            continue
        if layer is None and part.endswith("pooling"):  # it begins what follows it
            later = (maps.get(each.outputs[0]) for each, _ in rows[at + 1 :] if each.outputs)
            layer = next((each for each in later if each is not None), None)
            found.append(Ran(part, layer.map_size if layer else None))
            continue
        found.append(Ran(part, layer.map_size if layer else None, layer.channels if layer else 0))
    return tuple(found)


def _part(graph: Graph, node: Node) -> str:
    if node.operator in ("Conv", "FusedConv") and len(node.inputs) > 1:
        weights = graph.tensors.get(node.inputs[1])
        if weights is None or len(weights.sides) != 4:
            return "convolution"
        out, each, height, width = weights.sides
        groups = (node.numbers.get("group") or (1,))[0]
        kind = "convolution"
        if groups > 1:
            kind = "depthwise convolution" if each == 1 and out >= groups else "grouped convolution"
        return f"{height} x {width} {kind}"
    if node.operator == "Softmax":
        return "softmax" if node.outputs[0] in graph.outputs else ""
    return _PLAIN.get(node.operator, "")
