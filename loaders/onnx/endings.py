"""What a graph ends in: its last operator, and the scores that stand before a softmax."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from loaders.heads import by_name
from loaders.onnx.graph import Graph
from loaders.onnx.operators import HANDS_ON, SPREADS, SUMS
from loaders.onnx.parts import Node
from xai_core.model import HeadKind

Array = NDArray[np.float32]

MAX_STEPS = 24
"""Operators that are looked through from the end."""

_CLOSE = 0.01
"""How far a squashed score may lie from the output: quantised ones have 256 steps."""


@dataclasses.dataclass(frozen=True)
class Ending:
    """How an output was made. `before` is the value before its activation, where it has one.

    `certain` says that an operator that squashes nothing is the last one, so that what lies
    between 0 and 1 does so by chance. `scaled` says that the chances were multiplied.
    """

    kind: HeadKind | None = None
    operator: str = ""
    before: str = ""
    certain: bool = False
    scaled: bool = False


def ending(graph: Graph, output: str) -> Ending:
    """Follow an output back to the operator that decides what its numbers are."""
    value, scaled, summed = output, False, ""
    for _ in range(MAX_STEPS):
        node = graph.makers.get(value)
        if node is None or not node.inputs:
            break
        operator = node.operator.removeprefix("QLinear")
        if kind := by_name(operator):
            return Ending(kind, node.operator, node.inputs[0], not summed, scaled)
        if before := _log_softmax(graph, node):
            return Ending("log-softmax", "Log and Softmax", before)
        if before := _soft(graph, node):
            return Ending("softmax", "Exp and Div", before, scaled=scaled)
        if before := _sigmoid(graph, node):
            return Ending("sigmoid", "Exp and Div", before, scaled=scaled)
        if node.operator in SUMS:
            return Ending(operator=summed or node.operator, certain=True)
        if node.operator in SPREADS:
            summed = summed or node.operator
        elif node.operator in ("Mul", "Div") and _is_number(graph, node):
            scaled = True
        elif node.operator not in HANDS_ON:
            return Ending(operator=node.operator)
        free = [name for name in node.inputs if graph.constant(name) is None]
        value = (free or node.inputs)[0]
    return Ending(operator=summed)


def squashed(kind: HeadKind, scores: Array) -> Array:
    """Return what an activation makes of scores, float32 `[N, classes]`."""
    if kind == "sigmoid":
        return np.asarray(0.5 * (1 + np.tanh(0.5 * scores)), np.float32)
    shifted = scores - scores.max(1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return np.asarray(logs if kind == "log-softmax" else np.exp(logs), np.float32)


def agree(found: Ending, scores: Array, outputs: Array) -> bool:
    """Say whether `outputs` are what the ending's activation makes of `scores`."""
    if found.kind is None or scores.shape != outputs.shape or not np.isfinite(scores).all():
        return False
    made = squashed(found.kind, scores)
    if found.kind == "log-softmax":
        made, outputs = np.exp(made), np.exp(outputs)
    if found.scaled:
        largest = max(float(np.abs(outputs).max()), 1e-12)
        outputs = outputs * (float(made.max()) / largest)
    return bool(np.abs(made - outputs).max() <= _CLOSE)


def _log_softmax(graph: Graph, node: Node) -> str:
    """Return what stands before a softmax whose logarithm is taken, clipped or not."""
    inner = graph.makers.get(node.inputs[0])
    if node.operator != "Log":
        return ""
    while inner is not None and inner.operator in ("Clip", "Add", "Identity") and inner.inputs:
        inner = graph.makers.get(inner.inputs[0])
    return inner.inputs[0] if inner is not None and inner.operator == "Softmax" else ""


def _soft(graph: Graph, node: Node) -> str:
    """Return what stands before a softmax that is spelled out: exp(x) / sum(exp(x))."""
    if node.operator != "Div" or len(node.inputs) != 2:
        return ""
    above, below = (graph.makers.get(name) for name in node.inputs)
    if above is None or below is None or above.operator != "Exp":
        return ""
    if below.operator != "ReduceSum" or below.inputs[0] != node.inputs[0]:
        return ""
    shifted = graph.makers.get(above.inputs[0])
    if shifted is not None and shifted.operator == "Sub":  # less its largest, against overflow
        most = graph.makers.get(shifted.inputs[1])
        if most is not None and most.operator == "ReduceMax":
            return shifted.inputs[0]
    return above.inputs[0]


def _sigmoid(graph: Graph, node: Node) -> str:
    """Return what stands before a sigmoid that is spelled out: 1 / (1 + exp(-x))."""
    value = ""
    if node.operator == "Reciprocal":
        value = node.inputs[0]
    elif node.operator == "Div" and len(node.inputs) == 2:
        value = node.inputs[1] if graph.constant(node.inputs[0]) is not None else ""
    steps = []
    for _ in range(3):
        inner = graph.makers.get(value)
        if inner is None:
            return ""
        steps.append(inner.operator)
        free = [name for name in inner.inputs if graph.constant(name) is None]
        value = free[0] if len(free) == 1 else ""
    return value if steps == ["Add", "Exp", "Neg"] else ""


def _is_number(graph: Graph, node: Node) -> bool:
    found = graph.constant(node.inputs[1]) if len(node.inputs) == 2 else None
    return found is not None and found.size == 1
