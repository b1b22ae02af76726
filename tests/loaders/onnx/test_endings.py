"""The scores before a softmax or a sigmoid, whatever stands between it and the output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import NodeProto

from loaders.load import load
from loaders.preprocessing import Options
from tests.loaders.onnx.graphs import WEIGHTS, first, model, node, opened, said, tail, theirs, views
from xai_core.explainer import make
from xai_core.target import ClassTarget

STEEP = {"dense": WEIGHTS["dense"] * 300, "like": np.array([-1, 4]), "ax": np.array([1])}
STEEP |= {"hundred": np.float32(100), "one": np.float32(1), "tiny": np.float32(1e-9)}
LOW = {"lo": np.float32(1e-7), "hi": np.float32(1)}
SOFT = node("Softmax", ["y"], ["s"], axis=1)
SIGMOID = node("Sigmoid", ["y"], ["s"])

ENDS: dict[str, tuple[str, list[NodeProto]]] = {
    "softmax": ("softmax", [node("Softmax", ["y"], ["z"], axis=1)]),
    "cast": ("softmax", [SOFT, node("Cast", ["s"], ["z"], to=11)]),
    "reshaped": ("softmax", [SOFT, node("Reshape", ["s", "like"], ["z"])]),
    "flattened": ("softmax", [SOFT, node("Flatten", ["s"], ["z"])]),
    "clipped": ("softmax", [SOFT, node("Clip", ["s", "lo", "hi"], ["z"])]),
    "named": ("softmax", [SOFT, node("Identity", ["s"], ["z"])]),
    "percent": ("softmax", [SOFT, node("Mul", ["s", "hundred"], ["z"])]),
    "a map": ("softmax", [SOFT, node("Unsqueeze", ["s", "deep"], ["z"])]),
    "spelled out": (
        "softmax",
        [
            node("ReduceMax", ["y"], ["m"], axes=[1], keepdims=1),
            node("Sub", ["y", "m"], ["d"]),
            node("Exp", ["d"], ["e"]),
            node("ReduceSum", ["e", "ax"], ["t"], keepdims=1),
            node("Div", ["e", "t"], ["z"]),
        ],
    ),
    "log-softmax": ("log-softmax", [node("LogSoftmax", ["y"], ["z"], axis=1)]),
    "its logarithm": (
        "log-softmax",
        [SOFT, node("Add", ["s", "tiny"], ["t"]), node("Log", ["t"], ["z"])],
    ),
    "sigmoid": ("sigmoid", [node("Sigmoid", ["y"], ["z"])]),
    "sigmoid, clipped": ("sigmoid", [SIGMOID, node("Clip", ["s", "lo", "hi"], ["z"])]),
    "sigmoid, spelled out": (
        "sigmoid",
        [
            node("Neg", ["y"], ["n"]),
            node("Exp", ["n"], ["e"]),
            node("Add", ["e", "one"], ["p"]),
            node("Div", ["one", "p"], ["z"]),
        ],
    ),
}


@pytest.mark.parametrize("case", ENDS)
def test_the_scores_before_it_are_read(tmp_path: Path, case: str) -> None:
    kind, end = ENDS[case]
    weights = STEEP | LOW | {"deep": np.array([2, 3])}
    dtype = 11 if case == "cast" else 1
    made = model([*tail(), *end], weights=weights, outputs={"z": dtype})
    loaded = opened(tmp_path / "m", made)
    plain = model(tail(), weights=STEEP)
    (tmp_path / "plain").write_bytes(plain.SerializeToString())
    logits = theirs(tmp_path / "plain", first(views()))
    assert np.ptp(logits) > 40  # a softmax in float32 has none of them left
    np.testing.assert_allclose(loaded.logits(views()), logits, rtol=1e-4, atol=1e-2)
    assert loaded.head.kind == kind
    assert loaded.head.exclusive == (kind != "sigmoid")
    assert f"info: The network ends in a {kind}" in said(loaded, "head")


def test_the_map_of_a_saturated_network_is_the_torch_files_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITRINE_SANDBOX", "holds")
    torch.manual_seed(0)
    body = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 5, 4), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(392, 4)
    ).eval()
    with torch.no_grad():
        body[3].weight *= 300
    torch.save(body, tmp_path / "torch")
    weights = {
        "kernel": body[0].weight.detach().numpy(),
        "bias": body[0].bias.detach().numpy(),
        "dense": body[3].weight.detach().numpy(),
        "own": body[3].bias.detach().numpy(),
    }
    nodes = [
        node("Conv", ["x", "kernel", "bias"], ["c"], strides=[4, 4]),
        node("Relu", ["c"], ["r"]),
        node("Flatten", ["r"], ["f"]),
        node("Gemm", ["f", "dense", "own"], ["g"], transB=1),
        node("Softmax", ["g"], ["y"], axis=1),
    ]
    patches = {f"{what}_{side}": 8 for what in ("patch", "stride") for side in ("height", "width")}
    view = views()[0]
    ours = opened(tmp_path / "m", model(nodes, weights=weights))
    other = load(tmp_path / "torch", Options(size=(32, 32)), name="t")
    maps = [
        make("occlusion", patches).explain(each, view, ClassTarget(1)).attribution
        for each in (ours, other)
    ]
    assert np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] > 0.999


def test_where_they_cannot_be_read_it_is_said(tmp_path: Path) -> None:
    nodes = [
        *tail(),
        node("Softmax", ["y"], ["s"], axis=1),
        node("Add", ["y", "y"], ["w"]),
        node("Softmax", ["w"], ["t"], axis=1),
        node("Mean", ["s", "t"], ["z"]),
    ]
    loaded = opened(tmp_path / "m", model(nodes, outputs=["z"]))
    chances = theirs(tmp_path / "m", first(views()), "z")
    mine = loaded.head.probabilities(loaded.logits(views()))
    np.testing.assert_allclose(mine, chances, atol=1e-5)
    assert "warning: " in said(loaded, "head")
    assert "where it is saturated the scores are cut off" in said(loaded, "head")


@pytest.mark.parametrize("units", [1, 2])
def test_logits_between_0_and_1_are_no_chances(tmp_path: Path, units: int) -> None:
    weights = {"dense": WEIGHTS["dense"][:units] * 1e-3, "own": np.full(units, 0.5, np.float32)}
    nodes = [*tail()[:-1], node("Gemm", ["features", "dense", "own"], ["y"], transB=1)]
    loaded = opened(tmp_path / "m", model(nodes, weights=weights))
    given = theirs(tmp_path / "m", first(views()))
    assert 0 < given.min() < given.max() < 1
    expected = given if units == 2 else np.concatenate([-given / 2, given / 2], 1)
    np.testing.assert_allclose(loaded.logits(views()), expected, atol=1e-5)
    assert ("trained to predict a quantity" in said(loaded, "head")) == (units == 1)


def test_what_a_person_says_goes_before_the_graph(tmp_path: Path) -> None:
    made = model([*tail(), node("Softmax", ["y"], ["z"], axis=1)], outputs=["z"])
    as_logits = opened(tmp_path / "m", made, head="logits")
    chances = theirs(tmp_path / "m", first(views()), "z")
    np.testing.assert_allclose(as_logits.logits(views()), chances, atol=1e-6)
    assert opened(tmp_path / "m", made, head="softmax").head.kind == "softmax"
    plain = opened(tmp_path / "n", model(tail()), head="sigmoid")
    assert (plain.head.kind, plain.head.exclusive) == ("sigmoid", False)
    assert "as was said" in said(plain, "head")


def test_a_softmax_of_half_precision_is_read_before_it(tmp_path: Path) -> None:
    weights = {name: value.astype(np.float16) for name, value in WEIGHTS.items()}
    weights["dense"] *= 20
    nodes = [*tail(), node("Softmax", ["y"], ["z"], axis=1)]
    made = model(nodes, weights=weights, kind=10, outputs={"z": 10})
    loaded = opened(tmp_path / "m", made)
    plain = model(tail(), weights=weights, kind=10, outputs={"y": 10})
    (tmp_path / "p").write_bytes(plain.SerializeToString())
    given = theirs(tmp_path / "p", first(views()).astype(np.float16))
    np.testing.assert_allclose(loaded.logits(views()), given, atol=0.1)


@pytest.mark.parametrize("units", [1, 2])
def test_what_stays_between_0_and_1_is_no_chance_where_the_graph_sums_last(
    tmp_path: Path, units: int
) -> None:
    weights = {"dense": np.full((units, 5), 0.1, np.float32), "own": np.full(units, 0.2, "f")}
    nodes = [
        *tail()[:-1],
        node("Sigmoid", ["features"], ["gate"]),
        node("Gemm", ["gate", "dense", "own"], ["y"], transB=1),
    ]
    loaded = opened(tmp_path / "m", model(nodes, weights=weights))
    given = theirs(tmp_path / "m", first(views()))
    expected = given if units == 2 else np.concatenate([-given / 2, given / 2], 1)
    np.testing.assert_allclose(loaded.logits(views()), expected, atol=1e-5)


def test_classes_in_another_order_behind_the_softmax_are_not_looked_through(
    tmp_path: Path,
) -> None:
    nodes = [*tail(), SOFT, node("Gather", ["s", "order"], ["z"], axis=1)]
    weights = {"order": np.array([3, 1, 0, 2])}
    loaded = opened(tmp_path / "m", model(nodes, weights=weights, outputs=["z"]))
    chances = theirs(tmp_path / "m", first(views()), "z")
    found = loaded.head.probabilities(loaded.logits(views()))
    np.testing.assert_allclose(found, chances, atol=1e-5)
    assert "cut off" in said(loaded, "head")
