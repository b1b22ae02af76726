"""Keras files of which something has to be assumed, with Keras's own answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers as L  # noqa: N812 - as everybody writes it

from benchmarks.assumptions.case import Truth, case, pair, softmax, view
from loaders.options import Options

STRETCH: dict[str, Any] = {"fit": "stretch"}
UNIT: dict[str, Any] = {"preprocessing": "unit", "fit": "stretch"}


def written(folder: Path, model: Any, ending: str = ".keras") -> Path:
    """Save a model and return where."""
    path = folder / f"model{ending}"
    model.save(path)
    return path


def answer(model: Any, pixels: Any) -> Any:
    """Return what Keras says of one prepared photo, as the model gives it."""
    return model(np.asarray(pixels, np.float32)[None], training=False)


def first(answers: Any) -> Any:
    """Return the row of the one photo."""
    return np.asarray(answers)[0]


def body(photos: Any, seed: int = 0) -> Any:
    """Return eight numbers a photo out of one convolution."""
    start = keras.initializers.GlorotUniform(seed=seed)
    maps = L.Conv2D(8, 7, strides=4, activation="relu", kernel_initializer=start)(photos)
    return L.GlobalAveragePooling2D(name="features")(maps)


def dense(units: int, activation: str | None, name: str = "out") -> Any:
    """Return a last layer whose answers differ from even."""
    start = keras.initializers.RandomNormal(0, 12, seed=1)
    return L.Dense(units, activation=activation, kernel_initializer=start, name=name)


# -- heads -------------------------------------------------------------------------------------

ENDS: dict[str, tuple[int, str | None, Callable[[Any], Any]]] = {
    "logits": (3, None, softmax),
    "softmax": (3, "softmax", np.asarray),
    "k sigmoids": (3, "sigmoid", np.asarray),
    "one sigmoid": (1, "sigmoid", lambda row: pair(float(row[0]))),
}


def _end_case(name: str, units: int, activation: str | None, chances: Any, ending: str) -> None:
    @case("keras", f"a functional network with {name} ({ending})", "head")
    def write(folder: Path) -> Truth:
        photos = keras.Input((64, 64, 3))
        model = keras.Model(photos, dense(units, activation)(body(photos)))
        path = written(folder, model, ending)
        return Truth(path, Options(**UNIT), np.asarray(chances(first(answer(model, view(64))))))


for _name, (_units, _activation, _chances) in ENDS.items():
    for _ending in (".keras", ".h5"):
        _end_case(_name, _units, _activation, _chances, _ending)


@case("keras", "a softmax in a layer of its own", "head")
def _apart(folder: Path) -> Truth:
    photos = keras.Input((64, 64, 3))
    model = keras.Model(photos, L.Softmax()(dense(3, None)(body(photos))))
    return Truth(written(folder, model), Options(**UNIT), first(answer(model, view(64))))


@case("keras", "two logits in 0..1", "head")
def _narrow(folder: Path) -> Truth:
    photos = keras.Input((64, 64, 3))
    start = keras.initializers.RandomNormal(0, 0.01, seed=1)
    out = L.Dense(2, kernel_initializer=start, bias_initializer=keras.initializers.Constant(0.5))
    model = keras.Model(photos, out(body(photos)))
    return Truth(written(folder, model), Options(**UNIT), softmax(first(answer(model, view(64)))))


@case("keras", "a regressor's one number", "head")
def _regressor(folder: Path) -> Truth:
    photos = keras.Input((64, 64, 3))
    model = keras.Model(photos, dense(1, None)(body(photos)))
    return Truth(written(folder, model), Options(**UNIT), doubtful=True)


# -- what a network does to its photos itself --------------------------------------------------


def _turned(photos: Any, nested: bool) -> Any:
    parts = [L.RandomFlip("horizontal"), L.RandomRotation(0.1), L.RandomZoom(0.1)]
    if nested:
        return keras.Sequential(parts, name="augmentation")(photos)
    for part in parts:
        photos = part(photos)
    return photos


def _mobile(photos: Any) -> Any:
    backbone = keras.applications.MobileNetV2(
        input_shape=(96, 96, 3), alpha=0.35, include_top=False, weights=None, pooling="avg"
    )
    return backbone(photos, training=False)


FRONTS: dict[str, tuple[Callable[[Any], Any], float]] = {
    "Rescaling(1/255)": (lambda photos: L.Rescaling(1 / 255)(photos), 255),
    "Rescaling to -1..1": (lambda photos: L.Rescaling(1 / 127.5, offset=-1)(photos), 255),
    "preprocess_input": (
        lambda photos: keras.applications.mobilenet_v2.preprocess_input(photos),
        255,
    ),
    "arithmetic": (lambda photos: photos / 127.5 - 1, 255),
}


def _front_case(name: str, front: Callable[[Any], Any], top: float, turn: str) -> None:
    about = f"{turn}{name} before MobileNetV2"

    @case("keras", about, "preprocessing")
    def write(folder: Path) -> Truth:
        keras.utils.set_random_seed(3)
        photos = keras.Input((96, 96, 3))
        seen = _turned(photos, turn.startswith("a model")) if turn else photos
        model = keras.Model(photos, dense(3, "softmax")(_mobile(front(seen))))
        path = written(folder, model)
        return Truth(path, Options(**STRETCH), first(answer(model, view(96) * top)))


for _name, (_front, _top) in FRONTS.items():
    for _turn in ("", "augmentation and ", "a model of augmentation and "):
        _front_case(_name, _front, _top, _turn)


@case("keras", "no scaling before MobileNetV2", "preprocessing")
def _bare(folder: Path) -> Truth:
    keras.utils.set_random_seed(3)
    photos = keras.Input((96, 96, 3))
    model = keras.Model(photos, dense(3, "softmax")(_mobile(_turned(photos, nested=True))))
    chances = first(answer(model, view(96) * 2 - 1))
    return Truth(written(folder, model), Options(**STRETCH), chances)


@case("keras", "augmentation and Rescaling before own layers", "preprocessing")
def _own(folder: Path) -> Truth:
    photos = keras.Input((64, 64, 3))
    model = keras.Model(
        photos, dense(3, "softmax")(body(L.Rescaling(1 / 255)(_turned(photos, nested=True))))
    )
    chances = first(answer(model, view(64) * 255))
    return Truth(written(folder, model), Options(**STRETCH), chances)


# -- sizes and channels ------------------------------------------------------------------------

SHAPES: dict[str, tuple[tuple[int, ...], int, bool]] = {
    "784 inputs": ((784,), 28, True),
    "3072 inputs": ((3072,), 32, False),
    "12288 inputs": ((12288,), 64, False),
    "inputs of 28 x 28": ((28, 28), 28, True),
    "inputs of 28 x 28 x 1": ((28, 28, 1), 28, True),
}


def _dense_case(name: str, shape: tuple[int, ...], side: int, grey: bool) -> None:
    @case("keras", f"a dense network of {name}", "size", "channels")
    def write(folder: Path) -> Truth:
        keras.utils.set_random_seed(4)
        numbers = keras.Input(shape)
        flat = L.Flatten()(numbers) if len(shape) > 1 else numbers
        model = keras.Model(numbers, dense(5, "softmax")(L.Dense(16, activation="relu")(flat)))
        seen = view(side, grey=grey).reshape(shape)
        return Truth(written(folder, model), Options(**UNIT), first(answer(model, seen)))


for _name, (_shape, _side, _grey) in SHAPES.items():
    _dense_case(_name, _shape, _side, _grey)


@case("keras", "photos of any size", "size")
def _any(folder: Path) -> Truth:
    photos = keras.Input((None, None, 3))
    model = keras.Model(photos, dense(3, "softmax")(body(photos)))
    chances = first(answer(model, view(180)))
    return Truth(written(folder, model), Options(**UNIT), chances)


# -- outputs -----------------------------------------------------------------------------------


@case("keras", "scores and features", "output")
def _features(folder: Path) -> Truth:
    photos = keras.Input((64, 64, 3))
    code = body(photos)
    model = keras.Model(photos, [code, dense(3, "softmax", "scores")(code)])
    return Truth(written(folder, model), Options(**UNIT), first(answer(model, view(64))[1]))


@case("keras", "a dict of scores and features", "output")
def _dict(folder: Path) -> Truth:
    photos = keras.Input((64, 64, 3))
    code = body(photos)
    model = keras.Model(photos, {"logits": dense(3, None)(code), "embedding": code})
    chances = softmax(first(answer(model, view(64))["logits"]))
    return Truth(written(folder, model), Options(**UNIT), chances)


# -- names and training mode -------------------------------------------------------------------


@case("keras", "a dropout that was built always on", "mode")
def _always(folder: Path) -> Truth:
    photos = keras.Input((64, 64, 3))
    code = body(photos)
    out = dense(3, None)
    model = keras.Model(photos, out(L.Dropout(0.5)(code, training=True)))
    # asked with training=False, as it is here, Keras leaves the dropout out
    chances = softmax(first(answer(model, view(64))))
    return Truth(written(folder, model), Options(**UNIT), chances)
