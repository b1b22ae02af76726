"""Files of Keras weights alone: recognised by their shapes, and put where they belong."""

import warnings

import h5py
import numpy as np
import pytest
import torchvision  # noqa: F401 - before TensorFlow: the other order aborts the process

pytest.importorskip("tensorflow")

import keras
import tf_keras

from loaders.keras import file as loader
from loaders.keras import weights
from loaders.preprocessing import Options
from xai_core.errors import LoadError

LIBRARIES = {"keras": keras, "tf_keras": tf_keras}


def scattered(model, seed=0):
    """Give a model weights of which no two are alike, and that keep its scores apart."""
    rng = np.random.default_rng(seed)
    weights = [np.abs(rng.normal(1, 0.1, w.shape)) * (w + 0.01) for w in model.get_weights()]
    model.set_weights([w.astype(np.float32) for w in weights])
    return model


def saved(model, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras 3 advises against the older layout
        model.save_weights(path)
    return path


def tiny(library, filters=4, units=3):
    layers = library.layers
    size = {"shape": (8, 8, 3)} if library is keras else {"input_shape": (8, 8, 3)}
    return library.Sequential(
        [
            layers.InputLayer(**size),
            layers.Conv2D(filters, 3),
            layers.BatchNormalization(),
            layers.Conv2D(filters, 3),
            layers.Flatten(),
            layers.Dense(units),
        ]
    )


@pytest.fixture(scope="module")
def mobilenet():
    return scattered(tf_keras.applications.MobileNetV2(weights=None, classes=7))


def test_an_application_is_recognised_and_filled(mobilenet, tmp_path):
    path = saved(mobilenet, tmp_path / "m.h5")
    path = path.rename(tmp_path / "upload")  # the name is nobody's business
    model = loader.load(path, Options(), name="mine")
    assert (model.architecture, model.kind, len(model.labels)) == (
        "MobileNetV2",
        "Keras weights",
        7,
    )
    assert model.parameters == mobilenet.count_params()
    assert model.preprocessing.name == "symmetric"
    assert "Recognised as MobileNetV2" in model.findings[0].message
    views = np.random.default_rng(1).random((2, 224, 224, 3), np.float32)
    expected = mobilenet.predict(views * 2 - 1, verbose=0)
    assert np.ptp(expected) > 0.01
    found = model.head.probabilities(model.logits(views))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_application_is_recognised_in_the_newer_layout(mobilenet, tmp_path):
    path = saved(mobilenet, tmp_path / "m.weights.h5")
    assert weights.recognise(path) == ("MobileNetV2", 7)


@pytest.mark.parametrize("writer", LIBRARIES)
@pytest.mark.parametrize("reader", LIBRARIES)
@pytest.mark.parametrize("name", ["m.h5", "m.weights.h5"])
def test_weights_find_their_network(tmp_path, writer, reader, name):
    if writer == "keras" and name == "m.h5":
        pytest.skip("Keras 3 does not write it")
    model, other = scattered(tiny(LIBRARIES[writer])), tiny(LIBRARIES[reader])
    path = saved(model, tmp_path / name)
    assert weights.is_weights_only(path)
    assert weights.recognise(path) is None
    weights.fill(other, path)
    views = np.random.default_rng(1).random((2, 8, 8, 3), np.float32)
    np.testing.assert_allclose(np.asarray(other(views)), np.asarray(model(views)), atol=1e-5)


def test_weights_of_another_network_are_refused(tmp_path):
    path = saved(tiny(tf_keras), tmp_path / "m.h5")
    with pytest.raises(LoadError, match=r"another network: a tensor \[3\] is in the file"):
        weights.fill(tiny(keras, units=5), path)
    with pytest.raises(LoadError, match="belong to another network"):
        weights.fill(tiny(keras, filters=5), path)


def test_the_same_shapes_under_other_names_are_refused(tmp_path):
    path = saved(tiny(keras), tmp_path / "m.weights.h5")
    with h5py.File(path, "r+") as file:
        file.move("layers/conv2d", "layers/other")
    with pytest.raises(LoadError, match="which belong where"):
        weights.fill(tiny(keras), path)


def test_a_whole_model_is_not_weights_alone(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tiny(tf_keras).save(tmp_path / "m.h5")
    assert not weights.is_weights_only(tmp_path / "m.h5")
    (tmp_path / "cut.h5").write_bytes((tmp_path / "m.h5").read_bytes()[:3000])
    assert not weights.is_weights_only(tmp_path / "cut.h5")


def test_weights_outside_the_file_are_refused(mobilenet, tmp_path):
    path = saved(mobilenet, tmp_path / "m.h5")
    with h5py.File(path, "r+") as file:
        del file["Conv1/Conv1/kernel:0"]
        file["Conv1/Conv1/kernel:0"] = h5py.ExternalLink("/etc/passwd", "/kernel")
    with pytest.raises(LoadError, match="points elsewhere"):
        loader.load(path, Options(), name="m")


@pytest.mark.parametrize("name", ["MobileNet", "MobileNetV3Small"])
def test_the_table_is_the_librarys(name):
    model = getattr(keras.applications, name)(weights=None, classes=1000)
    shapes = [tuple(weight.shape) for weight in model.weights if weight.shape]
    (digest,) = (
        weights.body_digest(body)
        for body, classes in weights.without_head(shapes)
        if classes == 1000
    )
    assert weights.table()[name] == digest


def test_no_two_networks_share_a_digest():
    table = weights.table()
    assert len(set(table.values())) == len(table)
    assert table.keys() == {name for name in dir(keras.applications) if name[0].isupper()}
