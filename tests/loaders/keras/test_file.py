"""Keras files, from bytes to classes: real ones, both libraries' ones, and hostile ones."""

import json
import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torchvision  # noqa: F401 - before TensorFlow: the other order aborts the process

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf
import tf_keras

from loaders.keras import audit
from loaders.keras import file as loader
from loaders.keras import read as reading
from loaders.load import load
from loaders.preprocessing import Options
from xai_core.errors import LoadError, ParamError, UnsupportedModel
from xai_core.target import ClassTarget

LIBRARIES = {"keras": keras, "tf_keras": tf_keras}


def start(library, shape):
    size = {"shape": shape} if library is keras else {"input_shape": shape}
    return library.layers.InputLayer(**size)


def saved(model, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both advise against HDF5
        model.save(path)
    return path


def small(library, *end, shape=(16, 16, 3), front=()):
    layers = library.layers
    body = [layers.Conv2D(4, 3, activation="tanh"), layers.GlobalAveragePooling2D()]
    return library.Sequential([start(library, shape), *front, *body, *end])


def messages(model):
    return " ".join(finding.message for finding in model.findings)


# real files


@pytest.fixture(scope="module")
def mobilenet(shared):
    return load(shared / "models/imagenet_mobilenet_v2.h5", Options(), name="mobilenet")


def test_a_cat_is_a_cat(mobilenet):
    data = pytest.importorskip("skimage.data")
    view, _ = mobilenet.preprocessing.view(data.chelsea())
    probabilities = mobilenet.head.probabilities(mobilenet.logits(view[None]))[0]
    best = [mobilenet.labels[index] for index in np.argsort(probabilities)[::-1][:2]]
    assert set(best) & {"Egyptian cat", "tabby"}
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_what_is_known_of_an_application(mobilenet):
    assert (mobilenet.framework, mobilenet.architecture) == ("keras", "MobileNetV2")
    assert (mobilenet.parameters, len(mobilenet.labels)) == (3_538_984, 1000)
    assert mobilenet.preprocessing.name == "symmetric"
    assert (mobilenet.preprocessing.fit, mobilenet.preprocessing.resize) == ("crop", 256)
    assert "assumed from the architecture, MobileNetV2" in messages(mobilenet)
    assert mobilenet.layers()[0].name == "Conv1"
    assert mobilenet.layers()[-1].name == "out_relu"
    assert mobilenet.layers()[-1].map_size == (7, 7)
    assert mobilenet.layers()[-1].channels == 1280


def test_another_size_than_the_networks_own_is_refused(shared):
    path = shared / "models/imagenet_mobilenet_v2.h5"
    with pytest.raises(ParamError, match="--size must be 224x224, the network's own, got 96x96"):
        load(path, Options(size=(96, 96)), name="mobilenet")


def test_a_grey_network_of_2017(shared):
    names = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    options = Options(classes=names, preprocessing="symmetric")
    model = load(shared / "models/emotions_mini_xception.hdf5", options, name="emotions")
    assert (model.channels, model.input_size, model.labels) == (1, (64, 64), names)
    assert (model.preprocessing.channels, model.head.kind) == ("grey", "softmax")
    last = model.layers()[-1]
    assert (last.name, last.map_size, last.channels) == ("conv2d_7", (4, 4), 7)
    view = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    logits = model.logits(view)
    maps, gradients = model.activation_gradients(view, "conv2d_7", ClassTarget(3))
    # the logits are the means of conv2d_7's maps, one for each class
    np.testing.assert_allclose(maps.mean((1, 2)), logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(gradients[..., 3], 1 / 16, rtol=1e-5)
    assert not gradients[..., :3].any()


# files written by both libraries


@pytest.mark.parametrize("writer", LIBRARIES)
def test_a_backbone_with_a_head_of_ones_own(tmp_path, writer):
    library = LIBRARIES[writer]
    layers = library.layers
    model = library.Sequential(
        [
            library.applications.ResNet50(include_top=False, weights=None, input_shape=(96, 96, 3)),
            layers.Conv2D(4, 3, padding="same"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(8),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )
    read = loader.load(saved(model, tmp_path / "m.h5"), Options(), name="own")
    assert (read.framework, read.architecture) == (writer, "ResNet")
    assert ("tf_keras" in messages(read)) == (writer == "tf_keras")
    assert read.preprocessing.name == "caffe"
    names = [layer.name for layer in read.layers()]
    assert {"resnet50/conv1_conv", "resnet50/conv5_block3_out"} <= set(names)
    assert names[-1].startswith("conv2d")
    assert "resnet50" not in names  # the same map as conv5_block3_out

    views = np.random.default_rng(0).random((2, 96, 96, 3), np.float32)
    expected = np.asarray(model(read.preprocessing.normalise(views), training=False))
    got = read.head.probabilities(read.logits(views))
    np.testing.assert_allclose(got, expected, atol=1e-4)
    full = read.activations(views, "resnet50/conv5_block3_out")
    assert full.shape == (2, 3, 3, 2048)
    for alias in ("resnet50", "conv5_block3_out"):
        np.testing.assert_array_equal(read.activations(views, alias), full)
    with pytest.raises(ParamError, match="no layer with a map is called 'nothing'"):
        read.activations(views, "nothing")


@pytest.mark.parametrize("ending", [".h5", ".keras"])
@pytest.mark.parametrize("writer", LIBRARIES)
def test_scaling_inside_and_one_sigmoid(tmp_path, writer, ending):
    library = LIBRARIES[writer]
    dense = library.layers.Dense(1, activation="sigmoid")
    model = small(library, dense, front=[library.layers.Rescaling(1 / 255)])
    read = loader.load(saved(model, tmp_path / f"m{ending}"), Options(), name="two")
    assert read.preprocessing.name == "raw"
    assert "Rescaling" in read.preprocessing.why
    assert (read.head.kind, read.head.exclusive, len(read.labels)) == ("sigmoid", True, 2)
    views = np.random.default_rng(0).random((3, 16, 16, 3), np.float32)
    expected = np.asarray(model(255 * views))[:, 0]
    logits = read.logits(views)
    np.testing.assert_array_equal(logits[:, 0], -logits[:, 1])
    np.testing.assert_allclose(read.head.probabilities(logits)[:, 1], expected, rtol=1e-5)
    np.testing.assert_allclose(logits[:, 1], np.log(expected / (1 - expected)) / 2, atol=1e-5)
    assert [layer.kind for layer in read.layers()] == ["Conv2D"]


def test_the_suffix_does_not_matter(tmp_path):
    path = saved(small(keras, keras.layers.Dense(2)), tmp_path / "m.keras")
    other = path.rename(tmp_path / "model.pth")
    assert loader.load(other, Options(), name="m").kind == "Keras archive"


def test_arithmetic_on_tensors(tmp_path):
    for name, library in LIBRARIES.items():
        image = library.Input((32, 32, 3))
        scaled = library.applications.mobilenet_v2.preprocess_input(image)
        maps = library.layers.Conv2D(4, 3)(scaled)
        scores = library.layers.Dense(3)(library.layers.GlobalMaxPooling2D()(maps))
        soft = keras.ops.softmax if library is keras else tf.nn.softmax
        model = library.Model(image, soft(scores))
        read = loader.load(saved(model, tmp_path / f"{name}.keras"), Options(), name="m")
        assert (read.framework, read.head.kind) == (name, "softmax")
        assert read.preprocessing.name == "raw"
        assert [layer.kind for layer in read.layers()] == ["Conv2D"]
        views = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
        expected = np.asarray(model(255 * views))
        np.testing.assert_allclose(read.head.probabilities(read.logits(views)), expected, atol=1e-5)


def test_a_compiled_submodel_brings_its_training(tmp_path):
    inner = small(keras, keras.layers.Dense(4))
    inner.compile("adam", keras.losses.MeanSquaredError(), metrics=["accuracy"])
    model = keras.Sequential([start(keras, (16, 16, 3)), inner, keras.layers.Dense(3)])
    read = loader.load(saved(model, tmp_path / "m.keras"), Options(), name="m")
    assert len(read.labels) == 3


# options


def test_class_names(tmp_path):
    path = saved(small(keras, keras.layers.Dense(2)), tmp_path / "m.keras")
    assert loader.load(path, Options(classes=("a", "b")), name="m").labels == ("a", "b")
    assert loader.load(path, Options(), name="m").labels == ("class 0", "class 1")
    with pytest.raises(LoadError, match="3 class names were given and the model has 2"):
        loader.load(path, Options(classes=("a", "b", "c")), name="m")


def test_a_network_of_any_size(tmp_path):
    model = small(keras, keras.layers.Dense(2), shape=(None, None, 3))
    path = saved(model, tmp_path / "m.keras")
    read = loader.load(path, Options(), name="m")
    assert read.input_size == (224, 224)
    assert "224 x 224 pixels is assumed" in messages(read)
    asked = loader.load(path, Options(size=(40, 60)), name="m")
    assert asked.input_size == (40, 60)
    assert asked.logits(np.zeros((2, 40, 60, 3), np.float32)).shape == (2, 2)
    assert "assumed" not in messages(asked)


# what is no image classifier


def refused(model, path, error=UnsupportedModel):
    with pytest.raises(error) as caught:
        loader.load(saved(model, path), Options(), name="m")
    return str(caught.value)


def test_what_is_no_classifier_is_named(tmp_path):
    image, more = keras.Input((16, 16, 3)), keras.Input((16, 16, 3))
    mean = keras.layers.GlobalAveragePooling2D()
    two = keras.Model([image, more], keras.layers.Dense(2)(mean(image) + mean(more)))
    assert "2 inputs" in refused(two, tmp_path / "two.keras")
    maps = keras.layers.Conv2D(2, 3)(image)
    both = keras.Model(image, [maps, maps])
    assert "2 outputs ([N, 14, 14, 2]" in refused(both, tmp_path / "both.keras")
    maps = keras.Model(image, keras.layers.Conv2D(2, 3)(image))
    said = refused(maps, tmp_path / "maps.keras")
    assert "[N, 14, 14, 2]" in said
    assert "no image classifier" in said
    table = keras.Sequential([start(keras, (8,)), keras.layers.Dense(2)])
    assert "inputs of shape [N, 8]" in refused(table, tmp_path / "table.keras")
    bands = small(keras, keras.layers.Dense(2), shape=(16, 16, 7))
    assert "takes 7 channels" in refused(bands, tmp_path / "bands.keras")
    one = small(keras, keras.layers.Dense(1, activation="softmax"))
    assert "softmax over one unit" in refused(one, tmp_path / "one.keras")


# hostile files


def test_a_lambda_is_refused(tmp_path):
    for name, library in LIBRARIES.items():
        model = small(library, library.layers.Lambda(lambda x: x * 2), library.layers.Dense(2))
        for ending in ("h5", "keras"):
            path = tmp_path / f"{name}.{ending}"
            assert "The layer Lambda carries Python code" in refused(model, path, LoadError)


def test_layers_and_models_of_ones_own_are_named(tmp_path):
    @keras.saving.register_keras_serializable("shop")
    class MyLayer(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    @keras.saving.register_keras_serializable("shop")
    class MyNet(keras.Model):
        def __init__(self, **settings):
            super().__init__(**settings)
            self.dense = keras.layers.Dense(2)

        def call(self, inputs):
            return self.dense(keras.ops.mean(inputs, (1, 2)))

    said = refused(small(keras, MyLayer(), keras.layers.Dense(2)), tmp_path / "a.h5", LoadError)
    assert "MyLayer is not one of Keras's own" in said
    net = MyNet()
    net(np.zeros((1, 16, 16, 3), np.float32))
    said = refused(net, tmp_path / "b.keras", LoadError)
    assert "MyNet (registered as shop>MyNet), a class of its own" in said


def test_a_bomb_between_two_layers_is_refused_before_it_is_built(tmp_path):
    """Each layer's side is in the file, but not the array between them, 3.7 GiB."""
    config = small(keras, keras.layers.Dense(4), keras.layers.Dense(4)).get_config()
    for layer in config["layers"]:
        if layer["class_name"] == "Dense":
            layer["config"]["units"] = 31_500
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["keras_version"] = "3.15.1"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config})
        file["model_weights/dense/kernel"] = np.zeros((1, 31_500), np.float32)
        file["model_weights/conv2d/bias"] = np.zeros(4, np.float32)
    with pytest.raises(LoadError, match=r"declares weights of .* too few to fill them"):
        loader.load(tmp_path / "m.h5", Options(), name="m")


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_budget_counts_both_libraries_variables(library):
    layer = LIBRARIES[library].layers.Dense(10)
    with reading._Budget(39), pytest.raises(LoadError, match="weights of 4 x 10"):
        layer.build((None, 4))
    layer = LIBRARIES[library].layers.Dense(10)
    with reading._Budget(50) as budget:
        layer.build((None, 4))
    assert budget.left == 0


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_tf_keras_finds_the_layer_that_it_forgets(tmp_path, ending):
    from tf_keras.src.applications.convnext import LayerScale

    body = small(tf_keras, tf_keras.layers.Dense(2), front=(LayerScale(0.5, 3),))
    path = saved(body, tmp_path / f"m.{ending}")
    model = loader.load(path, Options(preprocessing="unit"), name="m")
    view = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
    np.testing.assert_allclose(model.logits(view), body(view), atol=1e-5)


def test_what_neither_library_reads_gives_both_reasons(tmp_path):
    path = saved(small(tf_keras, tf_keras.layers.Dense(2)), tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["config"]["padding"] = "sideways"
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(LoadError, match="Neither Keras 3 nor tf_keras") as caught:
        loader.load(path, Options(), name="m")
    assert str(caught.value).count("|") == 2
    assert "\n" not in str(caught.value)


def test_a_configuration_of_no_network_is_named(tmp_path):
    path = saved(small(keras, keras.layers.Dense(2)), tmp_path / "whole.keras")
    with zipfile.ZipFile(path) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    for config, said in (({}, "a dict"), ({"class_name": "Zeros", "config": {}}, "and no network")):
        members["config.json"] = json.dumps(config)
        with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        with pytest.raises(LoadError, match=f"{said}|cannot rebuild it"):
            loader.load(tmp_path / "m.keras", Options(), name="m")


# the lists, held against the installed libraries


def test_every_layer_of_keras_is_allowed_or_known_to_be_refused():
    known = {
        "CategoryEncoding",
        "Discretization",
        "FlaxLayer",
        "HashedCrossing",
        "Hashing",
        "IntegerLookup",
        "JaxLayer",
        "Lambda",
        "Layer",
        "MaxNumBoundingBoxes",
        "MelSpectrogram",
        "ReversibleEmbedding",
        "STFTSpectrogram",
        "StringLookup",
        "TFSMLayer",
        "TextVectorization",
        "TorchModuleWrapper",
        "Wrapper",
    }
    own = {
        name
        for name, value in vars(keras.layers).items()
        if isinstance(value, type) and issubclass(value, keras.layers.Layer)
    }
    assert own - audit.LAYERS == known


def test_every_allowed_layer_exists():
    elsewhere = {"BatchNormalizationV1", "BatchNormalizationV2", "LayerScale"}
    elsewhere |= {"GroupedQueryAttention", "SyncBatchNormalization"}
    missing = {
        name
        for name in audit.LAYERS
        if not any(hasattr(library.layers, name) for library in LIBRARIES.values())
    }
    assert missing <= elsewhere


def test_a_file_of_keras_1_says_which_keras_still_reads_it(tmp_path):
    older = Path(__file__).resolve().parents[2] / "data" / "older" / "Keras-1.2.2.zip"
    with zipfile.ZipFile(older) as archive:
        for name in ("functional.h5", "nested.h5"):
            path = Path(archive.extract(name, tmp_path))
            with pytest.raises(LoadError, match=r"^Keras 1\.2\.2 wrote this.*Keras 2\.0 to 2\.2"):
                loader.load(path, Options(), name="m")
