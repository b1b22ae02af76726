"""Small ONNX networks, made with `onnx`, and what onnxruntime says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from loaders.load import load
from loaders.preprocessing import Options

DRAW = np.random.default_rng(0)
WEIGHTS = {
    "kernel": DRAW.standard_normal((5, 3, 3, 3)).astype(np.float32),
    "dense": DRAW.standard_normal((4, 5)).astype(np.float32),
}
FLOAT = TensorProto.FLOAT
node = helper.make_node


def tail(photos: str = "x", scores: str = "y") -> list[NodeProto]:
    """Return the operations of a small classifier, from `[N, 3, h, w]` to scores of 4 classes."""
    return [
        node("Conv", [photos, "kernel"], ["maps"], strides=[2, 2]),
        node("Relu", ["maps"], ["kept"]),
        node("GlobalAveragePool", ["kept"], ["pooled"]),
        node("Flatten", ["pooled"], ["features"]),
        node("Gemm", ["features", "dense"], [scores], transB=1),
    ]


def model(
    nodes: Sequence[NodeProto],
    *,
    weights: Mapping[str, Any] | None = None,
    shape: Sequence[Any] = ("n", 3, 32, 32),
    kind: int = FLOAT,
    outputs: Mapping[str, int] | Sequence[str] = ("y",),
    metadata: Mapping[str, str] | None = None,
    producer: str = "",
    opset: int = 17,
) -> onnx.ModelProto:
    """Return a model of one input 'x'; outputs have no shape said."""
    kinds = outputs if isinstance(outputs, Mapping) else dict.fromkeys(outputs, FLOAT)
    held = {**WEIGHTS, **(weights or {})}
    used = {name for each in nodes for name in each.input}
    graph = helper.make_graph(
        list(nodes),
        "small",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, k, None) for name, k in kinds.items()],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in held.items() if k in used],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name=producer)
    helper.set_model_props(made, dict(metadata or {}))
    return made


def opened(path: Path, made: onnx.ModelProto, **options: Any) -> Any:
    """Write a model and load it."""
    path.write_bytes(made.SerializeToString())
    return load(path, Options(**options), name="upload")


def theirs(path: Path, photos: NDArray[Any], output: str = "y") -> NDArray[Any]:
    """Return what onnxruntime says by itself."""
    said = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(said.run([output], {"x": photos})[0])


def views(count: int = 2, size: int = 32) -> NDArray[np.float32]:
    """Return views `[N, h, w, 3]`."""
    return np.random.default_rng(1).random((count, size, size, 3), np.float32)


def first(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put channels first."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def said(made: Any, about: str) -> str:
    """Return the findings about something, with their levels."""
    return " ".join(f"{f.level}: {f.message}" for f in made.findings if f.about == about)
