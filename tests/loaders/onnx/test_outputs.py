"""Which of several outputs holds the scores, and what has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.loaders.onnx.graphs import FLOAT, first, model, node, opened, said, tail, theirs, views
from xai_core.errors import ParamError, UnsupportedModel

INT = 7
SOFT = node("Softmax", ["y"], ["s"], axis=1)
FEATURES = node("Identity", ["features"], ["hidden"])
SECOND = [node("Gemm", ["features", "other"], ["aux"], transB=1)]
OTHER = {"other": np.ones((4, 5), np.float32), "two": np.array([2])}

CASES: dict[str, tuple[list[Any], dict[str, int], str, str]] = {
    "features first": ([FEATURES], {"hidden": FLOAT, "y": FLOAT}, "y", "info"),
    "features without a name": (
        [node("Identity", ["features"], ["a"])],
        {"a": FLOAT, "y": FLOAT},
        "y",
        "info",
    ),
    "scores and softmax": ([SOFT], {"s": FLOAT, "y": FLOAT}, "y", "info"),
    "an auxiliary head": (SECOND, {"y": FLOAT, "aux": FLOAT}, "y", "info"),
    "a number and chances": (
        [SOFT, node("ArgMax", ["s"], ["label"], axis=1, keepdims=0)],
        {"label": INT, "s": FLOAT},
        "y",
        "info",
    ),
    "a number and the best chance": (
        [
            node("ArgMax", ["y"], ["label"], axis=1, keepdims=0),
            SOFT,
            node("ReduceMax", ["s"], ["best"], axes=[1], keepdims=0),
        ],
        {"label": INT, "best": FLOAT},
        "y",
        "info",
    ),
    "the best chances": (
        [SOFT, node("TopK", ["s", "two"], ["values", "indices"], axis=1)],
        {"values": FLOAT, "indices": INT},
        "y",
        "info",
    ),
    "a number alone": ([node("ArgMax", ["y"], ["label"], axis=1)], {"label": INT}, "y", "info"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_scores_are_found_and_said(tmp_path: Path, case: str) -> None:
    nodes, outputs, scores, level = CASES[case]
    loaded = opened(tmp_path / "m", model([*tail(), *nodes], weights=OTHER, outputs=outputs))
    (tmp_path / "p").write_bytes(model(tail()).SerializeToString())
    given = theirs(tmp_path / "p", first(views()), scores)
    np.testing.assert_allclose(loaded.logits(views()), given, atol=1e-4)
    assert f"{level}: The network has {len(outputs)} output" in said(loaded, "output")
    assert "--output" in said(loaded, "output")


def test_several_heads_are_a_guess_that_a_person_may_change(tmp_path: Path) -> None:
    nodes = [*tail(scores="a"), node("Gemm", ["features", "other"], ["b"], transB=1)]
    made = model(nodes, weights=OTHER, outputs=["a", "b"])
    loaded = opened(tmp_path / "m", made)
    assert "warning" in said(loaded, "output")
    assert "the first of several" in said(loaded, "output")
    given = theirs(tmp_path / "m", first(views()), "b")
    for asked in ("b", "1"):
        other = opened(tmp_path / "m", made, output=asked)
        np.testing.assert_allclose(other.logits(views()), given, atol=1e-5)
        assert said(other, "output") == ""
    with pytest.raises(ParamError, match=r"--output must be one that may hold .*\(a, b\)"):
        opened(tmp_path / "m", made, output="c")


def test_the_number_of_names_chooses(tmp_path: Path) -> None:
    other = {"other": np.ones((3, 5), np.float32)}
    nodes = [*tail(scores="a"), node("Gemm", ["features", "other"], ["b"], transB=1)]
    made = model(nodes, weights=other, outputs=["a", "b"])
    assert opened(tmp_path / "m", made, classes=("x", "y", "z")).labels == ("x", "y", "z")
    named = model(nodes, weights=other, outputs=["a", "b"], metadata={"names": "['x', 'y', 'z']"})
    assert opened(tmp_path / "m", named).labels == ("x", "y", "z")


@pytest.mark.parametrize("end", ["squeezed", "first", "map"])
def test_scores_of_other_shapes(tmp_path: Path, end: str) -> None:
    ends = {
        "squeezed": node("Squeeze", ["y"], ["z"]),
        "first": node("Gather", ["y", "zero"], ["z"], axis=0),
        "map": node("Unsqueeze", ["y", "deep"], ["z"]),
    }
    weights = {"zero": np.int64(0), "deep": np.array([2, 3])}
    batch = 1 if end == "squeezed" else "n"
    made = model(
        [*tail(), ends[end]], weights=weights, outputs=["z"], shape=(batch, 3, 32, 32)
    )  # fmt: skip
    loaded = opened(tmp_path / "m", made)
    (tmp_path / "p").write_bytes(model(tail()).SerializeToString())
    given = theirs(tmp_path / "p", first(views()))
    np.testing.assert_allclose(loaded.logits(views()), given, atol=1e-4)


def test_a_table_of_chances_is_read_before_it_is_made(tmp_path: Path) -> None:
    zipped = node(
        "ZipMap", ["s"], ["table"], domain="ai.onnx.ml", classlabels_strings=["a", "b", "c", "d"]
    )
    made = model([*tail(), SOFT, zipped], outputs={"table": FLOAT})
    made.graph.output[0].type.Clear()
    made.graph.output[0].type.sequence_type.elem_type.map_type.key_type = 8
    value = made.graph.output[0].type.sequence_type.elem_type.map_type.value_type
    value.tensor_type.elem_type = FLOAT
    loaded = opened(tmp_path / "m", made)
    assert loaded.labels == ("a", "b", "c", "d")
    assert "ZipMap" in said(loaded, "output")


@pytest.mark.parametrize(
    ("shape", "metadata", "sentence"),
    [
        ((1, 5, -1), {}, "as an object detector"),
        ((1, -1, 5), {}, "as an object detector"),
        ((1, 5, 15, 15), {}, "a network that gives maps"),
        ((1, 5, -1), {"task": "detect", "author": "Ultralytics"}, "an object detector of Ultra"),
        ((1, 5, -1), {"task": "segment"}, "segments objects"),
    ],
)
def test_what_is_no_classifier_is_named(
    tmp_path: Path, shape: Any, metadata: Any, sentence: str
) -> None:
    side = 15 if shape[-1] == 15 else 127
    kernel = np.ones((5 + (shape[-1] == 5), 3, 3, 3), np.float32)
    if shape[-1] == 5:
        shape = (1, -1, 6)
    nodes = [*tail()[:1], node("Reshape", ["maps", "shape"], ["y"])]
    made = model(
        nodes,
        weights={"shape": np.array(shape), "kernel": kernel},
        shape=(1, 3, 2 * side + 1, 2 * side + 1),
        metadata=metadata,
    )
    with pytest.raises(UnsupportedModel, match=sentence):
        opened(tmp_path / "m", made)


def _reshaped(name: str, *shape: int) -> tuple[Any, dict[str, Any]]:
    """Return a node that gives numbers made of the photo in a shape, and its weights."""
    grid = np.zeros(shape, np.float32)
    return node("Add", ["mean", f"{name}_grid"], [name]), {f"{name}_grid": grid}


@pytest.mark.parametrize(
    "answers",
    [
        {"detection_boxes": (1, 20, 4), "detection_scores": (1, 20), "num_detections": (1,)},
        {"boxes": (7, 4), "labels": (7,), "scores": (7,)},
        {"loc": (1, 90, 4), "conf": (1, 90, 2), "landms": (1, 90, 10)},
        {"a": (1, 21, 4, 4), "b": (1, 21, 8, 8), "c": (1, 21, 16, 16)},
        {"a": (1, 3, 4, 4, 7), "b": (1, 3, 8, 8, 7)},
    ],
)
def test_a_detector_of_several_outputs_is_no_classifier(tmp_path: Path, answers: Any) -> None:
    nodes, weights = [node("ReduceMean", ["x"], ["mean"], keepdims=0)], {}
    for name, shape in answers.items():
        made, own = _reshaped(name, *shape)
        nodes.append(made)
        weights.update(own)
    network = model(nodes, weights=weights, shape=(1, 3, 32, 32), outputs=list(answers))
    with pytest.raises(UnsupportedModel, match="as an object detector"):
        opened(tmp_path / "m", network)


def test_one_box_may_stand_beside_the_scores(tmp_path: Path) -> None:
    nodes = [*tail(), node("Gemm", ["features", "other"], ["box"], transB=1)]
    loaded = opened(tmp_path / "m", model(nodes, weights=OTHER, outputs=["box", "y"]))
    given = theirs(tmp_path / "m", first(views()), "y")
    np.testing.assert_allclose(loaded.logits(views()), given, atol=1e-5)


def test_features_alone_are_doubted(tmp_path: Path) -> None:
    loaded = opened(tmp_path / "m", model(tail(scores="embedding"), outputs=["embedding"]))
    assert "warning: The network's only output is called 'embedding'" in said(loaded, "output")
    assert said(opened(tmp_path / "p", model(tail())), "output") == ""


def test_an_overflow_is_no_mixing_of_photos(tmp_path: Path) -> None:
    nodes = [*tail(scores="q"), node("Log", ["below"], ["nan"]), node("Add", ["q", "nan"], ["y"])]
    loaded = opened(tmp_path / "m", model(nodes, weights={"below": np.float32(-1)}))
    assert said(loaded, "mode") == ""
    assert "not finite" in said(loaded, "answers")
