"""The Keras adapter's numbers, held against closed forms, plain tapes and the model itself."""

import gc

import numpy as np
import pytest
import torchvision  # noqa: F401 - before TensorFlow: the other order aborts the process

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf
import tf_keras

from loaders.keras.model import BATCH, KerasModel
from loaders.preprocessing import PRESETS, Options, preset
from xai_core.errors import LoadError, ParamError, UnsupportedModel
from xai_core.model import (
    Differentiates,
    HasLayers,
    HasNative,
    MasksFast,
    Predicts,
)
from xai_core.perturb import Dense, Patches
from xai_core.target import ClassTarget

LIBRARIES = {"keras": keras, "tf_keras": tf_keras}
SIZE = (16, 16)
both = pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)


@pytest.fixture(autouse=True)
def seeds():
    for library in LIBRARIES.values():
        library.utils.set_random_seed(3)


def views(count=2, size=SIZE):
    return np.random.default_rng(1).random((count, *size, 3), np.float32)


def network(library, end, channels=3):
    """Smooth everywhere, so that finite differences are exact to the second order."""
    layers = library.layers
    image = library.Input((*SIZE, channels))
    maps = layers.Conv2D(4, 3, activation="tanh", name="first")(image)
    maps = layers.BatchNormalization(name="norm")(maps)
    maps = layers.Conv2D(5, 3, activation="tanh", name="second")(maps)
    maps = layers.Dropout(0.5, name="dropped")(maps)
    return library.Model(image, end(layers.GlobalAveragePooling2D()(maps)), name="net")


def sub(library, units=3, activation="softmax"):
    """One network inside another, its head in a third."""
    layers = library.layers
    inner = network(library, lambda mean: mean)
    maps = library.Model(inner.input, inner.get_layer("dropped").output, name="backbone")
    head = library.Sequential([layers.Dense(units, activation=activation)], name="head")
    return library.Sequential([maps, layers.GlobalAveragePooling2D(), head])


class Own(keras.Model):
    """A subclassed Keras 3 model."""

    def __init__(self, end):
        super().__init__()
        self.first = keras.layers.Conv2D(4, 3, activation="tanh")
        self.block = keras.Sequential([keras.layers.Conv2D(5, 3, activation="tanh")])
        self.pool = keras.layers.GlobalAveragePooling2D()
        self.end = end

    def call(self, inputs):
        return self.end(self.pool(self.block(self.first(inputs))))


class OldOwn(tf_keras.Model):
    """A subclassed model of tf_keras, with a choice in Python that a graph cannot make."""

    def __init__(self, end):
        super().__init__()
        self.first = tf_keras.layers.Conv2D(4, 3, activation="tanh")
        self.end = end

    def call(self, inputs):
        scores = self.end(tf.reduce_mean(self.first(inputs), (1, 2)))
        return scores if float(tf.reduce_sum(inputs)) > -1e9 else -scores


def heads_of(model):
    """How sure the one finding about the head is."""
    (said,) = [finding.level for finding in model.findings if finding.about == "head"]
    return said


def wrapped(model, **options):
    return KerasModel(model, Options(preprocessing="unit", size=SIZE, **options))


def messages(model):
    return " ".join(finding.message for finding in model.findings)


# heads


def log_softmax(library):
    """Keras has it by name; tf_keras takes TensorFlow's, and cannot copy a layer that has it."""
    return "log_softmax" if library is keras else tf.nn.log_softmax


ENDS = {
    "softmax": lambda layers: layers.Dense(3, activation="softmax"),
    "log-softmax": lambda layers: layers.Dense(3, activation="log_softmax"),
    "sigmoid": lambda layers: layers.Dense(3, activation="sigmoid"),
    "logits": lambda layers: layers.Dense(3),
}


@pytest.mark.parametrize(
    ("library", "kind"),
    [(keras, kind) for kind in ENDS] + [(tf_keras, kind) for kind in ENDS if kind != "log-softmax"],
)
def test_the_activation_is_taken_off_a_copy(library, kind):
    end = ENDS[kind](library.layers)
    net = network(library, end)
    before = np.asarray(net(views()))
    model = wrapped(net)
    assert (model.head.kind, model.head.exclusive) == (kind, kind != "sigmoid")
    mean = library.Model(net.input, net.layers[-2].output)(views())
    linear = np.asarray(mean) @ np.asarray(end.kernel) + np.asarray(end.bias)
    np.testing.assert_allclose(model.logits(views()), linear, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(net(views())), before)  # not ours, not touched
    assert heads_of(model) == "info"


