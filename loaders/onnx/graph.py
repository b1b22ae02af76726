"""Looks into an ONNX file with no library: its operators, its weights, what lies outside it.

The file is walked as protobuf's wire format; tensors are stepped over and never copied, so a file
of any size costs a few milliseconds. Field numbers are those of onnx.proto3.
"""

from __future__ import annotations

import dataclasses
import mmap
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loaders.class_names import MAX_LENGTH, MAX_NAMES
from loaders.keras.audit import printable
from loaders.onnx import wire
from loaders.onnx.operators import is_known
from loaders.onnx.parts import SMALL, Node, Outside, Tensor
from xai_core.errors import LoadError

MAX_NODES, MAX_DEPTH, MAX_EDGES = 200_000, 16, 2_000_000
MAX_NAME = 4_096
"""The longest name of a value, in bytes: they are kept whole."""

MAX_METADATA, MAX_KEY, MAX_VALUE = 1_000, 100, 4_000_000
"""Entries that the file's metadata may have, and the bytes of keys and values that are read."""

_FLOATS = (1, 10, 11, 16)  # float, float16, double, bfloat16
_TEXTS = 8
_DATA = (4, 5, 6, 7, 9, 10, 11)
_DAMAGED = "This ONNX file is damaged or cut short: it cannot be read to its end. Export it again."


