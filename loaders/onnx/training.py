"""Operators that leave a network in training mode, or draw numbers: it answers differently."""

from __future__ import annotations

from loaders.onnx.graph import Graph

_RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli",
           "Multinomial")  # fmt: skip


def reason(graph: Graph) -> str:
    """Return a clause that says what in the graph is in training mode, or nothing."""
    for node in graph.nodes:
        if node.operator == "Dropout" and len(node.inputs) > 2:
            flag = graph.constant(node.inputs[2])
            share = graph.constant(node.inputs[1]) if node.inputs[1] else None
            if flag is not None and bool(flag.any()) and (share is None or bool(share.any())):
                return "its graph holds a Dropout in training mode"
        if node.operator == "BatchNormalization" and node.numbers.get("training_mode") == (1,):
            return "its graph holds a BatchNormalization in training mode"
    drawn = next((node.operator for node in graph.nodes if node.operator in _RANDOM), "")
    return f"its graph draws random numbers ({drawn})" if drawn else ""