@both
def test_log_softmax_of_a_model_that_is_ours(library):
    end = library.layers.Dense(3, activation=log_softmax(library))
    net = network(library, end)
    expected = np.exp(net(views()))
    model = KerasModel(net, Options(preprocessing="unit"), owned=True)
    assert (model.head.kind, heads_of(model)) == ("log-softmax", "info")
    logits = model.logits(views())
    assert (logits > 0).any()
    np.testing.assert_allclose(model.head.probabilities(logits), expected, atol=1e-6)


def test_what_cannot_be_copied_is_read_as_it_is():
    end = tf_keras.layers.Dense(3, activation=tf.nn.log_softmax)
    net = network(tf_keras, end)
    model = wrapped(net)
    assert (model.head.kind, "read as it is" in messages(model)) == ("log-softmax", True)
    np.testing.assert_allclose(model.logits(views()), net(views()), atol=1e-6)


@both
def test_an_activation_layer_at_the_end_or_in_the_last_submodel(library):
    for name, end in {
        "Softmax": lambda mean: library.layers.Softmax()(library.layers.Dense(3)(mean)),
        "Activation": lambda mean: library.layers.Activation("softmax")(
            library.layers.Dense(3)(mean)
        ),
        "then a shape": lambda mean: library.layers.Flatten()(
            library.layers.Activation("softmax")(
                library.layers.Reshape((1, 3))(library.layers.Dense(3)(mean))
            )
        ),
    }.items():
        net = network(library, end)
        expected = np.asarray(net(views()))
        for owned in (False, True):
            model = KerasModel(net, Options(preprocessing="unit"), owned=owned)
            assert model.head.kind == "softmax", name
            logits = model.logits(views())
            assert not np.allclose(logits.sum(1), 1, atol=0.01), name
            np.testing.assert_allclose(model.head.probabilities(logits), expected, atol=1e-6)
    model = wrapped(sub(library))
    assert "which is taken off" in messages(model)
    assert not np.allclose(model.logits(views()).sum(1), 1, atol=0.01)


@both
def test_one_sigmoid_is_two_classes(library):
    net = network(library, library.layers.Dense(1, activation="sigmoid"))
    model = wrapped(net)
    positive = np.asarray(net(views()))[:, 0]
    logits = model.logits(views())
    z = np.log(positive / (1 - positive))
    np.testing.assert_allclose(logits, np.stack([-z / 2, z / 2], 1), atol=1e-5)
    assert (model.head.kind, model.head.exclusive, len(model.labels)) == ("sigmoid", True, 2)


def test_one_linear_unit_is_two_classes_and_says_so():
    model = wrapped(network(keras, keras.layers.Dense(1)))
    assert (model.head.kind, len(model.labels)) == ("sigmoid", 2)
    assert "The network gives one number" in messages(model)


@both
def test_an_activation_that_serves_elsewhere_stays(library):
    """One softmax layer used twice cannot be taken off; it is inverted instead."""
    soft = library.layers.Softmax()
    net = network(library, lambda mean: soft(library.layers.Dense(3)(soft(mean))))
    model = KerasModel(net, Options(preprocessing="unit"), owned=True)
    assert "and it is inverted" in messages(model)
    assert model.head.kind == "softmax"
    expected = np.asarray(net(views()))
    np.testing.assert_allclose(model.head.probabilities(model.logits(views())), expected, atol=1e-6)


@pytest.mark.parametrize("make", [Own, OldOwn])
def test_subclassed_models_are_told_by_the_layer_that_gives_their_output(make):
    library = keras if make is Own else tf_keras
    for activation, units, kind in (
        ("softmax", 3, "softmax"),
        ("sigmoid", 3, "sigmoid"),
        ("sigmoid", 1, "sigmoid"),
        (None, 3, "logits"),
    ):
        net = make(library.layers.Dense(units, activation=activation))
        model = wrapped(net)
        assert model.head.kind == kind
        assert "answers" not in messages(model)
        assert repr(net.end.name) in messages(model)
        got = model.head.probabilities(model.logits(views()))
        expected = np.asarray(net(views()))
        if kind == "logits":
            np.testing.assert_allclose(model.logits(views()), expected, atol=1e-6)
        else:
            np.testing.assert_allclose(got[:, -units:], expected, atol=1e-5)
        assert np.abs(model.gradients(views(), ClassTarget(0))).max() > 0
    kinds = [(layer.kind, layer.name.count("/")) for layer in model.layers()]
    assert kinds == [("Conv2D", 0), ("Conv2D", 1)][: len(kinds)]
    assert len(kinds) == (2 if make is Own else 1)


