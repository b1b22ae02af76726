"""Looks into an ONNX file with no library: which operators it names, and what lies outside it.

The file is walked as protobuf's wire format; tensors are stepped over and never copied, so a file
of any size costs a few milliseconds. Field numbers are those of onnx.proto3.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from loaders.keras.audit import printable
from xai_core.errors import LoadError

DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
"""Sets of operators that the ONNX standard defines; all others bring code of their own."""

_MICROSOFT = """
    Attention BiasGelu BiasSoftmax DequantizeLinear DynamicQuantizeMatMul FastGelu FusedConv
    FusedGemm FusedMatMul Gelu LayerNormalization MatMulIntegerToFloat MultiHeadAttention
    NhwcMaxPool QAttention QGemm QLinearAdd QLinearAveragePool QLinearConcat QLinearConv
    QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul QLinearReduceMean QLinearSigmoid
    QLinearSoftmax QuantizeLinear QuickGelu SkipLayerNormalization
"""
_BLOCKED = """
    AveragePool Conv GlobalAveragePool GlobalMaxPool MaxPool ReorderInput ReorderOutput Upsample
"""
COMPUTES = {"com.microsoft": _MICROSOFT.split(), "com.microsoft.nchwc": _BLOCKED.split()}
"""onnxruntime's own operators that its optimiser and its quantiser write: they only compute.
Others of its sets load files or run code (EPContext, Python's own), and are refused."""

MAX_NODES, MAX_DEPTH = 200_000, 16
_FLOATS = (1, 10, 11, 16)  # float, float16, double, bfloat16
_EXTERNAL = 1
_DAMAGED = "This ONNX file is damaged or cut short: it cannot be read to its end. Export it again."


@dataclasses.dataclass
class Graph:
    """What a file says of itself; `parameters` counts the numbers in its weights."""

    name: str = ""
    producer: str = ""
    nodes: int = 0
    parameters: int = 0
    functions: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    used: set[tuple[str, str]] = dataclasses.field(default_factory=set)


def inspect(data: memoryview) -> Graph:
    """Read what the file says of itself. Raises LoadError for one that is damaged or refused."""
    graph = Graph()
    try:
        for field, value in _fields(data):
            if field == 2:
                graph.producer = _text(value)
            elif field == 7:
                _graph(graph, value, 0)
            elif field == 25:
                _function(graph, value)
    except (ValueError, IndexError, TypeError) as error:
        raise LoadError(_DAMAGED) from error
    if not graph.nodes:
        raise LoadError(f"This ONNX file holds no network. {_DAMAGED}")
    for domain, name in sorted(graph.used):
        known = domain in DOMAINS or name in COMPUTES.get(domain, ())
        if not known and (domain, name) not in graph.functions:
            raise LoadError(
                f"The operator {printable(name)} is of {printable(domain)}, a set of its own, and "
                f"not of the ONNX standard: its code is not run. Export the model with standard "
                "operators only."
            )
    return graph


def _graph(graph: Graph, data: memoryview, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise LoadError(f"The ONNX file's graphs are nested over {MAX_DEPTH} deep: it is refused.")
    for field, value in _fields(data):
        if field == 1:
            _node(graph, value, depth)
        elif field == 2 and not depth:
            graph.name = _text(value)
        elif field == 5:
            _tensor(graph, value)
        elif field == 15:  # a sparse tensor: its values, its indices
            for _, part in _fields(value):
                if isinstance(part, memoryview):
                    _tensor(graph, part)


def _function(graph: Graph, data: memoryview) -> None:
    name = domain = ""
    for field, value in _fields(data):
        if field == 1:
            name = _text(value)
        elif field == 7:
            _node(graph, value, 1)
        elif field == 10:
            domain = _text(value)
    graph.functions.add((domain, name))


def _node(graph: Graph, data: memoryview, depth: int) -> None:
    graph.nodes += 1
    if graph.nodes > MAX_NODES:
        raise LoadError(f"The ONNX file has over {MAX_NODES:,} operators: it is refused.")
    name = domain = ""
    for field, value in _fields(data):
        if field == 4:
            name = _text(value)
        elif field == 7:
            domain = _text(value)
        elif field == 5:
            for inner, part in _fields(value):
                if inner in (5, 10):
                    _tensor(graph, part)
                elif inner in (6, 11):
                    _graph(graph, part, depth + 1)
    graph.used.add((domain, name))


def _tensor(graph: Graph, data: memoryview) -> None:
    sides: list[int] = []
    kind = 0
    for field, value in _fields(data):
        if field == 1:
            sides += [value] if isinstance(value, int) else _packed(value)
        elif field == 2:
            kind = value
        elif field == 13 or (field == 14 and value == _EXTERNAL):
            raise LoadError(
                "This ONNX file keeps its weights in other files, which are not followed. Export "
                "it as one file: onnx.save(onnx.load('model.onnx'), 'whole.onnx')."
            )
    if kind in _FLOATS:
        graph.parameters += math.prod(sides)


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """Yield every field of a message: a number, or a view of its bytes."""
    place, end = 0, len(data)
    while place < end:
        key, place = _varint(data, place)
        wire = key & 7
        if wire == 0:
            value, place = _varint(data, place)
            yield key >> 3, value
            continue
        size = {1: 8, 5: 4}.get(wire)
        if wire == 2:
            size, place = _varint(data, place)
        if size is None or place + size > end:
            raise ValueError("no field of this format, or one that is longer than the file")
        yield key >> 3, data[place : place + size]
        place += size


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("a number of over 64 bits")


def _packed(data: memoryview) -> list[int]:
    numbers, place = [], 0
    while place < len(data):
        number, place = _varint(data, place)
        numbers.append(number)
    return numbers


def _text(data: object) -> str:
    if not isinstance(data, memoryview):
        raise TypeError("a number where a text belongs")
    return bytes(data[:200]).decode("utf-8", "replace")
