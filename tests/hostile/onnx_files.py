"""Hostile ONNX files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.hostile.attack import Aim, Book

BOOK = Book()


def _network() -> onnx.ModelProto:
    draw = np.random.default_rng(0)
    weights = {
        "kernel": draw.standard_normal((4, 3, 3, 3)).astype(np.float32),
        "dense": draw.standard_normal((4, 3)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["c"]),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "dense"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3, 32, 32))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def good() -> bytes:
    """Return a network that loads."""
    data: bytes = _network().SerializeToString()
    return data


def _save(path: Path, model: onnx.ModelProto) -> None:
    path.write_bytes(model.SerializeToString())


for _absolute in (False, True):

    @BOOK.note("onnx", "weights are somebody's secret" + ", absolute" * _absolute)
    def _outside(path: Path, aim: Aim, absolute: bool = _absolute) -> None:
        model = _network()
        tensor = model.graph.initializer[1]
        tensor.ClearField("raw_data")
        tensor.data_type, tensor.dims[:] = TensorProto.UINT8, [8]
        tensor.data_location = TensorProto.EXTERNAL
        place = str(aim.secret) if absolute else os.path.relpath(aim.secret, path.parent)
        tensor.external_data.add(key="location", value=place)
        _save(path, model)


@BOOK.note("onnx", "an operator of its own")
def _own_operator(path: Path, aim: Aim) -> None:
    model = _network()
    node = helper.make_node("PyOp", ["x"], ["z"], domain="ai.onnx.contrib", module="os")
    model.graph.node.append(node)
    model.opset_import.append(helper.make_opsetid("ai.onnx.contrib", 1))
    _save(path, model)


@BOOK.note("onnx", "a compiled context from the disk")
def _context(path: Path, aim: Aim) -> None:
    model = _network()
    node = helper.make_node("EPContext", ["x"], ["z"], domain="com.microsoft")
    node.attribute.append(helper.make_attribute("ep_cache_context", str(aim.secret)))
    node.attribute.append(helper.make_attribute("embed_mode", 0))
    model.graph.node.append(node)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    _save(path, model)


@BOOK.note("bomb", "an onnx tensor of a petabyte")
def _petabyte(path: Path, aim: Aim) -> None:
    model = _network()
    shape = numpy_helper.from_array(np.array([1 << 25, 1 << 25], np.int64), "shape")
    model.graph.initializer.append(shape)
    model.graph.node.append(helper.make_node("ConstantOfShape", ["shape"], ["z"]))
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, None))
    _save(path, model)


@BOOK.note("bomb", "an onnx file of nested graphs")
def _nested(path: Path, aim: Aim) -> None:
    value = helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
    graph = helper.make_graph([], "inner", [], [value])
    for _ in range(25):
        node = helper.make_node("If", ["x"], ["b"], then_branch=graph, else_branch=graph)
        node.attribute.pop()
        graph = helper.make_graph([node], "inner", [], [value])
    model = _network()
    model.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=graph))
    _save(path, model)


@BOOK.note("names", "onnx markup")
def _markup(path: Path, aim: Aim) -> None:
    model = _network()
    model.graph.name = "<script>alert(1)</script>\n![x](http://127.0.0.1)"
    model.graph.node.append(helper.make_node("<b>\n\x1b[31m", ["x"], ["z"], domain="![](a)\n"))
    _save(path, model)


def _field(tag: int, data: bytes) -> bytes:
    size, head = len(data), bytearray([*_number(tag << 3 | 2)])
    return bytes(head) + _number(size) + data


def _number(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes([*made, value])


@BOOK.note("bomb", "onnx metadata of 100 MB in one value")
def _heavy_metadata(path: Path, aim: Aim) -> None:
    entry = _field(1, b"names") + _field(2, b"{" * 100_000_000)
    path.write_bytes(good() + _field(14, entry))


@BOOK.note("bomb", "onnx metadata of a million entries")
def _many_metadata(path: Path, aim: Aim) -> None:
    path.write_bytes(
        good() + b"".join(_field(14, _field(1, b"k%d" % n) + _field(2, b"v")) for n in range(10**6))
    )


@BOOK.note("bomb", "onnx metadata nested as deep as it goes")
def _deep_metadata(path: Path, aim: Aim) -> None:
    entry = _field(1, b"names") + _field(2, b"[" * 900_000)
    path.write_bytes(good() + _field(14, entry))


@BOOK.note("bomb", "an onnx output with a name of 2 MB")
def _long_name(path: Path, aim: Aim) -> None:
    model = _network()
    model.graph.node[-1].output[0] = model.graph.output[0].name = "y" * 2_000_000
    _save(path, model)


@BOOK.note("bomb", "an onnx file of four million operators")
def _many_operators(path: Path, aim: Aim) -> None:
    path.write_bytes(good() + _field(7, _field(1, b"\x22\x01A") * 4_000_000))


@BOOK.note("bomb", "an onnx file of empty fields")
def _empty_fields(path: Path, aim: Aim) -> None:
    path.write_bytes(good() + b"\x28\x00" * 8_000_000)


for _kind in ("raw", "typed", "outside"):

    @BOOK.note("bomb", f"an onnx constant of 2^40 numbers, {_kind}")
    def _huge_constant(path: Path, aim: Aim, kind: str = _kind) -> None:
        model = _network()
        tensor = model.graph.initializer[1]
        tensor.dims[:] = [1 << 20, 1 << 20]
        if kind == "typed":
            tensor.ClearField("raw_data")
            tensor.float_data.extend([1.0] * 12)
        elif kind == "outside":
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=path.name)
        _save(path, model)


@BOOK.note("bomb", "an onnx file that ends in what it does not hold")
def _missing_output(path: Path, aim: Aim) -> None:
    model = _network()
    model.graph.node[-1].output[0] = "z"
    model.graph.node.append(helper.make_node("Softmax", ["nowhere"], ["y"]))
    _save(path, model)


@BOOK.note("bomb", "an onnx file whose operators go in a circle")
def _circle(path: Path, aim: Aim) -> None:
    model = _network()
    model.graph.node[-1].output[0] = "z"
    model.graph.node.append(helper.make_node("Identity", ["b"], ["a"]))
    model.graph.node.append(helper.make_node("Identity", ["a"], ["b"]))
    model.graph.node.append(helper.make_node("Add", ["z", "a"], ["y"]))
    _save(path, model)


@BOOK.note("bomb", "an onnx function that calls itself")
def _recursion(path: Path, aim: Aim) -> None:
    model = _network()
    model.graph.node[-1].output[0] = "z"
    model.graph.node.append(helper.make_node("Self", ["z"], ["y"], domain="mine"))
    opsets = [helper.make_opsetid("mine", 1), helper.make_opsetid("", 17)]
    inner = [helper.make_node("Self", ["a"], ["b"], domain="mine")]
    model.functions.append(helper.make_function("mine", "Self", ["a"], ["b"], inner, opsets))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    _save(path, model)


@BOOK.note("bomb", "an onnx photo of 2^30 pixels a side")
def _vast_photo(path: Path, aim: Aim) -> None:
    model = _network()
    for side in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        side.dim_value = 1 << 30
    _save(path, model)


@BOOK.note("bomb", "an onnx batch of 2^40 photos")
def _vast_batch(path: Path, aim: Aim) -> None:
    model = _network()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1 << 40
    _save(path, model)