# what goes in


@pytest.mark.parametrize("name", PRESETS)
@both
def test_normalisation_is_the_declared_one(library, name):
    for channels in (1, 3):
        seen = library.Input((*SIZE, channels))
        count = SIZE[0] * SIZE[1] * channels
        same = library.layers.Dense(count, kernel_initializer="identity")
        net = library.Model(seen, same(library.layers.Flatten()(seen)))
        how = preset(name, SIZE, channels=channels)
        model = KerasModel(net, preprocessing=how)
        assert model.preprocessing == how
        expected = how.normalise(views()).reshape(2, -1)
        np.testing.assert_allclose(model.logits(views()), expected, rtol=1e-4, atol=2e-4)


def test_scaling_inside_is_recognised():
    layers = keras.layers
    for front, name in (
        ([layers.Rescaling(1 / 127.5, offset=-1)], "raw"),
        ([layers.Rescaling(2.0, offset=-1)], "unit"),
        ([layers.RandomFlip(), layers.Rescaling(1 / 255)], "raw"),
        ([keras.Sequential([layers.Rescaling(1 / 255)])], "raw"),
        ([layers.Normalization(mean=[120.0] * 3, variance=[50.0] * 3)], "raw"),
        ([layers.Normalization(mean=[0.5] * 3, variance=[0.1] * 3)], "unit"),
        ([layers.Conv2D(3, 1), layers.Rescaling(1 / 255)], None),
    ):
        net = keras.Sequential([keras.Input((*SIZE, 3)), *front, layers.Flatten(), layers.Dense(2)])
        model = KerasModel(net)
        assert model.preprocessing.name == (name or "unit"), front
        assert ("network begins with" in model.preprocessing.why) == bool(name)
        assert all(layer.kind != "Rescaling" for layer in model.layers())


def test_a_given_size_or_grey_serves_a_subclassed_model():
    model = KerasModel(Own(keras.layers.Dense(2)), Options(size=(20, 24), channels="grey"))
    assert (model.input_size, model.channels) == ((20, 24), 1)
    assert model.logits(views(2, (20, 24))).shape == (2, 2)
    model = KerasModel(Own(keras.layers.Dense(2)))
    assert model.input_size == (224, 224)
    assert "224 x 224 pixels is assumed" in messages(model)


def test_a_network_that_does_not_run_says_why():
    class Broken(keras.Model):
        def call(self, inputs):
            raise ValueError("the answer is 42")

    with pytest.raises(LoadError, match=r"does not run on a photo of 16 x 16 .*the answer is 42"):
        wrapped(Broken())


def test_channels_first_is_refused():
    image = keras.Input((3, 16, 16))
    net = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image)))
    with pytest.raises(UnsupportedModel, match="channels first"):
        KerasModel(net)


# gradients


@both
@pytest.mark.parametrize("end", ["softmax", "sigmoid", "one"])
def test_gradients_are_those_of_finite_differences(library, end):
    units = 1 if end == "one" else 3
    dense = library.layers.Dense(units, activation="sigmoid" if end == "one" else end)
    model = KerasModel(network(library, dense), Options(preprocessing="imagenet"))
    batch = views()
    for target in (
        ClassTarget(0),
        ClassTarget(1, against=0),
        ClassTarget(0, of="probability"),
        ClassTarget(1, against=0, of="probability"),
    ):
        gradient = model.gradients(batch, target)
        assert gradient.shape == batch.shape
        # half the pixels, each the way that raises the score: nothing cancels
        some = np.random.default_rng(2).random(batch.shape) < 0.5
        step = (5e-3 * np.sign(gradient) * some).astype(np.float32)
        ahead, behind = (
            target.score(model.logits(batch + sign * step), model.head) for sign in (1, -1)
        )
        expected = (gradient * step).sum((1, 2, 3))
        np.testing.assert_allclose((ahead - behind) / 2, expected, rtol=0.01)


@both
def test_gradients_of_a_linear_model_are_its_weights(library):
    image = library.Input((*SIZE, 3))
    dense = library.layers.Dense(2)
    net = library.Model(image, dense(library.layers.Flatten()(image)))
    model = KerasModel(net, Options(preprocessing="caffe"))
    weights = np.asarray(dense.kernel).reshape(*SIZE, 3, 2)
    expected = weights[..., ::-1, 1] * 255  # blue, green, red in units of 1/255
    np.testing.assert_allclose(model.gradients(views(), ClassTarget(1))[1], expected, rtol=1e-5)


