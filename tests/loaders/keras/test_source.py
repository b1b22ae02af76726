"""Keras files with classes of one's own, and weights alone: against the network that was saved."""

import sys
import types
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

from loaders.load import load
from loaders.preprocessing import Options
from xai_core.errors import LoadError, NeedsArchitecture, NeedsSource

SOURCE = """
import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="mine")
class Gate(layers.Layer):
    def __init__(self, strength=2.0, **rest):
        super().__init__(**rest)
        self.strength = strength

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="glorot_uniform")

    def call(self, x):
        return x * ops.sigmoid(self.strength * self.scale)

    def get_config(self):
        return {**super().get_config(), "strength": self.strength}


class Double(layers.Layer):
    def call(self, x):
        return 2 * x


def wavy(x):
    return ops.sin(3 * x)


class Net(keras.Model):
    def __init__(self, classes=4, **rest):
        super().__init__(**rest)
        self.classes = classes
        self.conv, self.head = layers.Conv2D(6, 3, activation="relu"), layers.Dense(classes)

    def call(self, x):
        return self.head(ops.mean(self.conv(x), (1, 2)))

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}
"""
SIDE = 24
PHOTOS = np.random.default_rng(0).random((3, SIDE, SIDE, 3), np.float32)


@pytest.fixture(autouse=True)
def _sandboxed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_SANDBOX", "holds")


def opened(path: Path, **options: Any) -> Any:
    return load(path, Options(**options), name="upload")


def same(model: Any, network: Any) -> bool:
    theirs = np.asarray(network(PHOTOS))
    assert np.ptp(theirs) > 1e-3
    return np.allclose(model.logits(PHOTOS), theirs, atol=1e-5)


def authors(kind: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    module = types.ModuleType("author")
    monkeypatch.setitem(sys.modules, "author", module)
    exec(SOURCE, module.__dict__)  # noqa: S102 - ours
    keras.saving.get_custom_objects().clear()  # what the loader finds is the source's alone
    keras.utils.set_random_seed(0)
    if kind == "subclassed":
        network = module.Net()
        network(PHOTOS)
        return network
    view = keras.Input((SIDE, SIDE, 3))
    maps = module.Gate()(keras.layers.Conv2D(6, 3, activation=module.wavy)(view))
    means = keras.layers.GlobalAveragePooling2D()(module.Double()(maps))
    return keras.Model(view, keras.layers.Dense(4)(means))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "name", "taken"),
    [
        ("functional", "net.keras", "wavy, Gate, Double"),
        ("functional", "net.h5", "wavy, Gate, Double"),
        ("subclassed", "net.keras", "Net"),
    ],
)
def test_its_own_classes_come_from_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str, taken: str
) -> None:
    network = authors(kind, monkeypatch)
    network.save(tmp_path / name)
    with pytest.raises(NeedsSource, match="Send the source of its class with it"):
        opened(tmp_path / name)
    with pytest.raises(NeedsSource, match="The source that came with it does not define it"):
        opened(tmp_path / name, source="def other(): pass")
    model = opened(tmp_path / name, source=SOURCE)
    assert same(model, network)
    assert any(
        f"the file's own were taken from it: {taken}." in each.message for each in model.findings
    )


def test_a_lambda_stays_refused_whatever_the_source_says(tmp_path: Path) -> None:
    network = keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.Lambda(lambda x: x)])
    network.save(tmp_path / "net.keras")
    with pytest.raises(LoadError, match="code") as caught:
        opened(tmp_path / "net.keras", source="class Lambda: pass")
    assert not isinstance(caught.value, NeedsSource)


def plain(library: Any, filters: int = 8) -> Any:
    library.utils.set_random_seed(0)
    view = library.Input((SIDE, SIDE, 3))
    # what Keras 3 cannot read of the older one's
    maps = library.layers.DepthwiseConv2D(3)(view)
    maps = library.layers.BatchNormalization()(library.layers.Conv2D(filters, 3)(maps))
    means = library.layers.GlobalAveragePooling2D()(library.layers.Activation("relu")(maps))
    return library.Model(view, library.layers.Dense(4)(means))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize(
    ("library", "name"),
    [(keras, "net.weights.h5"), (tf_keras, "net.weights.h5"), (tf_keras, "net.h5")],
)
def test_weights_are_joined_with_their_networks_json(
    tmp_path: Path, library: Any, name: str, trained: bool
) -> None:
    network, path = plain(library), tmp_path / "any-name"
    if trained:
        network.compile("adam", "mse")
        network.fit(PHOTOS, np.ones((3, 4)), verbose=0)
    network.save_weights(str(tmp_path / name))
    (tmp_path / name).rename(path)
    with pytest.raises(NeedsArchitecture, match=r"weights without their network.*to_json"):
        opened(path)
    model = opened(path, architecture=network.to_json())
    assert same(model, network)
    assert model.kind == "Keras weights"
    assert any("all of its weights are the file's" in each.message for each in model.findings)
    with pytest.raises(LoadError, match="another network"):
        opened(path, architecture=plain(library, filters=4).to_json())


def test_the_json_is_audited(tmp_path: Path) -> None:
    network = plain(keras)
    network.save_weights(tmp_path / "net.weights.h5")
    text = network.to_json()
    hostile = text.replace('"class_name": "Activation"', '"class_name": "Lambda"')
    with pytest.raises(LoadError, match="Lambda carries Python code"):
        opened(tmp_path / "net.weights.h5", architecture=hostile)
    with pytest.raises(LoadError, match="network's JSON is not the JSON"):
        opened(tmp_path / "net.weights.h5", architecture="{")
