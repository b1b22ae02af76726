"""Changed copies of Keras networks: ReLU rules by hand and by Xplique, drawn and other weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torchvision  # noqa: F401 - before TensorFlow: the other order aborts the process

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from tests.loaders.keras.nets import (
    KINDS,
    LIBRARIES,
    SIZE,
    head,
    nested,
    residual,
    sequential,
    shared,
    tokens,
    untrained,
    views,
    wrapped,
)
from xai_core.changes import OutputWeights, Randomised, ReluRule
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import HasNative, Rewrites, RunsFrom, lacks
from xai_core.target import ClassTarget, UnitTarget

RULES = ("guided", "deconvolution")
both = pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)
builds = pytest.mark.parametrize("build", [sequential, residual, nested, shared, tokens])


@pytest.fixture(autouse=True)
def seeds() -> None:
    for library in LIBRARIES.values():
        library.utils.set_random_seed(3)


def close(ours: Any, wanted: Any) -> None:
    scale = float(np.abs(wanted).max())
    assert scale > 0
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-5 * scale)


def by_hand(x: Any, high: float | None, rule: str) -> Any:
    """A ReLU with the rule, written out as its papers say it."""

    @tf.custom_gradient
    def relu(x: Any) -> Any:
        answer = tf.maximum(x, 0.0) if high is None else tf.clip_by_value(x, 0.0, high)

        def back(slope: Any) -> Any:
            positive = tf.cast(slope > 0, tf.float32) * slope
            inside = tf.cast(x > 0, tf.float32)
            if high is not None:
                inside *= tf.cast(x < high, tf.float32)
            return positive * inside if rule == "guided" else positive

        return answer, back

    return relu(x)


def conv(layer: Any, x: Any) -> Any:
    return tf.nn.conv2d(x, np.asarray(layer.kernel), 1, "SAME") + np.asarray(layer.bias)


def scattered(model: Any) -> Any:
    """Give all weights values that differ from each other, those of one bias too."""
    rng = np.random.default_rng(0)
    model.set_weights([0.1 + 0.6 * rng.random(value.shape) for value in model.get_weights()])
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if type(layer).__name__ in ("Conv2D", "Dense"):
            layer.set_weights([0.9 * rng.normal(size=value.shape) for value in layer.get_weights()])
    return model


def many_ways(library: Any) -> Any:
    """A network that has a ReLU as an activation, as layers, inside a model and in its graph."""
    layers = library.layers
    image = library.Input((*SIZE, 3))
    maps = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv0")(image)
    maps = layers.Conv2D(4, 3, padding="same", name="conv1")(maps)
    maps = layers.ReLU(6.0, name="six")(maps)
    inner = library.Sequential(
        [
            library.Input((*SIZE, 4)),
            layers.Conv2D(4, 3, padding="same", activation=tf.nn.relu6, name="conv2"),
        ],
        name="inner",
    )
    maps = layers.Conv2D(4, 3, padding="same", name="conv3")(inner(maps))
    maps = layers.Activation("relu", name="lively")(maps)
    maps = layers.Conv2D(4, 3, padding="same", name="conv4")(maps)
    maps = keras.ops.relu6(maps) if library is keras else tf.nn.relu6(maps)
    maps = layers.Conv2D(4, 3, padding="same", name="conv5")(maps)
    maps = layers.ReLU(2.5, name="low")(maps)
    maps = layers.GlobalAveragePooling2D()(maps)
    return scattered(
        library.Model(image, layers.Dense(3, activation="softmax", name="scores")(maps))
    )


@both
@pytest.mark.parametrize("rule", RULES)
def test_relus_whatever_they_are_called_by(library: Any, rule: Any) -> None:
    net = many_ways(library)
    model, view = wrapped(net), views(2)
    tree = {layer.name: layer for layer in net._flatten_layers(include_self=False, recursive=True)}
    tops = (None, 6.0, 6.0, None, 6.0, 2.5)

    def gradient(relu: Any) -> Any:
        given = tf.constant(view)
        with tf.GradientTape() as tape:
            tape.watch(given)
            x = given
            for number, high in enumerate(tops):
                x = conv(tree[f"conv{number}"], x)
                cut.append(float(tf.reduce_max(x)) > (high or 0))
                x = relu(x, high)
            dense = tree["scores"]
            scores = tf.reduce_mean(x, (1, 2)) @ np.asarray(dense.kernel) + np.asarray(dense.bias)
            score = tf.reduce_sum(scores[:, 1])
        return tape.gradient(score, given).numpy()

    cut: list[bool] = []
    wanted = gradient(lambda x, high: by_hand(x, high, rule))
    assert all(cut)  # each ReLU cuts where it can
    plain, answers = model.gradients(view, ClassTarget(1)), model.logits(view)
    close(plain, gradient(lambda x, high: tf.clip_by_value(x, 0, high or np.inf)))
    made = model.rewritten(ReluRule(rule))
    close(made.gradients(view, ClassTarget(1)), wanted)
    close(made.logits(view), answers)
    assert np.abs(wanted - plain).max() > 0.1 * np.abs(plain).max()
    assert made.findings == model.findings
    np.testing.assert_array_equal(model.logits(view), answers)
    np.testing.assert_array_equal(model.gradients(view, ClassTarget(1)), plain)
    given = tf.constant(view)
    with tf.GradientTape() as tape:  # what a library is handed goes by the rule as well
        tape.watch(given)
        score = made.native()(given)[:, 1]
    close(tape.gradient(score, given).numpy(), wanted)


@pytest.mark.parametrize("rule", RULES)
def test_xplique(rule: Any) -> None:
    from xplique.attributions import DeconvNet, GuidedBackprop

    model, view = wrapped(untrained(residual(keras, "relu"))), views(2)
    theirs = {"guided": GuidedBackprop, "deconvolution": DeconvNet}[rule]
    # its copy goes one layer deep: it is handed the network itself, whose input is the view
    made = theirs(model._network.model, batch_size=2, reducer=None)
    wanted = np.asarray(made.explain(view, np.eye(3, dtype=np.float32)[[1, 1]]))
    ours = model.rewritten(ReluRule(rule)).gradients(view, ClassTarget(1))
    close(ours, wanted)
    assert np.abs(ours - model.gradients(view, ClassTarget(1))).max() > 0


@both
def test_a_rule_serves_all_that_the_model_does(library: Any) -> None:
    model, view = wrapped(untrained(nested(library, "relu"))), views(1)
    made = model.rewritten(ReluRule("guided"))
    for need in (RunsFrom, Rewrites, HasNative):
        assert lacks(made, need) is None
    assert made.layers() == model.layers()
    maps = made.activations(view, "body/sum")
    np.testing.assert_array_equal(maps, model.activations(view, "body/sum"))
    down = made.vjp_from("body/sum", maps, view[0], np.eye(3, dtype=np.float32)[[1]])
    close(down, made.activation_gradients(view, "body/sum", ClassTarget(1))[1])
    assert np.abs(down - model.activation_gradients(view, "body/sum", ClassTarget(1))[1]).max() > 0
    unit = UnitTarget("body/last", 1)
    assert np.abs(made.gradients(view, unit) - model.gradients(view, unit)).max() > 0
    drawn = Randomised(("head/scores",), 1)
    one, other = made.rewritten(drawn), model.rewritten(drawn).rewritten(ReluRule("guided"))
    close(one.gradients(view, ClassTarget(0)), other.gradients(view, ClassTarget(0)))
    plain = model.rewritten(drawn).gradients(view, ClassTarget(0))
    assert np.abs(one.gradients(view, ClassTarget(0)) - plain).max() > 1e-3 * np.abs(plain).max()
    back = made.rewritten(ReluRule("deconvolution")).gradients(view, ClassTarget(0))
    close(back, model.rewritten(ReluRule("deconvolution")).gradients(view, ClassTarget(0)))


def small(library: Any, *between: Any) -> Any:
    image = library.Input((*SIZE, 3))
    maps = library.layers.Conv2D(4, 3, name="conv")(image)
    for layer in between:
        maps = layer(maps)
    return library.Model(image, head(library, maps))


class Coded(keras.layers.Layer):
    """Calls a ReLU in its own code, in one of the ways that there are."""

    def __init__(self, way: str = "relu", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.way = way

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "way": self.way}

    def call(self, inputs: Any) -> Any:
        match self.way:
            case "relu":
                return keras.ops.relu(inputs)
            case "maximum":
                return keras.ops.maximum(inputs, 0)
            case "clip":
                return keras.ops.clip(inputs, 0, 6)
        return keras.activations.relu(inputs, max_value=4.0)


@pytest.mark.parametrize("way", ["relu", "maximum", "clip", "activations"])
def test_a_relu_that_cannot_be_reached_is_said(way: str) -> None:
    model = wrapped(small(keras, keras.layers.ReLU(), Coded(way, name="coded")))
    answers, before = model.logits(views()), [dict(vars(x)) for x in model._network.model.layers]
    assert lacks(model, Rewrites) is None
    with pytest.raises(UnsupportedModel, match=r"cannot reach .* its own code calls \('.*coded"):
        model.rewritten(ReluRule("guided"))
    np.testing.assert_array_equal(model.logits(views()), answers)
    assert [dict(vars(x)) for x in model._network.model.layers] == before
    drawn = model.rewritten(Randomised(("conv",)))
    assert np.abs(drawn.logits(views()) - answers).max() > 0


def test_an_operation_of_the_graph_that_is_a_relu_by_its_numbers() -> None:
    model = wrapped(small(keras, keras.layers.ReLU(), lambda x: keras.ops.maximum(x, 0.0)))
    with pytest.raises(UnsupportedModel, match="cannot reach 1 of"):
        model.rewritten(ReluRule("guided"))


@both
def test_other_nonlinearities(library: Any) -> None:
    layers = library.layers
    for between, name in (
        ((layers.Activation("gelu"),), ": its nonlinearity is gelu"),
        ((layers.PReLU(),), ": its nonlinearity is prelu"),
        ((), r"none\. A method"),
    ):
        with pytest.raises(UnsupportedModel, match=f"the network has none.*{name}|{name}"):
            wrapped(small(library, *between)).rewritten(ReluRule("guided"))
    more = (layers.ReLU(), layers.LeakyReLU(0.2), layers.ReLU(negative_slope=0.1, max_value=3.0))
    more += (layers.Conv2D(3, 3, activation="hard_sigmoid"), layers.PReLU())
    made = wrapped(small(library, *more)).rewritten(ReluRule("guided"))
    said = made.findings[-1].message
    assert said.startswith("Only its 1 ReLUs go by the rule; other nonlinearities stay: ")
    for name in ("leakyrelu (1)", "leaky_relu (1)", "hard_sigmoid (1)", "prelu (1)"):
        assert name in said
    with pytest.raises(ParamError, match="guided or deconvolution"):
        made.rewritten(ReluRule("sideways"))  # type: ignore[arg-type]
    with pytest.raises(UnsupportedModel, match="bears no str"):
        made.rewritten("change")  # type: ignore[arg-type]


def weights_of(model: Any) -> dict[str, list[Any]]:
    from loaders.keras import layers

    return {
        path: layer.get_weights()
        for path, layer in layers.tree(model._network.model).items()
        if layers.is_single(layer)
    }


@both
@builds
def test_layers_drawn_anew(library: Any, build: Any) -> None:
    model, view = wrapped(scattered(build(library))), views(2)
    names, before, state = model.weighted(), model.logits(view), weights_of(model)
    chosen = (names[0], names[-1])
    made = model.rewritten(Randomised(chosen, seed=4))
    assert made.weighted() == names
    for path, values in weights_of(made).items():
        same = [np.array_equal(a, b) for a, b in zip(values, state[path], strict=True)]
        assert not any(same) if path in chosen else all(same)
    for path, values in weights_of(model).items():
        for a, b in zip(values, state[path], strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(model.logits(view), before)
    assert np.abs(made.logits(view) - before).max() > 1e-4
    again = model.rewritten(Randomised(chosen[::-1], seed=4))
    np.testing.assert_array_equal(again.logits(view), made.logits(view))
    other = model.rewritten(Randomised(chosen, seed=5))
    assert np.abs(other.logits(view) - made.logits(view)).max() > 1e-6
    every = weights_of(model.rewritten(Randomised(names, seed=4)))[names[-1]]
    for a, b in zip(every, weights_of(made)[names[-1]], strict=True):
        np.testing.assert_array_equal(a, b)  # drawn alike whatever else is


@both
def test_what_is_drawn_and_what_is_not(library: Any) -> None:
    layers = library.layers
    body = library.Sequential(
        [
            library.Input((*SIZE, 3)),
            layers.Conv2D(40, 5, name="conv"),
            layers.BatchNormalization(name="norm"),
        ],
        name="body",
    )
    body.trainable = False  # as of a network that was fine-tuned
    image = library.Input((*SIZE, 3))
    net = library.Model(image, head(library, body(image)))
    net.get_layer("body").get_layer("norm").set_weights(
        [np.linspace(low, 9, 40, dtype=np.float32) for low in (1, 2, 3, 4)]
    )
    model = wrapped(net)
    assert model.weighted() == ("body/conv", "body/norm", "scores")
    made = weights_of(model.rewritten(Randomised(("body/conv", "body/norm"))))
    kernel, own = made["body/conv"][0], weights_of(model)["body/conv"][0]
    assert abs(kernel.mean() - own.mean()) < 0.1 * own.std()
    assert abs(kernel.std() / own.std() - 1) < 0.1
    assert not np.array_equal(made["body/norm"][0], np.linspace(1, 9, 40, dtype=np.float32))
    for values, low in zip(made["body/norm"][2:], (3, 4), strict=True):  # the photos' statistics
        np.testing.assert_array_equal(values, np.linspace(low, 9, 40, dtype=np.float32))
    # the formula by which torch's are drawn: normal, by the seed and the tensor's name
    import zlib

    rng = np.random.default_rng([0, zlib.crc32(b"body/conv.kernel")])
    np.testing.assert_allclose(kernel, rng.normal(own.mean(), own.std(), own.shape), atol=1e-5)
    with pytest.raises(ParamError, match=r"such as .*scores\), got 'body'"):
        model.rewritten(Randomised(("body",)))
    with pytest.raises(ParamError, match="seed"):
        model.rewritten(Randomised(("scores",), -1))


def test_the_order_is_that_of_the_run() -> None:
    layers = keras.layers
    image = keras.Input((*SIZE, 3))
    late, early = layers.Conv2D(3, 3, padding="same", name="a"), layers.Conv2D(3, 3, name="b")
    maps = layers.Add()([image, late(layers.ZeroPadding2D()(early(image)))])
    names = wrapped(keras.Model(image, head(keras, maps))).weighted()
    assert names == ("b", "a", "scores")


@both
@builds
def test_other_output_weights(library: Any, build: Any) -> None:
    net = untrained(build(library))
    model, view = wrapped(net), views(2)
    before, state = model.logits(view), weights_of(model)
    weights, bias = model.output_weights()
    path = model.weighted()[-1]
    kernel, own = state[path]
    np.testing.assert_array_equal(weights, kernel.T)
    np.testing.assert_array_equal(bias, own)
    # the features by other weights: each of them as a class of its own
    count = kernel.shape[0]
    plain = model.rewritten(OutputWeights(np.eye(count, dtype=np.float32), np.zeros(count)))
    features = plain.logits(view)
    close(features @ kernel + own, before)
    rng = np.random.default_rng(0)
    layer = model.layers()[0].name
    for classes in (3, 5, 1):
        weights = rng.normal(size=(classes, count)).astype(np.float32)
        bias = rng.normal(size=classes).astype(np.float32)
        made = model.rewritten(OutputWeights(weights, bias))
        wanted = features @ weights.T + bias
        close(made.logits(view), wanted)
        close(np.asarray(made.native()(view)), wanted)
        named = tuple(f"class {number}" for number in range(classes))
        assert made.labels == (model.labels if classes == 3 else named)
        ClassTarget(classes - 1).check(made)
        assert made.parameters - model.parameters == (classes - 3) * (count + 1)
        maps = made.activations(view[:1], layer)
        close(made.run_from(layer, maps, view[0]), wanted[:1])
        np.testing.assert_array_equal(model.logits(view), before)
        for wrong in ((weights[:, :-1], bias), (weights, np.zeros(classes + 1, np.float32))):
            with pytest.raises(ParamError, match="OutputWeights"):
                model.rewritten(OutputWeights(*wrong))


@both
def test_one_unit_is_two_classes(library: Any) -> None:
    layers = library.layers
    image = library.Input((*SIZE, 3))
    maps = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    net = library.Model(image, layers.Dense(1, activation="sigmoid")(maps))
    model, view = wrapped(net), views(2)
    weights, bias = model.output_weights()
    assert (weights.shape, bias.shape) == ((2, 4), (2,))
    made = model.rewritten(OutputWeights(weights, bias))
    close(made.logits(view), model.logits(view))
    one, other = (each.head.probabilities(each.logits(view)) for each in (made, model))
    close(one, other)
    close(one[:, 1:], np.asarray(net(view, training=False)))
    assert model.rewritten(OutputWeights(weights[:1], bias[:1])).logits(view).shape == (2, 1)


@both
def test_a_dense_layer_without_bias_and_what_only_shapes_scores(library: Any) -> None:
    layers = library.layers
    image = library.Input((*SIZE, 3))
    maps = layers.GlobalAveragePooling2D(keepdims=True)(layers.Conv2D(4, 3)(image))
    scores = layers.Dense(3, use_bias=False, name="scores")(maps)
    net = library.Model(image, layers.Softmax()(layers.Dropout(0.1)(layers.Flatten()(scores))))
    model, view = wrapped(net), views(2)
    weights, bias = model.output_weights()
    assert not bias.any()
    made = model.rewritten(OutputWeights(2 * weights[:2], bias[:2] + 1))
    close(made.logits(view), 2 * model.logits(view)[:, :2] + 1)  # its softmax is off as well


def test_scores_that_do_not_come_straight_out_of_a_dense_layer() -> None:
    layers = keras.layers
    image = keras.Input((*SIZE, 3))
    means = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    dense = layers.Dense(3, name="scores")(means)
    cut = layers.Dense(3, "relu", bias_initializer=keras.initializers.Constant(9), name="scores")
    for end in (layers.ReLU()(dense), dense * 2, layers.Add()([dense, dense]), cut(means)):
        with pytest.raises(UnsupportedModel, match="'scores' gives is changed after it"):
            wrapped(keras.Model(image, end)).output_weights()
    maps = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3)(image))
    with pytest.raises(UnsupportedModel, match=r"of classes over features\.$"):
        wrapped(keras.Model(image, maps)).output_weights()
    rows = wrapped(keras.Model(image, layers.Reshape((3,))(dense)))
    weights, bias = rows.output_weights()
    with pytest.raises(UnsupportedModel, match="does not bear 2 classes in its last dense layer"):
        rows.rewritten(OutputWeights(weights[:2], bias[:2]))


@both
def test_a_copy_holds_what_was_learnt_of_photos(library: Any) -> None:
    layers = library.layers
    norm = layers.Normalization(name="learnt")
    norm.adapt(views(20))
    image = library.Input((*SIZE, 3))
    net = library.Model(image, head(library, layers.Conv2D(4, 3, activation="relu")(norm(image))))
    model = wrapped(net)
    close(model.rewritten(ReluRule("guided")).logits(views()), model.logits(views()))


@pytest.mark.parametrize("kind", ["subclassed", "subclassed of tf_keras"])
def test_a_network_of_a_class_of_its_own(kind: str) -> None:
    model, view = wrapped(untrained(KINDS[kind]())), views()
    answers = model.logits(view)
    refused = lacks(model, Rewrites)
    if refused:  # Keras 3 makes no second one of a class that does not say how
        assert "whose class is its own, can be made to change" in refused
        with pytest.raises(UnsupportedModel, match="whose class is its own"):
            model.rewritten(Randomised(("scores",)))
        return
    made = model.rewritten(Randomised(("scores",)))
    assert np.abs(made.logits(view) - answers).max() > 1e-4
    np.testing.assert_array_equal(model.logits(view), answers)
    weights, bias = model.output_weights()
    close(model.rewritten(OutputWeights(weights, bias + 1)).logits(view), answers + 1)
    with pytest.raises(UnsupportedModel, match="does not bear 2 classes"):
        model.rewritten(OutputWeights(weights[:2], bias[:2]))
    with pytest.raises(UnsupportedModel, match="its code runs outside a graph"):
        model.rewritten(ReluRule("guided"))


class Told(keras.Model):
    """A subclassed model that says how it is made, with a layer that keeps its function."""

    def __init__(self, width: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.conv, self.act = keras.layers.Conv2D(width, 3), keras.activations.relu
        self.scores = keras.layers.Dense(3)

    def get_config(self) -> dict[str, Any]:
        return {"width": self.width}

    def call(self, inputs: Any) -> Any:
        return self.scores(keras.ops.mean(self.act(self.conv(inputs)), (1, 2)))


def test_a_class_that_says_how_it_is_made() -> None:
    net, view = Told(5), views()
    model = wrapped(untrained(net))
    assert lacks(model, Rewrites) is None
    made = model.rewritten(ReluRule("guided"))
    close(made.logits(view), model.logits(view))
    given = tf.constant(view)
    with tf.GradientTape() as tape:
        tape.watch(given)
        maps = by_hand(net.conv(given), None, "guided")
        score = net.scores(tf.reduce_mean(maps, (1, 2)))[:, 1]
    close(made.gradients(view, ClassTarget(1)), tape.gradient(score, given).numpy())
    assert made.weighted() == model.weighted()
