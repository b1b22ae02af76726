"""ONNX files against the same network in PyTorch, and those that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional

from loaders.formats import framework_of
from loaders.load import load
from loaders.onnx.graph import inspect
from loaders.preprocessing import Options
from xai_core.errors import LoadError, UnsupportedModel
from xai_core.explainer import explainers, make
from xai_core.model import Differentiates, HasLayers, MasksFast, Predicts
from xai_core.target import ClassTarget

DRAW = np.random.default_rng(0)
KERNEL = DRAW.standard_normal((5, 3, 3, 3)).astype(np.float32)
DENSE = DRAW.standard_normal((4, 5)).astype(np.float32)


def network(
    end: str = "",
    shape: tuple[Any, ...] = ("n", 3, 32, 32),
    *,
    last: bool = False,
    classes: int = 4,
    kind: int = TensorProto.FLOAT,
    domain: str = "",
) -> onnx.ModelProto:
    """Return a convolution, a mean and a dense layer, and what ends them."""
    nodes = []
    name = "x"
    if last:
        nodes.append(helper.make_node("Transpose", [name], ["t"], perm=[0, 3, 1, 2]))
        name = "t"
    nodes += [
        helper.make_node("Conv", [name, "kernel"], ["c"], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "dense"], ["y" if not end else "g"], transB=1),
    ]
    if end:
        nodes.append(helper.make_node(end, ["g"], ["y"], domain=domain))
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, (shape[0], classes))],
        [
            numpy_helper.from_array(KERNEL.astype(dtype), "kernel"),
            numpy_helper.from_array(DENSE[:classes].astype(dtype), "dense"),
        ],
    )
    opsets = [helper.make_opsetid("", 17)]
    if domain:
        opsets.append(helper.make_opsetid(domain, 1))
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def maps() -> onnx.ModelProto:
    """Return a network that answers with a map, as a segmenter does."""
    model = network()
    del model.graph.node[1:]
    model.graph.node[0].output[0] = "y"
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model


def opened(path: Path, model: onnx.ModelProto, **options: Any) -> Any:
    path.write_bytes(model.SerializeToString())
    return load(path, Options(**options), name="upload")


def theirs(views: np.ndarray, classes: int = 4) -> np.ndarray:
    x = torch.from_numpy(views).permute(0, 3, 1, 2)
    x = functional.conv2d(x, torch.from_numpy(KERNEL), stride=2).relu().mean((2, 3))
    return (x @ torch.from_numpy(DENSE[:classes]).T).numpy()


@pytest.mark.parametrize("end", ["", "Softmax", "LogSoftmax", "Sigmoid"])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("batch", ["n", 1, 3])
def test_answers_are_the_networks_own(tmp_path: Path, end: str, last: bool, batch: Any) -> None:
    shape = (batch, 32, 32, 3) if last else (batch, 3, 32, 32)
    model = opened(tmp_path / "file", network(end, shape, last=last))
    assert (model.framework, model.input_size, model.channels) == ("onnx", (32, 32), 3)
    assert model.parameters == KERNEL.size + DENSE.size
    views = DRAW.random((5, 32, 32, 3), np.float32)
    logits = theirs(views)
    chances = {
        "Sigmoid": 1 / (1 + np.exp(-logits)),
    }.get(end, np.exp(logits) / np.exp(logits).sum(1, keepdims=True))
    np.testing.assert_allclose(model.head.probabilities(model.logits(views)), chances, atol=1e-5)
    if not end:
        np.testing.assert_allclose(model.logits(views), logits, atol=1e-4)


@pytest.mark.parametrize("end", ["", "Sigmoid"])
def test_one_number_is_two_classes(tmp_path: Path, end: str) -> None:
    model = opened(tmp_path / "file", network(end, classes=1))
    views = DRAW.random((3, 32, 32, 3), np.float32)
    chance = 1 / (1 + np.exp(-theirs(views, 1)[:, 0]))
    said = model.head.probabilities(model.logits(views))
    np.testing.assert_allclose(said, np.stack([1 - chance, chance], 1), atol=1e-5)


def test_half_precision_and_free_sides(tmp_path: Path) -> None:
    half = network("", ("n", 3, "h", "w"), kind=TensorProto.FLOAT16)
    model = opened(tmp_path / "file", half, size=(48, 40))
    assert model.input_size == (48, 40)
    views = DRAW.random((2, 48, 40, 3), np.float32)
    np.testing.assert_allclose(model.logits(views), theirs(views), atol=2e-2)
    assert opened(tmp_path / "file", network("", ("n", 3, "h", "w"))).input_size == (224, 224)


def test_it_serves_what_needs_answers_only(tmp_path: Path) -> None:
    model = opened(tmp_path / "file", network())
    assert framework_of(tmp_path / "file") == "onnx"
    assert isinstance(model, Predicts)
    assert isinstance(model, MasksFast)
    assert not isinstance(model, Differentiates)
    assert not isinstance(model, HasLayers)
    assert explainers()["occlusion"].why_not(model) is None
    assert "maps but no gradients" in str(explainers()["grad-cam"].why_not(model))
    view = DRAW.random((32, 32, 3), np.float32)
    patches = {f"{what}_{side}": 8 for what in ("patch", "stride") for side in ("height", "width")}
    assert np.ptp(make("occlusion", patches).explain(model, view, ClassTarget(1)).attribution) > 0


def refusal(path: Path, model: onnx.ModelProto) -> str:
    with pytest.raises((LoadError, UnsupportedModel)) as refused:
        opened(path, model)
    return str(refused.value)


@pytest.mark.parametrize("level", ["EXTENDED", "ALL"])
def test_what_onnxruntime_optimised_says_the_same(tmp_path: Path, level: str) -> None:
    plain = tmp_path / "plain"
    onnx.save(network(), plain)
    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = getattr(
        onnxruntime.GraphOptimizationLevel, f"ORT_ENABLE_{level}"
    )
    settings.optimized_model_filepath = str(tmp_path / "fused")
    settings.log_severity_level = 4
    onnxruntime.InferenceSession(str(plain), settings, ["CPUExecutionProvider"])
    used = {node.domain for node in onnx.load(tmp_path / "fused").graph.node}
    assert used & {"com.microsoft", "com.microsoft.nchwc"}
    view = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    models = [load(tmp_path / name, Options(), name="m") for name in ("plain", "fused")]
    np.testing.assert_allclose(*(model.logits(view) for model in models), atol=1e-5)


def test_operators_of_onnxruntime_that_load_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"EPContext is of com\.microsoft, a set of its own"):
        opened(tmp_path / "m", network("EPContext", domain="com.microsoft"))


def test_operators_of_their_own_are_refused(tmp_path: Path) -> None:
    evil = network("Evil", domain="com.evil")
    assert "The operator Evil is of com.evil, a set of its own" in refusal(tmp_path / "f", evil)
    branch = helper.make_graph(
        [helper.make_node("Evil", [], ["b"], domain="com.evil")],
        "branch",
        [],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)],
    )
    hidden = network("Relu")
    node = helper.make_node("If", ["x"], ["z"], then_branch=branch, else_branch=branch)
    hidden.graph.node.append(node)
    assert "com.evil" in refusal(tmp_path / "f", hidden)


def test_the_files_own_functions_are_no_operators_of_their_own(tmp_path: Path) -> None:
    model = network("Same", domain="mine")
    model.functions.append(
        helper.make_function(
            "mine",
            "Same",
            ["a"],
            ["b"],
            [helper.make_node("Identity", ["a"], ["b"])],
            [helper.make_opsetid("", 17)],
        )
    )
    views = DRAW.random((2, 32, 32, 3), np.float32)
    loaded = opened(tmp_path / "file", model)
    np.testing.assert_allclose(loaded.logits(views), theirs(views), atol=1e-4)
    model.functions[0].node[0].domain = "com.evil"
    assert "com.evil" in refusal(tmp_path / "file", model)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (network(shape=("n", 7, 32, 32)), "takes 7 channels"),
        (maps(), "a network that gives maps"),
    ],
)
def test_what_is_no_classifier_is_named(tmp_path: Path, model: Any, said: str) -> None:
    assert said in refusal(tmp_path / "file", model)


def test_damage_is_named(tmp_path: Path) -> None:
    data = network().SerializeToString()
    for cut in (3, len(data) // 2, len(data) - 3):
        (tmp_path / "file").write_bytes(data[:cut])
        with pytest.raises(LoadError, match=r"damaged|no network"):
            load(tmp_path / "file", Options(), name="upload")


def test_a_number_without_an_end_is_damage() -> None:
    with pytest.raises(LoadError, match="damaged"):
        inspect(memoryview(b"\x08" + b"\xff" * 20))


def test_metadata_have_their_bounds(tmp_path: Path) -> None:
    model = network()
    onnx.helper.set_model_props(model, {f"k{number}": "v" for number in range(1_001)})
    assert "over 1,000 entries of metadata" in refusal(tmp_path / "f", model)
    onnx.helper.set_model_props(model, {"names": "x" * 5_000_000, "k" * 500: "v"})
    assert opened(tmp_path / "f", model).labels[0] == "class 0"


def test_a_constant_that_is_not_held_is_damage(tmp_path: Path) -> None:
    model = network()
    model.graph.initializer[1].dims[:] = [1 << 20, 1 << 20]
    assert "declares a constant of 1.1e+12 numbers (dense)" in refusal(tmp_path / "f", model)


def test_double_precision_is_no_damage(tmp_path: Path) -> None:
    double = TensorProto.DOUBLE
    kernel = numpy_helper.from_array(np.ones((4, 3, 3, 3)), "kernel")
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "kernel"], ["maps"]),
            helper.make_node("GlobalAveragePool", ["maps"], ["y"]),
        ],
        "double",
        [helper.make_tensor_value_info("x", double, ["n", 3, 32, 32])],
        [helper.make_tensor_value_info("y", double, ["n", 4, 1, 1])],
        [kernel],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    said = refusal(tmp_path / "f", model)
    assert "model.float()" in said
    assert "damaged" not in said


def test_a_graph_that_gives_what_it_does_not_hold_is_damage(tmp_path: Path) -> None:
    model = network("Softmax")
    model.graph.node[-1].input[0] = "nowhere"
    assert "onnxruntime cannot run this file" in refusal(tmp_path / "f", model)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_the_smallest_files_are_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(b"\x08\x08"[:size])
    with pytest.raises(LoadError):
        load(tmp_path / "file", Options(), name="upload")
    if size:
        with pytest.raises(LoadError):
            inspect(memoryview(b"\x08\x08"[:size]))
