"""The rest of a Keras network behind a layer, against the network itself and plain tapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torchvision  # noqa: F401 - before TensorFlow: the other order aborts the process

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from loaders.keras.model import BATCH
from loaders.keras.tail import MOST
from tests.loaders.keras.nets import (
    KINDS,
    LIBRARIES,
    SIZE,
    head,
    made,
    sequential,
    untrained,
    views,
    wrapped,
)
from xai_core.errors import ParamError
from xai_core.model import RunsFrom, lacks
from xai_core.target import ClassTarget

both = pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)


@pytest.fixture(autouse=True)
def seeds() -> None:
    for library in LIBRARIES.values():
        library.utils.set_random_seed(3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layers_own_activations_come_to_the_scores_of_the_whole(kind: str) -> None:
    model = made(kind)
    assert lacks(model, RunsFrom) is None
    images = views(2)
    rows = model.layers()
    for row in (rows[0], rows[len(rows) // 2], rows[-1]):
        for image in images:  # what was noted of the first is not kept for the second
            own = model.activations(image[None], row.name)
            np.testing.assert_allclose(
                model.run_from(row.name, own, image), model.logits(image[None]), atol=1e-5
            )
    assert all("call" not in vars(layer) for layer in model._sites.found.values())


@pytest.mark.parametrize("kind", KINDS)
def test_changed_activations_come_to_what_the_network_makes_of_them(kind: str) -> None:
    """The slow way: one pass for each, in which the layer's last output is put in by hand."""
    model = made(kind)
    (image,) = views(1)
    rows = model.layers()
    for row in (rows[0], rows[-2]):
        own = model.activations(image[None], row.name)
        count = 3
        changed = own * np.random.default_rng(4).random((count, *own.shape[1:]), np.float32)
        site, last = model._sites.found[row.name], model._sites.calls[row.name]
        cotangent = np.random.default_rng(6).standard_normal((count, 3)).astype(np.float32)
        expected, pulled = [], []
        for maps, weights in zip(changed, cotangent, strict=True):
            calls = 0
            call = site.call
            given = tf.constant(maps[None])

            def put(
                *args: Any, call: Any = call, given: Any = given, last: int = last, **kwargs: Any
            ) -> Any:
                nonlocal calls
                calls += 1
                output = call(*args, **kwargs)
                if calls < last:
                    return output
                if len(output.shape) == 4:
                    return given
                tokens = tf.reshape(given, (1, -1, given.shape[-1]))
                return tf.concat([output[:, : output.shape[1] - tokens.shape[1]], tokens], 1)

            with tf.GradientTape() as tape:
                tape.watch(given)
                vars(site)["call"] = put
                try:
                    logits = model._network.forward(tf.constant(image[None]))
                finally:
                    del vars(site)["call"]
                score = tf.reduce_sum(logits * weights)
            expected.append(logits.numpy()[0])
            pulled.append(tape.gradient(score, given).numpy()[0])
        np.testing.assert_allclose(model.run_from(row.name, changed, image), expected, atol=1e-5)
        got = model.vjp_from(row.name, changed, image, cotangent)
        np.testing.assert_allclose(got, pulled, atol=1e-5)


@both
def test_a_sequential_networks_tail_is_the_model_of_its_last_layers(library: Any) -> None:
    net = untrained(sequential(library))
    model = wrapped(net)
    rest = library.Sequential(net.layers[-5:-1])  # without the softmax
    end = net.layers[-1]
    images = views(3)
    maps = np.random.default_rng(2).random((2 * BATCH + 3, 14, 14, 4), np.float32)
    mean = np.asarray(rest(maps))
    expected = mean @ np.asarray(end.kernel) + np.asarray(end.bias)
    np.testing.assert_allclose(model.run_from("norm", maps, images[0]), expected, atol=1e-5)
    cotangent = np.random.default_rng(6).standard_normal((len(maps), 3)).astype(np.float32)
    with tf.GradientTape() as tape:
        given = tf.constant(maps)
        tape.watch(given)
        logits = tf.matmul(rest(given), tf.convert_to_tensor(end.kernel)) + end.bias
    wanted = tape.gradient(logits, given, output_gradients=cotangent)
    np.testing.assert_allclose(
        model.vjp_from("norm", maps, images[0], cotangent), wanted, atol=1e-5
    )
    # there and on: the whole gradient, where nothing passes the layer by
    weights = np.tile(ClassTarget(2, against=0).weights(3), (1, 1))
    whole = model.gradients(images, ClassTarget(2, against=0))
    for image, gradient in zip(images, whole, strict=True):
        own = model.activations(image[None], "second")
        inner = model.vjp_from("second", own, image, weights)
        np.testing.assert_allclose(
            model.vjp_to("second", image[None], inner)[0], gradient, atol=1e-6
        )


