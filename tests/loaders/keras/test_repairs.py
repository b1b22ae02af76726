"""What a later Keras does not know is left out, and what failed is said by its innermost error."""

import json

import keras
import pytest

from loaders.keras import repairs
from loaders.keras.reasons import reason


def test_only_what_is_at_rest_is_left_out_of_a_configuration() -> None:
    view = keras.Input((16, 16, 3))
    maps = keras.layers.RandomRotation(0.1)(view)
    config = keras.Model(view, keras.layers.Conv2D(2, 3)(maps)).get_config()
    assert repairs.repaired(config) is None
    rotation, convolution = (row["config"] for row in config["layers"][1:])
    rotation["value_range"] = [0, 255]
    convolution["value_range"] = [0, 255]
    mended = repairs.repaired(config)
    assert mended is not None
    rotation, convolution = (row["config"] for row in mended["layers"][1:])
    assert ("value_range" in rotation, "value_range" in convolution) == (False, True)
    json.dumps(mended)


def test_the_innermost_reason_is_shown() -> None:
    config = keras.layers.Conv2D(2, 3).get_config() | {"padding": "sideways"}
    whole = {"module": "keras.layers", "class_name": "Conv2D", "config": config}
    with pytest.raises(TypeError, match="sideways") as caught:
        keras.saving.deserialize_keras_object(whole)
    said = reason(caught.value)
    assert "sideways" in said
    assert "config=" not in said
    error = RuntimeError("outer")
    error.__cause__ = ValueError("\x1b[1minner\x1b[0m.\n\nArguments received by x")
    assert reason(error) == "inner"
    assert reason(ValueError("")) == "ValueError"