@both
def test_inner_gradients_are_those_of_a_model_split_by_hand(library):
    dense = library.layers.Dense(3, activation="softmax")
    net = network(library, dense)
    model = wrapped(net)
    maps = library.Model(net.input, net.get_layer("first").output)(views())
    norm, second, pool = (net.layers[index] for index in (2, 3, -2))
    with tf.GradientTape() as tape:
        tape.watch(maps)
        mean = pool(second(norm(maps, training=False)))
        logits = tf.linalg.matmul(mean, tf.convert_to_tensor(dense.kernel)) + dense.bias
        score = logits[:, 2] - logits[:, 0]
    activations, gradients = model.activation_gradients(views(), "first", ClassTarget(2, against=0))
    np.testing.assert_allclose(activations, maps, atol=1e-5)
    np.testing.assert_allclose(gradients, tape.gradient(score, maps), atol=1e-6)
    np.testing.assert_allclose(model.activations(views(), "first"), maps, atol=1e-5)


@both
def test_inner_gradients_in_a_nested_network(library):
    """The logits are linear in the last maps' means: gradient = weight / positions."""
    net = sub(library)
    model = wrapped(net)
    kernel = np.asarray(net.layers[-1].layers[-1].kernel)
    for name in ("backbone/second", "second", "backbone"):
        maps, gradients = model.activation_gradients(views(), name, ClassTarget(1))
        assert maps.shape == gradients.shape == (2, 12, 12, 5)
        np.testing.assert_allclose(
            gradients, np.broadcast_to(kernel[:, 1] / 144, gradients.shape), rtol=1e-5
        )


@both
def test_a_layer_off_the_path_has_no_gradient(library):
    image = library.Input((*SIZE, 3))
    layers = library.layers
    used, unused = layers.Conv2D(2, 3, name="used")(image), layers.Conv2D(2, 3, name="un")(image)
    joined = layers.Concatenate()([used, layers.Cropping2D(0)(unused)])
    only = layers.Dense(
        2, kernel_initializer=lambda shape, dtype=None: np.eye(*shape, dtype="float32")
    )
    model = wrapped(library.Model(image, only(layers.GlobalAveragePooling2D()(joined))))
    assert not model.activation_gradients(views(), "un", ClassTarget(0))[1].any()
    assert model.activation_gradients(views(), "used", ClassTarget(0))[1].any()


# layers


@both
def test_layers_are_listed_once_in_the_order_of_execution(library):
    rows = wrapped(sub(library)).layers()
    assert [(row.name, row.map_size, row.channels) for row in rows] == [
        ("backbone/first", (14, 14), 4),
        ("backbone/norm", (14, 14), 4),
        ("backbone/second", (12, 12), 5),  # not the Dropout after it, nor the backbone itself
    ]


def test_a_name_in_two_submodels_is_ambiguous():
    def part(name, channels):
        image = keras.Input((*SIZE, channels))
        maps = keras.layers.Conv2D(3, 3, padding="same", name="conv")(image)
        return keras.Model(image, maps, name=name)

    net = keras.Sequential(
        [
            part("one", 3),
            part("two", 3),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    model = wrapped(net)
    assert [row.name for row in model.layers()] == ["one/conv", "two/conv"]
    with pytest.raises(ParamError, match="2 layers are called 'conv'"):
        model.activations(views(), "conv")
    np.testing.assert_array_equal(
        model.activations(views(), "two"), model.activations(views(), "two/conv")
    )


def test_a_layer_that_runs_twice_gives_its_last_output():
    shared = keras.layers.Conv2D(3, 3, padding="same", activation="tanh", name="shared")
    image = keras.Input((*SIZE, 3))
    twice = shared(shared(image))
    net = keras.Model(image, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(twice)))
    model = wrapped(net)
    expected = keras.Model(image, twice)(views())
    np.testing.assert_allclose(model.activations(views(), "shared"), expected, atol=1e-6)
    kernel = np.asarray(net.layers[-1].kernel)[:, 0]
    gradients = model.activation_gradients(views(), "shared", ClassTarget(0))[1]
    np.testing.assert_allclose(gradients, np.broadcast_to(kernel / 256, gradients.shape), rtol=1e-5)


def test_tokens_that_fill_a_square_are_a_map():
    layers = keras.layers
    image = keras.Input((*SIZE, 3))
    tokens = layers.Reshape((25, 8))(layers.Conv2D(8, 3, strides=3, name="patches")(image))
    tokens = layers.ZeroPadding1D((1, 0))(tokens)  # in the place of a class token
    attended = layers.MultiHeadAttention(2, 4, name="attention")(tokens, tokens)
    last = layers.LayerNormalization(name="last")(attended)
    net = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling1D()(last)))
    model = wrapped(net)
    names = {row.name: row.map_size for row in model.layers()}
    assert names["last"] == names["patches"] == (5, 5)
    assert not any(name.startswith("attention/") for name in names)
    values = np.asarray(keras.Model(image, last)(views()))[:, 1:].reshape(2, 5, 5, 8)
    maps, gradients = model.activation_gradients(views(), "last", ClassTarget(0))
    np.testing.assert_allclose(maps, values, atol=1e-5)
    assert gradients.shape == maps.shape


