"""What an ONNX graph is told to do, as far as it shows it."""

from pathlib import Path

from tests.loaders.onnx.graphs import model, node, opened, tail
from workers.cards import describe


def test_a_graph_is_told_in_its_order(tmp_path: Path) -> None:
    nodes = [*tail(scores="z"), node("Softmax", ["z"], ["y"])]
    card = describe(opened(tmp_path / "m", model(nodes)))
    assert [(stage.title, stage.line) for stage in card.stages] == [
        ("15 x 15 cells, 5 channels", "3 x 3 convolution, ReLU"),
        ("No map", "global average pooling; dense layer; softmax"),
    ]
