"""Small networks of every kind that Keras builds, smooth unless a ReLU is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from loaders.keras.model import KerasModel
from loaders.preprocessing import Options

LIBRARIES = {"keras": keras, "tf_keras": tf_keras}
SIZE = (16, 16)


def views(count: int = 2, seed: int = 1) -> Any:
    return np.random.default_rng(seed).random((count, *SIZE, 3), np.float32)


def wrapped(model: Any, **options: Any) -> KerasModel:
    return KerasModel(model, Options(preprocessing="unit", size=SIZE, **options))


def head(library: Any, maps: Any, units: int = 3) -> Any:
    layers = library.layers
    return layers.Dense(units, name="scores")(layers.GlobalAveragePooling2D(name="pool")(maps))


def sequential(library: Any, act: str = "tanh") -> Any:
    layers = library.layers
    return library.Sequential(
        [
            library.Input((*SIZE, 3)),
            layers.Conv2D(4, 3, activation=act, name="first"),
            layers.BatchNormalization(name="norm"),
            layers.Dropout(0.5, name="dropped"),
            layers.Conv2D(5, 3, activation=act, padding="same", name="second"),
            layers.MaxPooling2D(2, name="halved"),
            layers.Flatten(name="flat"),
            layers.Dense(6, activation=act, name="hidden"),
            layers.Dense(3, activation="softmax", name="scores"),
        ],
        name="sequential",
    )


def residual(library: Any, act: str = "tanh") -> Any:
    """Shortcuts, one of them from the very photo, and parallel branches that join at the end."""
    layers = library.layers
    image = library.Input((*SIZE, 3), name="image")
    maps = layers.Conv2D(4, 3, padding="same", activation=act, name="first")(image)
    inner = layers.Conv2D(4, 3, padding="same", name="second")(maps)
    inner = layers.Activation(act, name="lively")(inner)
    maps = layers.Add(name="sum")([maps, inner])
    side = layers.Conv2D(2, 5, padding="same", activation=act, name="side")(image)
    maps = layers.Concatenate(name="joined")([maps, side, image])
    maps = layers.Conv2D(5, 3, activation=act, name="last")(maps)
    gate = layers.Dense(5, activation="sigmoid", name="gate")(
        layers.GlobalAveragePooling2D(name="squeezed")(maps)
    )
    maps = layers.Multiply(name="gated")([maps, layers.Reshape((1, 1, 5), name="wide")(gate)])
    return library.Model(image, head(library, maps), name="residual")


def nested(library: Any, act: str = "tanh") -> Any:
    """A body of its own in a Sequential network, its head in a third."""
    layers = library.layers
    whole = residual(library, act)
    body = library.Model(whole.input, whole.get_layer("gated").output, name="body")
    end = library.Sequential(
        [layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax", name="scores")],
        name="head",
    )
    inputs = library.Input((*SIZE, 3), name="outer")
    scaled = layers.Rescaling(2.0, offset=-1.0, name="scaled")(inputs)
    return library.Model(inputs, end(body(scaled)), name="nested")


def shared(library: Any, act: str = "tanh") -> Any:
    """One layer runs three times, and its first output goes past the last."""
    layers = library.layers
    image = library.Input((*SIZE, 3))
    conv = layers.Conv2D(3, 3, padding="same", activation=act, name="again")
    once = conv(image)
    maps = layers.Add(name="sum")([conv(conv(once)), once])
    return library.Model(image, head(library, maps), name="shared")


def tokens(library: Any, act: str = "tanh") -> Any:
    """Rows of tokens with one in front, which the scores are read off; a shortcut round it."""
    layers = library.layers
    image = library.Input((*SIZE, 3))
    maps = layers.Conv2D(8, 5, strides=4, padding="same", activation=act, name="patches")(image)
    rows = layers.Reshape((16, 8), name="rows")(maps)
    rows = layers.ZeroPadding1D((1, 0), name="front")(rows)
    rows = layers.LayerNormalization(name="norm")(rows)
    mixed = layers.MultiHeadAttention(2, 4, name="attention")(rows, rows)
    rows = layers.Add(name="sum")([rows, mixed])
    more = layers.Dense(8, activation=act, name="mlp")(rows)
    rows = layers.Add(name="out")([rows, more])
    again = layers.MultiHeadAttention(2, 4, name="more")(rows, rows)
    first = layers.Flatten(name="one")(layers.Cropping1D((0, 16), name="first")(again))
    return library.Model(image, layers.Dense(3, name="scores")(first), name="tokens")


class Own(keras.Model):
    """A subclassed Keras 3 model with arithmetic of its own in its `call`."""

    def __init__(self, act: str = "tanh") -> None:
        super().__init__()
        self.first = keras.layers.Conv2D(3, 3, padding="same", activation=act, name="first")
        self.block = keras.Sequential(
            [keras.layers.Conv2D(3, 3, padding="same", activation=act, name="inner")], name="block"
        )
        self.again = keras.layers.Conv2D(3, 3, padding="same", activation=act, name="again")
        self.scores = keras.layers.Dense(3, name="scores")

    def call(self, inputs: Any) -> Any:
        once = self.first(inputs)
        maps = self.block(once) * keras.ops.sigmoid(once) + inputs
        maps = self.again(maps) + 0.3 * self.again(once)
        return self.scores(keras.ops.mean(maps, (1, 2)))


class OldOwn(tf_keras.Model):
    """A subclassed model of tf_keras, with a choice in Python that a graph cannot make."""

    def __init__(self, act: str = "tanh") -> None:
        super().__init__()
        layers = tf_keras.layers
        self.first = layers.Conv2D(3, 3, padding="same", activation=act, name="first")
        self.second = layers.Conv2D(3, 3, padding="same", activation=act, name="second")
        self.scores = layers.Dense(3, name="scores")

    def call(self, inputs: Any) -> Any:
        once = self.first(inputs)
        maps = self.second(once) + once * inputs
        scores = self.scores(tf.reduce_mean(maps, (1, 2)))
        return scores if float(tf.reduce_sum(inputs)) > -1e9 else -scores


KINDS: dict[str, Callable[[], Any]] = {
    f"{name} of {build.__name__}": (lambda library=library, build=build: build(library))
    for name, library in LIBRARIES.items()
    for build in (sequential, residual, nested, shared, tokens)
} | {"subclassed": Own, "subclassed of tf_keras": OldOwn}


def untrained(model: Any, seed: int = 5) -> Any:
    """Give every weight a value of its own, biases and statistics too."""
    if not model.built:
        model(views())
    rng = np.random.default_rng(seed)
    model.set_weights(
        [
            np.asarray(value) * (1 + 0.2 * rng.random(np.shape(value))) + 0.1 * rng.random()
            for value in model.get_weights()
        ]
    )
    return model


def made(kind: str) -> KerasModel:
    return wrapped(untrained(KINDS[kind]()))
