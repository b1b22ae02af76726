"""The bytes that onnxruntime is given: the file's, with more outputs, and weights left outside.

Protobuf merges what stands twice, so a graph that holds one more output and nothing else, behind
the file's own bytes, makes any inner value an answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from loaders.onnx import wire
from loaders.onnx.graph import Graph
from loaders.onnx.parts import Tensor

LARGE_FILE = 200 << 20
"""Bytes from which a file's own weights are left where they are and read from there."""

LARGE_TENSOR = 1 << 16
"""Bytes from which a tensor is left in its file."""

SMALL_TENSOR = 1 << 10
"""Bytes up to which a tensor outside is brought in: onnxruntime needs shapes at hand."""


def assembled(
    data: memoryview,
    graph: Graph,
    *,
    path: Path,
    stored: Mapping[str, str],
    outputs: Sequence[str] = (),
    large: int = LARGE_FILE,
) -> bytes:
    """Return a model's bytes with the values `outputs` as further outputs.

    `path` is the file's and `stored` the names of those beside it by the graph's: tensors outside
    are pointed to them, and small ones brought in. Those of a file of over `large` bytes are
    pointed to the file itself, which keeps them out of memory.
    """
    if len(data) <= large and not graph.outside:
        parts: list[bytes | memoryview] = [data]
    else:
        parts = []
        for field, value, whole in wire.spans(data):
            if field != 7:
                parts.append(whole)
                continue
            inner = _graph(data, graph, value, path, stored, len(data) > large)
            parts += [wire.head(7, sum(map(len, inner))), *inner]
    if outputs:
        parts.append(wire.field(7, b"".join(wire.field(12, wire.field(1, o)) for o in outputs)))
    return b"".join(parts)


def _graph(
    data: memoryview,
    graph: Graph,
    value: memoryview,
    path: Path,
    stored: Mapping[str, str],
    large: bool,
) -> Sequence[bytes | memoryview]:
    parts: list[bytes | memoryview] = []
    for field, part, whole in wire.spans(value):
        tensor = graph.tensors.get(_name(part)) if field == 5 else None
        if tensor is None:
            parts.append(whole)
        elif tensor.outside is not None:
            place = tensor.outside
            name = stored[place.location.removeprefix("./")]
            if tensor.size <= SMALL_TENSOR:
                parts.append(_inside(tensor, path.parent / name, place.offset))
            else:
                parts.append(_pointed(tensor, name, place.offset))
        elif large and tensor.raw is not None and len(tensor.raw) >= LARGE_TENSOR:
            parts.append(_pointed(tensor, path.name, _place(data, tensor.raw)))
        else:
            parts.append(whole)
    return parts


def _inside(tensor: Tensor, path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return wire.field(5, b"".join([*_headed(tensor), wire.field(9, file.read(tensor.size))]))


def _headed(tensor: Tensor) -> list[bytes]:
    sides = [wire.field(1, side) for side in tensor.sides]
    return [*sides, wire.field(2, tensor.kind), wire.field(8, tensor.name)]


def _pointed(tensor: Tensor, name: str, offset: int) -> bytes:
    made = _headed(tensor)
    for key, value in (("location", name), ("offset", offset), ("length", tensor.size)):
        made.append(wire.field(13, wire.field(1, key) + wire.field(2, str(value))))
    made.append(wire.field(14, 1))
    return wire.field(5, b"".join(made))


def _name(part: memoryview) -> str:
    for field, value in wire.fields(part):
        if field == 8:
            return wire.text(value, 1 << 13)
    return ""


def _place(data: memoryview, part: memoryview) -> int:
    """Return where in the file a view of it begins."""
    whole, inner = (np.frombuffer(view, np.uint8) for view in (data, part))
    return int(inner.__array_interface__["data"][0] - whole.__array_interface__["data"][0])
