"""A backbone of keras.applications is known by its layers where its name is lost."""

import keras
import pytest
import tf_keras

from loaders.keras import recognise
from loaders.keras.model import KerasModel
from loaders.options import Options

LIBRARIES = {"keras": keras, "tf_keras": tf_keras}
RECIPES = {
    "MobileNet": "symmetric",
    "MobileNetV2": "symmetric",
    "MobileNetV3Small": "symmetric",
    "ResNet50": "caffe",
    "ResNet50V2": "symmetric",
    "VGG16": "caffe",
    "DenseNet121": "imagenet",
    "Xception": "symmetric",
    "InceptionV3": "symmetric",
    "EfficientNetB0": "imagenet",
    "EfficientNetV2B0": "symmetric",
}


@pytest.mark.parametrize(
    ("library", "name"),
    [("keras", name) for name in RECIPES]
    + [("tf_keras", name) for name in ("MobileNetV2", "ResNet50", "MobileNetV3Small", "VGG16")],
)
def test_it_is_known_by_its_layers(library, name):
    layers = LIBRARIES[library].layers
    base = getattr(LIBRARIES[library].applications, name)(
        include_top=False, weights=None, input_shape=(96, 96, 3)
    )
    means = layers.GlobalAveragePooling2D()(base.output)
    model = LIBRARIES[library].Model(base.input, layers.Dense(3)(means), name="mine")
    known = recognise.application(model)
    assert known is not None
    assert known.recipe == RECIPES[name]
    assert name.replace("50", "").startswith(known.title)


def test_a_head_of_ones_own_sees_whole_photos():
    base = keras.applications.MobileNetV2((96, 96, 3), 0.35, include_top=False, weights=None)
    means = keras.layers.GlobalAveragePooling2D()(base.output)
    model = KerasModel(keras.Model(base.input, keras.layers.Dense(3)(means), name="mine"))
    assert (model.preprocessing.name, model.preprocessing.fit) == ("symmetric", "stretch")
    published = KerasModel(keras.applications.MobileNetV2((96, 96, 3), 0.35, weights=None))
    assert (published.preprocessing.name, published.preprocessing.fit) == ("symmetric", "crop")
    # who trains a head of their own often divides by 255 alone, which no tensor tells
    assert [said.level for said in model.findings if "assumed" in said.message] == ["warning"]
    assert [said.level for said in published.findings if "assumed" in said.message] == ["info"]


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ({"mean": (0.4,), "std": (0.2,)}, None),
        ({"preprocessing": "raw"}, None),
        ({"mean": (0.4,)}, "But for the mean, which was set by hand, the pre-processing is "),
        ({"std": (0.4,)}, "But for the deviation, which was set by hand, the pre-processing is "),
        ({"size": (96, 96)}, "The pre-processing is "),
    ],
)
def test_what_is_assumed_is_what_is_applied(asked, left):
    base = keras.applications.MobileNetV2((96, 96, 3), 0.35, include_top=False, weights=None)
    means = keras.layers.GlobalAveragePooling2D()(base.output)
    network = keras.Model(base.input, keras.layers.Dense(3)(means), name="mine")
    found = [said.message for said in KerasModel(network, Options(**asked)).findings]
    said = [message for message in found if "re-processing is 'symmetric'" in message]
    assert [message.partition("'")[0] for message in said] == ([] if left is None else [left])


def test_a_network_of_ones_own_with_such_names_is_not_one():
    view = keras.Input((32, 32, 3))
    maps = keras.layers.Conv2D(4, 3, name="block1_conv1")(view)
    maps = keras.layers.Conv2D(4, 3, name="block1_conv2")(maps)
    net = keras.Model(view, keras.layers.GlobalAveragePooling2D()(maps))
    assert recognise.application(net) is None