@dataclasses.dataclass
class Graph:
    """What a file says of itself; `parameters` counts the numbers in its weights.

    `nodes` and `tensors` are those of the outermost graph; `everywhere` holds every operation
    that can be reached, in functions and branches as well.
    """

    name: str = ""
    producer: str = ""
    count: int = 0
    edges: int = 0
    entries: int = 0
    parameters: int = 0
    functions: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    used: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    nodes: list[Node] = dataclasses.field(default_factory=list)
    tensors: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    outside: list[tuple[Tensor, bool]] = dataclasses.field(default_factory=list)
    inputs: list[str] = dataclasses.field(default_factory=list)
    outputs: list[str] = dataclasses.field(default_factory=list)
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)

    @cached_property
    def makers(self) -> dict[str, Node]:
        """The operation that gives each value."""
        return {name: node for node in self.nodes for name in node.outputs if name}

    @cached_property
    def users(self) -> dict[str, list[Node]]:
        """The operations that take each value."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in node.inputs:
                found.setdefault(name, []).append(node)
        return found

    def constant(self, name: str) -> NDArray[np.generic] | None:
        """Return the numbers of a small constant, or None for what is none."""
        tensor = self.tensors.get(name)
        if tensor is None:
            node = self.makers.get(name)
            for _ in range(4):  # exporters wrap constants
                if node is None or node.operator not in ("Identity", "Cast") or not node.inputs:
                    break
                name = node.inputs[0]
                tensor, node = self.tensors.get(name), self.makers.get(name)
            if tensor is None and node is not None and node.operator == "Constant":
                tensor = node.tensor
        return None if tensor is None else tensor.values


def inspect(data: memoryview) -> Graph:
    """Read what the file says of itself. Raises LoadError for one that is damaged or refused."""
    graph = Graph()
    try:
        for field, value in wire.fields(data):
            if field == 2:
                graph.producer = wire.text(value)
            elif field == 7:
                _graph(graph, value, 0)
            elif field == 14:
                _metadata(graph, value)
            elif field == 25:
                _function(graph, value)
    except (ValueError, IndexError, TypeError) as error:
        raise LoadError(_DAMAGED) from error
    if not graph.count:
        raise LoadError(f"This ONNX file holds no network. {_DAMAGED}")
    for domain, name in sorted(graph.used):
        if not is_known(domain, name) and (domain, name) not in graph.functions:
            raise LoadError(
                f"The operator {printable(name)} is of {printable(domain)}, a set of its own, and "
                f"not of the ONNX standard: its code is not run. Export the model with standard "
                "operators only."
            )
    return graph


def holds_graph(path: Path) -> bool:
    """Say whether a file is made as a model is, from its outermost fields alone."""
    with path.open("rb") as file:
        try:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except ValueError:  # an empty one
            return False
    found = False
    try:
        for count, (field, value) in enumerate(wire.fields(data)):
            found = found or (field == 7 and isinstance(value, memoryview))
            if field == 0 or count > 20_000:
                return False
    except (ValueError, IndexError):
        return False
    return found


def _graph(graph: Graph, data: memoryview, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise LoadError(f"The ONNX file's graphs are nested over {MAX_DEPTH} deep: it is refused.")
    for field, value in wire.fields(data):
        if field == 1:
            node = _node(graph, value, depth)
            if not depth:
                graph.nodes.append(node)
        elif field == 2 and not depth:
            graph.name = wire.text(value)
        elif field == 5:
            tensor = _tensor(graph, value, outermost=not depth)
            if not depth:
                graph.tensors[tensor.name] = tensor
        elif field in (11, 12) and not depth:
            for inner, part in wire.fields(value):
                if inner == 1:
                    (graph.inputs if field == 11 else graph.outputs).append(_name(part))
        elif field == 15:  # a sparse tensor: its values, its indices
            for _, part in wire.fields(value):
                if isinstance(part, memoryview):
                    _tensor(graph, part)


def _function(graph: Graph, data: memoryview) -> None:
    name = domain = ""
    for field, value in wire.fields(data):
        if field == 1:
            name = wire.text(value)
        elif field == 7:
            _node(graph, value, 1)
        elif field == 10:
            domain = wire.text(value)
    graph.functions.add((domain, name))


def _node(graph: Graph, data: memoryview, depth: int) -> Node:
    graph.count += 1
    if graph.count > MAX_NODES:
        raise LoadError(f"The ONNX file has over {MAX_NODES:,} operators: it is refused.")
    operator = domain = name = scopes = ""
    classes: list[str] = []
    inputs: list[str] = []
    outputs: list[str] = []
    numbers: dict[str, tuple[int, ...]] = {}
    tensor = None
    for field, value in wire.fields(data):
        if field in (1, 2):
            graph.edges += 1
            if graph.edges > MAX_EDGES:
                raise LoadError(f"The ONNX file has over {MAX_EDGES:,} edges: it is refused.")
            (inputs if field == 1 else outputs).append(_name(value))
        elif field == 3:
            name = wire.text(value)
        elif field == 4:
            operator = wire.text(value)
        elif field == 7:
            domain = wire.text(value)
        elif field == 5:
            tensor = _attribute(graph, value, numbers, classes, depth) or tensor
        elif field == 9:
            scopes = _scopes(value) or scopes
    graph.used.add((domain, operator))
    return Node(
        operator,
        domain,
        name,
        tuple(inputs),
        tuple(outputs),
        numbers,
        tensor,
        scopes,
        tuple(classes),
    )


def _attribute(
    graph: Graph,
    data: memoryview,
    numbers: dict[str, tuple[int, ...]],
    classes: list[str],
    depth: int,
) -> Tensor | None:
    name, tensor = "", None
    found: list[int] = []
    for field, value in wire.fields(data):
        if field == 1:
            name = wire.text(value)
        elif field in (3, 8) and len(found) < 16:
            found += [value] if isinstance(value, int) else wire.packed(value[:160])
        elif field == 9 and name == "classlabels_strings" and len(classes) < MAX_NAMES:
            classes.append(wire.text(value, MAX_LENGTH + 1))
        elif field in (5, 10):
            tensor = _tensor(graph, value)
        elif field in (6, 11):
            _graph(graph, value, depth + 1)
    if found:
        numbers[name] = tuple(wire.number(value) for value in found)
    return tensor


def _scopes(data: memoryview) -> str:
    """Return where an operation stands in the network's modules, as PyTorch's exporter says."""
    key, value = "", None
    for field, part in wire.fields(data):
        if field == 1:
            key = wire.text(part)
        elif field == 2:
            value = part
    return wire.text(value, 2_000) if key == "pkg.torch.onnx.name_scopes" and value else ""


def _metadata(graph: Graph, data: memoryview) -> None:
    key, value = "", None
    graph.entries += 1
    if graph.entries > MAX_METADATA:
        raise LoadError(
            f"The ONNX file has over {MAX_METADATA:,} entries of metadata: it is refused."
        )
    for field, part in wire.fields(data):
        if field == 1 and len(part) <= MAX_KEY:
            key = wire.text(part)
        elif field == 2:
            value = part
    if not key or value is None or len(value) > MAX_VALUE:
        return
    graph.metadata[key] = wire.text(value, MAX_VALUE)


def _tensor(graph: Graph, data: memoryview, *, outermost: bool = False) -> Tensor:
    name = ""
    sides: list[int] = []
    kind = held = 0
    raw: memoryview | None = None
    typed: list[tuple[int, memoryview | int]] = []
    entries: dict[str, str] = {}
    external = False
    for field, value in wire.fields(data):
        if field == 1:
            sides += [value] if isinstance(value, int) else wire.packed(value)
        elif field == 2:
            kind = wire.number(value)
        elif field == 8:
            name = _name(value)
        elif field in _DATA:
            held += len(value) if isinstance(value, memoryview) else 8
            if field == 9:
                raw = value
            elif len(typed) <= SMALL:
                typed.append((field, value))
        elif field == 13:
            _entry(entries, value)
        elif field == 14:
            external = value == 1
    outside = _outside(entries) if external or entries else None
    tensor = Tensor(name, tuple(sides), kind, raw, tuple(typed), outside)
    if len(sides) > 64 or (outside is None and kind != _TEXTS and tensor.count > 4 * held):
        raise LoadError(
            f"The ONNX file declares a constant of {tensor.count:.3g} numbers "
            f"({printable(name, 60)}) and does not hold them. {_DAMAGED}"
        )
    if kind in _FLOATS:
        graph.parameters += tensor.count
    if outside is not None:
        graph.outside.append((tensor, outermost))
    return tensor


def _entry(entries: dict[str, str], data: memoryview) -> None:
    key = value = ""
    for field, part in wire.fields(data):
        if field == 1:
            key = wire.text(part, 40)
        elif field == 2:
            # whatever is longer than a file's name may be is no name, and stays too long
            value = wire.text(part, 300)
    if key in ("location", "offset", "length"):
        entries[key] = value


def _outside(entries: Mapping[str, str]) -> Outside:
    numbers = {}
    for key in ("offset", "length"):
        text = entries.get(key, "")
        if text and not (text.isascii() and text.isdigit() and len(text) < 16):
            raise LoadError(
                f"The ONNX file keeps weights outside and gives their {key} as "
                f"'{printable(text, 30)}', which is no number of bytes. {_DAMAGED}"
            )
        numbers[key] = int(text) if text else None
    return Outside(entries.get("location", ""), numbers["offset"] or 0, numbers["length"])


def _name(data: object) -> str:
    if isinstance(data, memoryview) and len(data) > MAX_NAME:
        raise LoadError(
            f"The ONNX file has a name of {len(data):,} bytes, and one may have {MAX_NAME:,}: it "
            "is refused."
        )
    return wire.text(data, MAX_NAME)