def test_layers_are_put_back_after_an_error():
    model = wrapped(network(keras, keras.layers.Dense(2)))
    layer = model.native_layer("second")
    with pytest.raises(Exception, match="shape"):  # each library raises its own
        model.activation_gradients(views(2, (3, 3)), "second", ClassTarget(0))
    assert "call" not in vars(layer)
    with pytest.raises(IndexError):
        model.activation_gradients(views(), "second", ClassTarget(5))
    assert "call" not in vars(layer)
    assert model.logits(views()).shape == (2, 2)


# masks


@both
def test_masked_scores_are_those_of_the_masked_views(library):
    net = network(library, library.layers.Dense(3, activation="softmax"))
    model = wrapped(net)
    image, behind = views()
    masks = np.random.default_rng(5).random((37, *SIZE), np.float32)
    targets = [ClassTarget(0), ClassTarget(2, of="probability")]
    got = list(model.masked_scores(image, Dense(masks), behind, targets))
    assert [part.start for part, _ in got] == list(range(0, 37, BATCH))
    scores = np.concatenate([part for _, part in got])
    mixed = masks[..., None] * image + (1 - masks[..., None]) * behind
    logits = model.logits(mixed.astype(np.float32))
    expected = np.stack([target.score(logits, model.head) for target in targets], 1)
    assert scores.shape == (37, 2)
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_a_last_batch_of_another_size_is_not_traced_again():
    traces = 0

    class Counted(keras.layers.Layer):
        def call(self, inputs):
            nonlocal traces
            traces += 1
            return inputs

    image = keras.Input((*SIZE, 3))
    end = keras.layers.Dense(2)(keras.layers.Flatten()(Counted()(image)))
    model = wrapped(keras.Model(image, end))
    model.logits(views(1))
    traces = 0
    for count in (1, 5, 16, 17):
        model.logits(views(count))
    list(
        model.masked_scores(views()[0], Patches(SIZE, (4, 4), (2, 2)), views()[1], [ClassTarget(0)])
    )
    assert traces == 0


# native


@both
@pytest.mark.parametrize("end", ["softmax", "sigmoid", "one"])
def test_native_gives_the_same_logits_and_shares_its_layers(library, end):
    units = 1 if end == "one" else 3
    dense = library.layers.Dense(units, activation="sigmoid" if end == "one" else end)
    model = KerasModel(network(library, dense), Options(preprocessing="caffe"))
    native = model.native()
    assert isinstance(native, library.Model)
    assert native.inputs[0].shape[1:] == (*SIZE, 3)
    np.testing.assert_allclose(native(views()), model.logits(views()), atol=1e-5)
    inner = model.native_layer("second")
    inner.set_weights([np.zeros_like(weight) for weight in inner.get_weights()])
    np.testing.assert_allclose(native(views()), model.logits(views()), atol=1e-6)


def test_native_of_grey_and_of_subclassed_models():
    grey = KerasModel(network(keras, keras.layers.Dense(2), channels=1))
    np.testing.assert_allclose(grey.native()(views()), grey.logits(views()), atol=1e-6)
    own = wrapped(Own(keras.layers.Dense(2, activation="softmax")))
    np.testing.assert_allclose(own.native()(views()), own.logits(views()), atol=1e-5)


def test_every_capability_is_there():
    model = wrapped(network(keras, keras.layers.Dense(2)))
    for capability in (Predicts, MasksFast, Differentiates, HasLayers, HasNative):
        assert isinstance(model, capability)


def test_a_model_that_is_let_go_is_freed():
    import weakref

    model = wrapped(network(keras, keras.layers.Dense(2, activation="softmax")))
    model.gradients(views(), ClassTarget(0))
    model.activation_gradients(views(), "second", ClassTarget(0))
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
