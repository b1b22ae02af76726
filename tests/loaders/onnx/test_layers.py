"""Maps inside an ONNX graph, against the same values in numpy and onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.loaders.onnx.graphs import WEIGHTS, first, model, node, opened, tail, theirs, views
from workers.cards import describe
from xai_core.errors import ParamError
from xai_core.explainer import explainers, make
from xai_core.model import (
    Differentiates,
    HasLayers,
    HasNative,
    MasksFast,
    Predicts,
    Rewrites,
    RunsFrom,
    ShowsLayers,
)
from xai_core.perturb import Dense
from xai_core.target import BoxTarget, ClassTarget, UnitTarget


def maps(photos: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(first(photos))
    made = functional.conv2d(x, torch.from_numpy(WEIGHTS["kernel"]), stride=2).relu()
    return made.permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("batch", ["n", 1, 3])
@pytest.mark.parametrize("free", [False, True])
def test_a_map_is_read_out_of_the_graph(tmp_path: Path, batch: Any, free: bool) -> None:
    shape = (batch, 3, "h", "w") if free else (batch, 3, 32, 32)
    loaded = opened(tmp_path / "m", model(tail(), shape=shape), size=(32, 32))
    assert isinstance(loaded, ShowsLayers)
    assert not isinstance(loaded, HasLayers)
    shown = [(row.name, row.kind, row.map_size, row.channels) for row in loaded.layers()]
    assert shown == [("maps", "Conv", (15, 15), 5), ("kept", "Relu", (15, 15), 5)]
    photos = views(4)
    np.testing.assert_allclose(loaded.activations(photos, "kept"), maps(photos), atol=1e-5)
    with pytest.raises(ParamError, match="no layer 'other'; it has maps, kept"):
        loaded.activations(photos, "other")


def test_the_card_lists_them_and_grad_cam_says_what_it_lacks(tmp_path: Path) -> None:
    loaded = opened(tmp_path / "m", model(tail()))
    made = describe(loaded)
    assert [row.name for row in made.layers] == ["maps", "kept"]
    assert made.default_layer == "kept"  # without gradients, the last useful one
    serving = {name for name, served in made.methods.items() if served.why_not is None}
    assert {"eigencam", "fem", "scorecam"} <= serving
    assert not {"grad-cam", "cam", "ablationcam", "reciprocam"} & serving
    view = views(1)[0]
    for name in ("eigencam", "fem", "scorecam"):
        found = make(name, {}, size=(32, 32)).explain(loaded, view, ClassTarget(0))
        assert found.parameters["layer"] == "kept"
        assert found.attribution.shape == (32, 32)
    assert "gives its maps but no gradients" in str(explainers()["grad-cam"].why_not(loaded))


def test_masked_scores_of_units_and_classes_together(tmp_path: Path) -> None:
    loaded = opened(tmp_path / "m", model(tail()))
    image, behind = views(2)
    masks = np.random.default_rng(5).random((11, 32, 32), np.float32)
    mixed = (masks[..., None] * image + (1 - masks[..., None]) * behind).astype(np.float32)
    targets = [UnitTarget("kept", 1), ClassTarget(1), UnitTarget("maps", 2, (3, 4))]
    logits, kept = loaded.logits(mixed), maps(mixed)
    got = list(loaded.masked_scores(image, Dense(masks), behind, targets))
    scores = np.concatenate([part for _, part in got])
    np.testing.assert_allclose(scores[:, 0], kept[..., 1].mean((1, 2)), atol=1e-5)
    np.testing.assert_allclose(scores[:, 1], logits[:, 1], atol=1e-5)
    np.testing.assert_allclose(np.maximum(scores[:, 2], 0), kept[:, 3, 4, 2], atol=1e-5)
    with pytest.raises(ParamError, match="this one reads objects"):
        loaded.masked_scores(image, Dense(masks), behind, [BoxTarget((0, 0, 4, 4), 0)])


def test_what_it_lacks_is_said_in_the_words_of_each(tmp_path: Path) -> None:
    loaded = opened(tmp_path / "m", model(tail()))
    for need in (Predicts, MasksFast, ShowsLayers):
        assert loaded.lacks(need) is None
    words = {
        HasLayers: "gives its maps but no gradients",
        Differentiates: "answers but no gradients",
        RunsFrom: "not from one of its layers on",
        Rewrites: "no changed copy",
        HasNative: "no model of PyTorch or Keras",
        int: "needs int",
    }
    for need, said in words.items():
        assert said in str(loaded.lacks(need))
    loaded._places = {}
    assert "No value in the graph" in str(loaded.lacks(ShowsLayers))


def test_maps_behind_a_transposition_lie_with_their_channels_last(tmp_path: Path) -> None:
    nodes = [
        *tail()[:2],
        node("Transpose", ["kept"], ["last"], perm=[0, 2, 3, 1]),
        node("Mul", ["last", "last"], ["squared"]),
        node("Add", ["last", "squared"], ["sum"]),
        node("Transpose", ["sum"], ["back"], perm=[0, 3, 1, 2]),
        node("GlobalAveragePool", ["back"], ["pooled"]),
        *tail()[3:],
    ]
    loaded = opened(tmp_path / "m", model(nodes))
    found = loaded.activations(views(), "sum")
    np.testing.assert_allclose(found, maps(views()) + maps(views()) ** 2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("prefix", [0, 1, 2, 5])
def test_rows_of_tokens_are_maps_whatever_stands_before_them(tmp_path: Path, prefix: int) -> None:
    kernel = np.random.default_rng(4).standard_normal((6, 3, 8, 4)).astype(np.float32)
    weights = {
        "patch": kernel,
        "rows": np.array([0, 6, -1]),
        "first": np.ones((1, prefix, 6), np.float32),
        "g": np.ones(6, np.float32),
        "head": np.ones((6, 4), np.float32),
    }
    nodes = [
        node("Conv", ["x", "patch"], ["patches"], strides=[8, 4]),
        node("Reshape", ["patches", "rows"], ["flat"]),
        node("Transpose", ["flat"], ["turned"], perm=[0, 2, 1]),
    ]
    value = "turned"
    if prefix:
        nodes.append(node("Concat", ["first", "turned"], ["tokens"], axis=1))
        value = "tokens"
    nodes += [
        node("LayerNormalization", [value, "g"], ["normed"], axis=-1),
        node("ReduceMean", ["normed"], ["mean"], axes=[1], keepdims=0),
        node("MatMul", ["mean", "head"], ["y"]),
    ]
    made = model(nodes, weights=weights, shape=(1, 3, 32, 32))
    loaded = opened(tmp_path / "m", made)
    row = next(row for row in loaded.layers() if row.name == "normed")
    assert (row.map_size, row.channels) == ((4, 8), 6)
    made.graph.output.append(type(made.graph.output[0])(name="normed"))
    (tmp_path / "all").write_bytes(made.SerializeToString())
    given = theirs(tmp_path / "all", first(views(1)), "normed")[:, prefix:].reshape(1, 4, 8, 6)
    np.testing.assert_allclose(loaded.activations(views(1), "normed"), given, atol=1e-5)


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["/layer4/layer4.1/conv2/Conv", "/layer4/layer4.1/Relu"],
         ["layer4.1.conv2", "layer4.1.relu"]),
        (["/features/features.0/features.0.0/Conv", "/features/features.0/features.0.2/Relu"],
         ["features.0.0", "features.0.2"]),
        (["StatefulPartitionedCall/net/conv/Conv2D", "StatefulPartitionedCall/net/relu/Relu"],
         ["net/conv/Conv2D", "net/relu/Relu"]),
        (["", "same"], ["maps", "same"]),
        (["/same/Conv", "/same/Relu"], ["same", "same_2"]),
    ],
)  # fmt: skip
def test_names_are_those_of_the_modules(tmp_path: Path, names: Any, shown: Any) -> None:
    made = model(tail())
    for row, name in zip(made.graph.node, names, strict=False):
        row.name = name
    assert [row.name for row in opened(tmp_path / "m", made).layers()] == shown


def test_pytorchs_newer_exporter_says_the_modules_in_the_operations_metadata(
    tmp_path: Path,
) -> None:
    made = model(tail())
    for row, scopes in zip(made.graph.node, ("body.0", "body.1"), strict=False):
        entry = row.metadata_props.add()
        entry.key, entry.value = "pkg.torch.onnx.name_scopes", f"['', 'body', '{scopes}', 'x_1']"
    assert [row.name for row in opened(tmp_path / "m", made).layers()] == ["body.0", "body.1"]


def test_weights_of_attention_are_no_maps(tmp_path: Path) -> None:
    nodes = [
        *tail()[:2],
        node("Reshape", ["kept", "rows"], ["r"]),
        node("Transpose", ["r"], ["t"], perm=[0, 2, 1]),
        node("MatMul", ["t", "r"], ["square"]),
        node("Unsqueeze", ["square", "one"], ["heads"]),
        node("Add", ["heads", "heads"], ["attention"]),
        node("ReduceMean", ["attention"], ["m"], axes=[1, 2], keepdims=0),
    ]
    weights = {"rows": np.array([0, 5, -1]), "one": np.array([1])}
    loaded = opened(tmp_path / "m", model(nodes, weights=weights, outputs=["m"]))
    assert [row.name for row in loaded.layers()] == ["maps", "kept"]
