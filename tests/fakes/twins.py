"""The built-in twins, torch and Keras, at their own size or a smaller one that costs less."""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from loaders import catalogue
from loaders.images import decode
from loaders.load import load
from xai_core.target import ClassTarget, Target

NAMES = ("shapes", "shapes_keras")
PHOTOS = [sample.path for sample in catalogue.photos()[:5]]
Question = tuple[Any, Target]


def loaded(side: int = 0) -> tuple[Any, Any]:
    """Return both networks with the built-in weights; with `side`, for views of that size."""
    entries = [entry for entry in map(catalogue.find, NAMES) if isinstance(entry, catalogue.Entry)]
    if not side:
        torch_twin, keras_twin = (load(e.path, e.options, name=e.name) for e in entries)
        return torch_twin, keras_twin
    import keras

    one, two = entries
    options = dataclasses.replace(one.options, size=(side, side))
    whole = keras.models.load_model(two.path, compile=False)
    small = keras.models.clone_model(whole, input_tensors=keras.Input((side, side, 3)))
    small.set_weights(whole.get_weights())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.keras"
        small.save(path)
        keras_twin = load(path, two.options, name=two.name)
    torch_twin = load(one.path, options, name=one.name)
    assert torch_twin.input_size == keras_twin.input_size == (side, side)
    return torch_twin, keras_twin


def views(model: Any) -> list[Any]:
    """Return what a network sees of five built-in photos."""
    return [model.preprocessing.view(decode(path.read_bytes()).pixels)[0] for path in PHOTOS]


def questions(model: Any) -> list[Question]:
    """Return each photo's view with its first class, its second, and its least likely one."""
    asked = []
    for view in views(model):
        order = np.argsort(-model.logits(view[None])[0])
        asked += [(view, ClassTarget(int(order[place]))) for place in (0, 1, -1)]
    return asked


def led(model: Any) -> list[Question]:
    """Return each photo's view with its first class, its second, and the first against it."""
    asked: list[Question] = []
    for view in views(model):
        first, second = np.argsort(-model.logits(view[None])[0])[:2].tolist()
        asked += [(view, ClassTarget(first)), (view, ClassTarget(second))]
        asked.append((view, ClassTarget(first, against=second)))
    return asked
