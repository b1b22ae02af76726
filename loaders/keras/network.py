"""A Keras network behind one seam: views in, the chosen output's numbers out.

Lays a view out as the network takes it, normalises where it can be differentiated, and turns what
comes out into logits. For tensors of TensorFlow and for symbols of the model's own library.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from loaders.keras import outputs
from loaders.keras.inputs import Layout, Taken
from loaders.keras.reasons import reason
from loaders.preprocessing import Preprocessing
from xai_core.changes import ReluRule
from xai_core.errors import LoadError
from xai_core.model import HeadKind

Array = NDArray[np.float32]
_TINY = 1e-30


class Network:
    """A model object, how it is fed, and which of its outputs is read.

    `undo` is what the outputs are where their activation could not be taken off, `spread` whether
    one unit z is made two classes, (-z/2, z/2). `rule` is how gradients pass its ReLUs, where it
    is not the usual way.
    """

    def __init__(self, model: Any, taken: Taken) -> None:
        self.model = model
        self.module = library_of(model)
        self.library = "keras" if self.module is keras else "tf_keras"
        self.channels, self.size = taken.channels, taken.size
        self.layout: Layout = taken.layout
        self.how: Preprocessing | None = None
        self.output = outputs.Choice()
        self.undo: HeadKind | None = None
        self.spread = False
        self.rule: ReluRule | None = None

    # in

    def prepare(self, views: Any) -> Any:
        """Normalise as `Preprocessing.normalise` does, where it can be differentiated."""
        how = self.how
        if how is not None:
            ops = keras.ops if self.library == "keras" else tf
            if how.channels == "grey":
                views = ops.matmul(views, np.asarray(how.matrix, np.float32))  # [N, h, w, 1]
            elif how.channels == "bgr":
                views = views[..., ::-1]
            if any(how.mean):
                views = views - np.array(how.mean, np.float32)
            if any(std != 1 for std in how.std):
                views = views / np.array(how.std, np.float32)
        return self.laid_out(views)

    def laid_out(self, photos: Any) -> Any:
        """Turn `[N, h, w, c]` into what the network takes."""
        ops = keras.ops if self.library == "keras" else tf
        if self.layout == "plane":
            return photos[..., 0]
        if self.layout == "row":
            return ops.reshape(photos, (-1, self.size[0] * self.size[1] * self.channels))
        return photos

    def answer(self, given: Any) -> Any:
        """Run the network on what it takes, as it runs when it is not trained."""
        return self.model(given, training=False)

    def sent(self, photos: Array) -> Any:
        """Run the network on numbers `[N, h, w, c]` as they are."""
        return self.answer(self.laid_out(tensor(photos)))

    def built(self) -> None:
        """Make the layers of a subclassed model, which are made when it is called."""
        if not self.model.built:
            blank = np.zeros((1, *self.size, self.channels), np.float32)
            self.tried(lambda: self.sent(blank))

    def tried(self, run: Any) -> Any:
        """Return what `run` does. Raises LoadError with the reason where the network fails."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return run()
        except Exception as error:  # whatever a network's own layers may raise
            raise LoadError(
                f"The network does not run on a photo of {self.size[0]} x {self.size[1]} pixels "
                f"with {self.channels} channel{'s' * (self.channels > 1)} ({reason(error)})."
            ) from error

    # out

    def forward(self, views: Any) -> Any:
        """Map views to logits, as tensors of TensorFlow or as symbols of the model's library."""
        return self.finish(self.answer(self.prepare(views)))

    def finish(self, answers: Any) -> Any:
        """Turn the network's answers into float32 logits `[N, classes]`."""
        ops = keras.ops if self.library == "keras" else tf
        scores = self.output.of(answers)
        if len(scores.shape) != 2:  # [N, 1, 1, classes]; [N] for one unit that was squeezed
            scores = ops.reshape(scores, (-1, self.output.units))
        if scores.dtype not in ("float32", tf.float32):
            scores = ops.cast(scores, "float32")
        log = keras.ops.log if self.library == "keras" else tf.math.log
        match self.undo:
            case "softmax":
                scores = log(ops.maximum(scores, _TINY))
            case "sigmoid":
                below = ops.maximum(1.0 - scores, _TINY)
                scores = log(ops.maximum(scores, _TINY)) - log(below)
        if self.spread:
            half = scores * 0.5
            joined = keras.ops.concatenate if self.library == "keras" else tf.concat
            scores = joined([-half, half], -1)
        return scores

    def scores(self, views: Array) -> Array:
        """Return the chosen output itself, `[N, units]`, for views."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.chosen(self.answer(self.prepare(tensor(views))))

    def chosen(self, answers: Any) -> Array:
        """Return the chosen output itself, `[N, units]`, of the network's answers."""
        chosen = tf.cast(self.output.of(answers), tf.float32)
        return np.asarray(chosen, np.float32).reshape(-1, self.output.units)


def library_of(model: Any) -> Any:
    """Return the library that a model is of: keras or tf_keras."""
    return keras if isinstance(model, keras.Model) else importlib.import_module("tf_keras")


def tensor(images: Array) -> Any:
    """Return a tensor of TensorFlow."""
    return tf.convert_to_tensor(np.ascontiguousarray(images, np.float32))
