"""What a graph takes: rows of numbers, channels last, whole numbers, one photo at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.loaders.onnx.graphs import first, model, node, opened, said, tail, theirs, views
from xai_core.errors import LoadError, NeedsAnswer, ParamError, UnsupportedModel
from xai_core.explainer import explainers

GREY = np.array([0.299, 0.587, 0.114], np.float32)


def dense(*tail: int, batch: Any = "n", producer: str = "", classes: int = 4) -> Any:
    count = int(np.prod(tail))
    table = np.random.default_rng(2).standard_normal((count, classes)).astype(np.float32) / count
    nodes = [node("Reshape", ["x", "flat"], ["r"]), node("MatMul", ["r", "table"], ["y"])]
    weights = {"flat": np.array([-1, count]), "table": table * 30}
    return model(nodes, weights=weights, shape=(batch, *tail), producer=producer)


@pytest.mark.parametrize("tail", [(784,), (1, 784), (784, 1), (28, 28)])
def test_rows_of_grey_photos(tmp_path: Path, tail: tuple[int, ...]) -> None:
    loaded = opened(tmp_path / "m", dense(*tail))
    assert (loaded.input_size, loaded.channels) == ((28, 28), 1)
    photos = views(3, 28)
    rows = (photos @ GREY).reshape(3, *tail)
    np.testing.assert_allclose(loaded.logits(photos), theirs(tmp_path / "m", rows), atol=1e-5)
    assert "28 x 28" in said(loaded, "size")
    assert "--channels" in said(loaded, "size")
    assert explainers()["occlusion"].why_not(loaded) is None


@pytest.mark.parametrize(
    ("producer", "layout", "last"),
    [
        ("pytorch", None, False),
        ("tf2onnx", None, True),
        ("", None, False),
        ("pytorch", "channels-last", True),
        ("keras2onnx", "channels-first", False),
    ],
)
@pytest.mark.parametrize(("count", "side"), [(3072, 32), (12288, 64)])
def test_rows_of_coloured_photos(
    tmp_path: Path, producer: str, layout: Any, last: bool, count: int, side: int
) -> None:
    loaded = opened(tmp_path / "m", dense(count, producer=producer), layout=layout)
    assert (loaded.input_size, loaded.channels) == ((side, side), 3)
    photos = views(2, side)
    rows = (photos if last else first(photos)).reshape(2, -1)
    np.testing.assert_allclose(loaded.logits(photos), theirs(tmp_path / "m", rows), atol=1e-5)
    assert "warning" in said(loaded, "size")
    assert ("--layout" in said(loaded, "size")) == (layout is None)


def test_rows_that_are_no_square_want_their_size(tmp_path: Path) -> None:
    with pytest.raises(NeedsAnswer, match=r"--size.*rows of a table"):
        opened(tmp_path / "m", dense(8640))
    loaded = opened(tmp_path / "m", dense(8640), size=(48, 60))
    assert (loaded.input_size, loaded.channels) == ((48, 60), 3)
    with pytest.raises(ParamError, match="--size must fit the 8,640 numbers"):
        opened(tmp_path / "m", dense(8640), size=(48, 48))
    with pytest.raises(UnsupportedModel, match="a row of 13 numbers"):
        opened(tmp_path / "m", dense(13))


def test_whole_numbers_are_rounded_photos(tmp_path: Path) -> None:
    nodes = [
        node("Cast", ["x"], ["f"], to=1),
        node("Transpose", ["f"], ["t"], perm=[0, 3, 1, 2]),
        *tail("t"),
    ]
    loaded = opened(tmp_path / "m", model(nodes, shape=(1, 32, 32, 3), kind=2))
    bytes_ = np.rint(views(1) * 255).astype(np.uint8)
    given = theirs(tmp_path / "m", bytes_)
    np.testing.assert_allclose(loaded.logits(bytes_ / np.float32(255)), given, rtol=1e-4)
    assert loaded.preprocessing.name == "raw"


@pytest.mark.parametrize(
    ("steps", "weights", "name", "range_"),
    [
        ([("Div", "a")], {"a": 255.0}, "raw", 255),
        ([("Mul", "a"), ("Add", "b")], {"a": 1 / 127.5, "b": -1.0}, "raw", 255),
        ([("Sub", "a"), ("Div", "b")], {"a": [0.485, 0.456, 0.406], "b": [0.2] * 3}, "unit", 1),
        ([("Mul", "a"), ("Sub", "b")], {"a": 255.0, "b": [123.0, 117.0, 104.0]}, "unit", 1),
    ],
)
def test_a_graph_that_scales_its_photos_itself_says_what_it_takes(
    tmp_path: Path, steps: Any, weights: Any, name: str, range_: int
) -> None:
    nodes, value = [], "x"
    held = {
        key: np.asarray(number, np.float32).reshape((1, -1, 1, 1) if np.ndim(number) else ())
        for key, number in weights.items()
    }
    for at, (operator, constant) in enumerate(steps):
        nodes.append(node(operator, [value, constant], [f"s{at}"]))
        value = f"s{at}"
    loaded = opened(tmp_path / "m", model([*nodes, *tail(value)], weights=held))
    given = theirs(tmp_path / "m", first(views() * np.float32(range_)))
    np.testing.assert_allclose(loaded.logits(views()), given, rtol=1e-3, atol=1e-4)
    assert loaded.preprocessing.name == name
    assert "the graph itself scales" in loaded.preprocessing.why


@pytest.mark.parametrize("batch", [1, 3])
def test_a_fixed_batch_is_said(tmp_path: Path, batch: int) -> None:
    loaded = opened(tmp_path / "m", model(tail(), shape=(batch, 3, 32, 32)))
    assert loaded.logits(views(4)).shape == (4, 4)
    assert "at a time: methods that ask about many" in said(loaded, "")


def test_a_batch_that_the_graph_denies_goes_one_by_one(tmp_path: Path) -> None:
    nodes = [*tail(), node("Reshape", ["y", "one"], ["z"])]
    loaded = opened(tmp_path / "m", model(nodes, weights={"one": [1, -1]}, outputs=["z"]))
    alone = [theirs(tmp_path / "m", first(views()[at : at + 1]), "z")[0] for at in range(2)]
    np.testing.assert_allclose(loaded.logits(views()), alone, atol=1e-5)
    assert "one photo at a time" in said(loaded, "")


def test_photos_that_a_batch_mixes_go_one_by_one(tmp_path: Path) -> None:
    nodes = [
        *tail(),
        node("ReduceMax", ["y"], ["most"], axes=[0], keepdims=1),
        node("Sub", ["y", "most"], ["z"]),
        node("Add", ["z", "y"], ["w"]),
    ]
    loaded = opened(tmp_path / "m", model(nodes, outputs=["w"]))
    alone = [theirs(tmp_path / "m", first(views()[at : at + 1]), "w")[0] for at in range(2)]
    np.testing.assert_allclose(loaded.logits(views()), alone, atol=1e-5)
    assert "depends on the others" in said(loaded, "mode")


def test_a_size_that_no_pooling_frees_is_searched_on(tmp_path: Path) -> None:
    weights = {"table": np.ones((5 * 15 * 15, 3), np.float32), "rows": np.array([-1, 5 * 15 * 15])}
    nodes = [
        *tail()[:2],
        node("Reshape", ["kept", "rows"], ["r"]),
        node("MatMul", ["r", "table"], ["y"]),
    ]
    loaded = opened(tmp_path / "m", model(nodes, weights=weights, shape=("n", 3, "h", "w")))
    assert loaded.input_size == (32, 32)
    assert "warning: The graph does not say the size" in said(loaded, "size")


def test_a_size_that_the_graph_fixes_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="--size must be 32x32, which the graph has fixed"):
        opened(tmp_path / "m", model(tail()), size=(64, 64))


def test_channels_are_those_of_the_first_convolution(tmp_path: Path) -> None:
    weights = {"kernel": np.ones((5, 1, 3, 3), np.float32)}
    loaded = opened(tmp_path / "m", model(tail(), weights=weights, shape=("n", "c", "h", "w")))
    assert loaded.channels == 1


@pytest.mark.parametrize(
    ("shape", "kind", "said_"),
    [
        ((100_000, 3, 32, 32), 1, "100,000 photos at a time"),
        ((1, 3, 100_000, 100_000), 1, "100,000 x 100,000 pixels"),
        ((1, 3, 8, 32, 32), 1, "an array of 5 dimensions"),
        ((1, 3, 32, 32), 7, r"tensor\(int64\)"),
    ],
)
def test_photos_that_nobody_has_are_refused(
    tmp_path: Path, shape: Any, kind: int, said_: str
) -> None:
    nodes = [node("Cast", ["x"], ["f"], to=1), node("ReduceMean", ["f"], ["y"], axes=[2, 3])]
    with pytest.raises((UnsupportedModel, LoadError), match=said_):
        opened(tmp_path / "m", model(nodes, shape=shape, kind=kind))