@pytest.mark.parametrize("kind", KINDS)
def test_the_way_to_a_layer_is_that_of_finite_differences(kind: str) -> None:
    model = made(kind)
    images = views(2)
    name = model.layers()[-2].name
    maps = model.activations(images, name)
    cotangent = np.random.default_rng(6).standard_normal(maps.shape).astype(np.float32)
    pulled = model.vjp_to(name, images, cotangent)
    step = (3e-3 * np.sign(pulled)).astype(np.float32)
    ahead, behind = (model.activations(images + sign * step, name) for sign in (1, -1))
    found = ((ahead - behind) / 2 * cotangent).sum((1, 2, 3))
    np.testing.assert_allclose(found, (pulled * step).sum((1, 2, 3)), rtol=0.02)


def counted(ran: list[int]) -> Any:
    class Counted(keras.layers.Layer):
        """Says how many photos go through it, whenever it computes."""

        def call(self, inputs: Any) -> Any:
            def note(values: Any) -> Any:
                ran.append(len(values))
                return values

            outputs = tf.numpy_function(note, [inputs], tf.float32)
            return tf.ensure_shape(outputs, (None, *inputs.shape[1:]))

    return Counted


def test_what_lies_before_the_layer_does_not_run_again() -> None:
    front: list[int] = []
    back: list[int] = []
    image = keras.Input((*SIZE, 3))
    layers = keras.layers
    maps = counted(front)(name="counted")(layers.Conv2D(4, 3, padding="same")(image))
    inner = layers.Conv2D(4, 3, padding="same", name="middle")(maps)
    inner = counted(back)(name="after")(inner)
    model = wrapped(keras.Model(image, head(keras, layers.Add()([inner, maps]))))
    images = views(2)
    changed = np.random.default_rng(1).random((40, *SIZE, 4), np.float32)
    model.run_from("middle", changed, images[0])
    front.clear()
    back.clear()
    model.run_from("middle", changed, images[0])
    assert (sum(front), sum(back)) == (0, 40)
    model.run_from("middle", changed, images[1])
    # the new photo once, for the shortcut, and the first other photo is held against the network
    assert (sum(front), sum(back)) == (1, 82)


def test_what_nothing_needs_is_not_kept() -> None:
    model = wrapped(untrained(sequential(keras)))
    image = views(1)[0]
    model.run_from("second", model.activations(image[None], "second"), image)
    tails = model._tails._tails
    assert not any(tails["second"]._live)
    for layer in ("first", "norm", "halved", "dropped"):
        model.run_from(layer, model.activations(image[None], layer), image)
    assert list(tails) == ["first", "norm", "halved", "dropped"]
    assert len(tails) == MOST


def test_arrays_that_do_not_fit_are_refused() -> None:
    model = wrapped(sequential(keras))
    image = views(1)[0]
    with pytest.raises(ParamError, match=r"activations at 'second' must be .*\[N, 14, 14, 5\]"):
        model.run_from("second", np.zeros((2, 14, 14, 4), np.float32), image)
    for wrong in ((1, 3), (2, 14, 14, 5)):
        with pytest.raises(ParamError, match=r"cotangents at 'second' must be .*\[1, 14, 14, 5\]"):
            model.vjp_to("second", image[None], np.zeros(wrong, np.float32))
    with pytest.raises(ParamError, match=r"cotangents must be an array \[2, 3\], got \[1, 3\]"):
        model.vjp_from(
            "second", np.zeros((2, 14, 14, 5), np.float32), image, np.zeros((1, 3), np.float32)
        )
