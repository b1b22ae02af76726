"""What in a graph is in training mode, by its own words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.loaders.onnx.graphs import model, node, opened, tail

ONES = {name: np.ones(5, np.float32) for name in ("s", "b", "m", "v")}


def with_dropout(training: bool, ratio: float = 0.5) -> Any:
    weights = {"ratio": np.float32(ratio), "training": np.bool_(training)}
    nodes = tail()
    nodes.insert(4, node("Dropout", ["features", "ratio", "training"], ["dropped"]))
    nodes[5].input[0] = "dropped"
    return model(nodes, weights=weights)


def with_norm(training: int) -> Any:
    nodes = tail()
    outputs = ["normed", "mean", "var"] if training else ["normed"]
    norm = node("BatchNormalization", ["maps", *ONES], outputs, training_mode=training)
    nodes.insert(1, norm)
    nodes[2].input[0] = "normed"
    return model(nodes, weights=ONES)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (with_dropout(True), "its graph holds a Dropout in training mode"),
        (with_dropout(True, 0.0), ""),
        (with_dropout(False), ""),
        (with_norm(1), "its graph holds a BatchNormalization in training mode"),
        (with_norm(0), ""),
    ],
)
def test_it_is_named(tmp_path: Path, made: Any, reason: str) -> None:
    assert opened(tmp_path / "m", made).mode_reason == reason
