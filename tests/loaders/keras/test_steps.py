"""What Keras networks are told to do, against truths written down by hand."""

from typing import Any

import pytest

from loaders.keras.model import KerasModel
from loaders.preprocessing import Options
from tests.loaders.keras.nets import LIBRARIES, residual, sequential, wrapped
from xai_core.stages import stages


def told(model: Any) -> list[tuple[str, str]]:
    return [(stage.title, stage.line) for stage in stages(wrapped(model).steps)]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_sequential(library: str) -> None:
    assert told(sequential(LIBRARIES[library], "relu")) == [
        (
            "14 x 14 cells, 4 to 5 channels",
            "3 x 3 convolution, ReLU, batch normalisation; 3 x 3 convolution, ReLU",
        ),
        ("7 x 7 cells, 5 channels", "max pooling"),
        ("No map, between 3 and 6 numbers", "dense layer, ReLU; dense layer; softmax"),
    ]


@pytest.mark.parametrize("library", LIBRARIES)
def test_shortcuts_and_branches(library: str) -> None:
    first, second, head = told(residual(LIBRARIES[library], "relu"))
    assert first[0] == "16 x 16 cells, 2 to 9 channels"
    parts = first[1].replace("2 times (3 x 3 convolution, ReLU)", "3 x 3 convolution, ReLU")
    assert set(parts.split("; ")) == {
        "3 x 3 convolution, ReLU", "5 x 5 convolution, ReLU", "sum", "joining",
    }  # fmt: skip
    assert second == (
        "14 x 14 cells, 5 channels",
        "3 x 3 convolution, ReLU; global average pooling; dense layer, sigmoid; gate",
    )
    assert head == ("No map, between 3 and 5 numbers", "global average pooling; dense layer")


def test_a_mobilenet_is_not_built_for_nothing() -> None:
    import keras

    network = keras.applications.MobileNetV2((64, 64, 3), 0.35, weights=None, classes=4)
    model = KerasModel(network, Options(preprocessing="symmetric", size=(64, 64)))
    found = [(stage.title, stage.line) for stage in stages(model.steps)]
    assert found[-1] == (
        "No map, between 4 and 1,280 numbers", "global average pooling; dense layer; softmax",
    )  # fmt: skip
    block = (
        "1 x 1 convolution, batch normalisation, ReLU6; 3 x 3 depthwise convolution, "
        "batch normalisation, ReLU6; 1 x 1 convolution, batch normalisation; sum"
    )
    assert found[2][0] == "8 x 8 cells, 16 to 96 channels"
    assert f"2 times ({block})" in found[2][1]
