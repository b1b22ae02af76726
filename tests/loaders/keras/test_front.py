"""What a network eats, behind augmentation and inside backbones, against the network itself."""

from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

from loaders.keras.model import KerasModel

SIDE = 32
LIBRARIES = {"keras": keras, "tf_keras": tf_keras}
PHOTO = np.random.default_rng(0).random((1, SIDE, SIDE, 3), np.float32)
both = pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)


def augmentation(library: Any) -> list[Any]:
    layers = library.layers
    return [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(0.1),
        layers.RandomZoom(0.1),
        layers.RandomContrast(0.1),
    ]


def body(library: Any, *front: Any) -> Any:
    """A backbone with its own front inside, as EfficientNet has."""
    view = library.Input((None, None, 3))
    maps = view
    for layer in front:
        maps = layer(maps)
    maps = library.layers.ZeroPadding2D()(maps)
    return library.Model(view, library.layers.Conv2D(6, 3, activation="tanh")(maps), name="body")


def network(library: Any, nested: bool, front: list[Any], inner: list[Any]) -> Any:
    library.utils.set_random_seed(1)
    view = library.Input((SIDE, SIDE, 3))
    steps, scaled = augmentation(library), view
    for layer in [*([library.Sequential(steps)] if nested else steps), *front]:
        scaled = layer(scaled)
    maps = body(library, *inner)(scaled, training=False)
    means = library.layers.GlobalAveragePooling2D()(maps)
    return library.Model(view, library.layers.Dense(3, "softmax", kernel_initializer="ones")(means))


def fronts(library: Any) -> dict[str, tuple[str, list[Any], list[Any]]]:
    """Name: what the network is to be fed with, what stands before its backbone, and inside."""
    layers = library.layers
    caffe = library.applications.resnet50.preprocess_input
    tensorflow = library.applications.mobilenet_v2.preprocess_input
    mean, variance = [0.485, 0.456, 0.406], [0.05, 0.05, 0.05]
    return {
        "nothing": ("unit", [], []),
        "inside": ("raw", [], [layers.Rescaling(1 / 255)]),
        "inside, then normalised": (
            "raw",
            [],
            [layers.Rescaling(1 / 255), layers.Normalization(mean=mean, variance=variance)],
        ),
        "before": ("raw", [layers.Rescaling(1 / 127.5, offset=-1)], []),
        "before and inside": ("raw", [layers.Rescaling(1 / 255)], [layers.Rescaling(1 / 255)]),
        "dark photos": ("raw", [layers.Normalization(mean=[40.0] * 3, variance=[100.0] * 3)], []),
        "of 0..1": ("unit", [layers.Rescaling(2.0, offset=-1)], []),
        "of 0..1, made larger": ("unit", [layers.Rescaling(255.0)], [layers.Rescaling(1 / 127.5)]),
        "of -1..1": ("symmetric", [layers.Rescaling(0.5, offset=0.5)], []),
        "arithmetic": ("raw", [lambda x: (x - 127.5) / 127.5], []),
        "preprocess_input": ("raw", [tensorflow], []),
        "preprocess_input of ResNet": ("raw", [caffe], []),
    }


@both
@pytest.mark.parametrize("name", fronts(keras))
def test_the_networks_own_scaling_is_found(library: Any, name: str) -> None:
    wanted, front, inner = fronts(library)[name]
    net = network(library, name != "arithmetic", front, inner)
    model = KerasModel(net)
    assert model.preprocessing.name == wanted
    fed = {"unit": PHOTO, "raw": 255 * PHOTO, "symmetric": 2 * PHOTO - 1}[wanted]
    expected = np.asarray(net(fed, training=False))
    found = model.head.probabilities(model.logits(PHOTO))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    said = " ".join(finding.message for finding in model.findings)
    assert ("Nothing in the file says" in said) == (name == "nothing")


class Own(keras.Model):
    """Subclassed, and scales in its own code."""

    def __init__(self) -> None:
        super().__init__()
        self.block = keras.Sequential([keras.layers.Conv2D(4, 3)])
        self.out = keras.layers.Dense(3)

    def call(self, x: Any) -> Any:
        return self.out(keras.ops.mean(self.block(x / 255.0 - 0.5), (1, 2)))


def test_a_subclassed_network_that_divides() -> None:
    model = KerasModel(Own(), owned=True)
    assert model.preprocessing.name == "raw"
    assert "the network scales its input itself" in model.preprocessing.why


def test_a_learnt_normalisation_says_what_it_learnt_of() -> None:
    for mean, variance, wanted in ((120.0, 4000.0, "raw"), (0.45, 0.07, "unit"), (0.0, 1.0, None)):
        norm = keras.layers.BatchNormalization()
        view = keras.Input((SIDE, SIDE, 3))
        maps = keras.layers.Conv2D(4, 3)(norm(view))
        net = keras.Model(view, keras.layers.GlobalAveragePooling2D()(maps))
        norm.set_weights([np.ones(3), np.zeros(3), np.full(3, mean), np.full(3, variance)])
        model = KerasModel(net)
        assert model.preprocessing.name == (wanted or "unit")
        assert ("BatchNormalization" in model.preprocessing.why) == bool(wanted)


def test_nothing_stays_replaced() -> None:
    net = network(keras, True, [], [])
    KerasModel(net)
    assert all("call" not in vars(layer) for layer in net.layers)
