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
