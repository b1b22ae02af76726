"""The adapter of Keras 3 and tf_keras: a model behind the capabilities of `xai_core.model`.

The only file that imports them. `KerasModel` also takes a model object, subclassed ones too.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from loaders import heads
from loaders.keras import endings, inputs, layers, norms, recognise
from loaders.keras.read import reason
from loaders.labels import labels_for
from loaders.preprocessing import Options, Preprocessing
from loaders.resolve import resolve
from xai_core import perturb
from xai_core.errors import LoadError, ParamError, UnsupportedModel
from xai_core.model import Finding, Head, HeadKind, Layer, Target
from xai_core.perturb import MaskSource

Array = NDArray[np.float32]
BATCH = 16
"""Images in one forward pass of the hot path; its memory is flat in the number of masks."""
GRADIENT_BATCH = 8
_TINY = 1e-30
_AT_REST = re.compile("Dropout|Noise|ActivityRegularization|Identity")
_STILL_THE_PHOTO = ("Rescaling", "Normalization", "Random", "TFOpLambda", "SlicingOpLambda")


class KerasModel:
    """A Keras classifier. Satisfies Predicts, MasksFast, Differentiates, HasLayers, HasNative.

    `model` may be functional, Sequential or subclassed, of Keras 3 or of tf_keras. It is left as
    it is unless `owned`; the activation at its end is taken off a copy. `preprocessing`, where it
    is given, stands for what would be recognised.

    Raises UnsupportedModel for what is no image classifier, LoadError where it does not run or
    the class names do not fit it, and ParamError for an option that does not fit it.
    """

    def __init__(
        self,
        model: Any,
        options: Options | None = None,
        *,
        name: str = "",
        kind: str = "Keras model",
        preprocessing: Preprocessing | None = None,
        findings: Sequence[Finding] = (),
        owned: bool = False,
    ) -> None:
        options = options or Options()
        self.framework = "keras" if isinstance(model, keras.Model) else "tf_keras"
        self.name, self.kind = name or str(model.name), kind
        known = recognise.application(model)
        self.architecture = known.title if known else inputs.described(model)
        said = list(findings)

        self.channels, size, sized = inputs.taken(model, options, known, preprocessing)
        said += sized
        recognised = preprocessing or recognise.preprocessing(model, known, size, self.channels)
        self.preprocessing, resolved = resolve(
            options, recognised, size=size, channels=self.channels
        )
        said += resolved
        if recognised is not None and "assumed" in recognised.why:
            said.append(
                Finding("info", f"The pre-processing is {recognised.name!r}: {recognised.why}.")
            )
        self.input_size = self.preprocessing.size

        self._model = model
        self._sites: dict[str, Any]  # what can be looked into, by path
        self._calls: dict[str, int]  # how often each runs in a pass
        outputs = self._record(_probe_views(self.input_size))
        self._undo: HeadKind | None = None
        """What the network's own outputs are, where its activation could not be taken off."""
        self._spread = outputs.shape[1] == 1
        """Whether one unit z is made two classes, (-z/2, z/2)."""
        self.head, about = self._open_head(outputs, owned)
        said += about
        classes = 2 if outputs.shape[1] == 1 else outputs.shape[1]
        self.labels, named = labels_for(options, classes, imagenet=known is not None)
        said += named
        self.findings = tuple(said)
        self.parameters = int(self._model.count_params())
        self._compiled: dict[str, Callable[..., Any]] = {}
        self._native: Any = None

    # what every method needs

    def logits(self, images: Array) -> Array:
        """Return float32 `[N, classes]` for views `[N, h, w, 3]`."""
        parts = [self._run(images[at : at + BATCH]) for at in range(0, len(images), BATCH)]
        return np.concatenate(parts)

    def masked_scores(
        self, image: Array, masks: MaskSource, baseline: Array, targets: Sequence[Target]
    ) -> Iterator[tuple[slice, Array]]:
        """Yield `(slice of masks, scores [b, targets])`; one buffer of views is reused."""
        for part, logits in perturb.stream(self._run, image, masks, baseline, BATCH):
            yield part, np.stack([target.score(logits, self.head) for target in targets], 1)

    def gradients(self, images: Array, target: Target) -> Array:
        """Return d score / d view, float32 `[N, h, w, 3]`."""
        weights = self._weights(target)
        probability = target.of == "probability"
        forward = self._compile("logits", self._forward)  # traced once for both

        def pull(views: Any, weights: Any) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(views)
                score = self._score(forward(views), weights, probability)
            return tape.gradient(score, views, unconnected_gradients="zero")

        run = self._compile(f"gradients of the {target.of}", pull, weights.shape)
        parts = [
            run(_tensor(images[at : at + GRADIENT_BATCH]), weights).numpy()
            for at in range(0, len(images), GRADIENT_BATCH)
        ]
        return np.concatenate(parts)

    # inner layers

    def layers(self) -> tuple[Layer, ...]:
        """List the layers that give a map, in the order of execution."""
        return self._layers

    def activations(self, images: Array, layer: str) -> Array:
        """Return float32 `[N, map h, map w, channels]`."""
        parts = []
        for at in range(0, len(images), BATCH):
            with self._at(layer) as seen:
                self._forward(_tensor(images[at : at + BATCH]))
            parts.append(_as_map(seen[-1]))
        return np.concatenate(parts)

    def activation_gradients(
        self, images: Array, layer: str, target: Target
    ) -> tuple[Array, Array]:
        """Return activations and d score / d activations, `[N, map h, map w, channels]`.

        The tape sees nothing before the layer's output: only what follows is differentiated.
        """
        weights, probability = self._weights(target), target.of == "probability"
        maps, gradients = [], []
        for at in range(0, len(images), GRADIENT_BATCH):
            with (
                tf.GradientTape(watch_accessed_variables=False) as tape,
                self._at(layer, tape.watch) as seen,
            ):
                logits = self._forward(_tensor(images[at : at + GRADIENT_BATCH]))
                score = self._score(logits, weights, probability)
            maps.append(_as_map(seen[-1]))
            gradient = tape.gradient(score, seen[-1], unconnected_gradients="zero")
            gradients.append(_as_map(gradient))
        return np.concatenate(maps), np.concatenate(gradients)

    def first_spread(self, images: Array) -> float | None:
        """Return how wide the first batch normalisation's input is against its training's."""
        tree = layers.tree(self._model)
        run = functools.partial(self._model, self._prepare(_tensor(images)), training=False)
        return norms.first_spread(tree.values(), run)

    # for wrapped libraries

    def native(self) -> Any:
        """Return a functional model: float32 `[N, h, w, 3]` RGB in 0..1 in, logits out.

        It shares this model's layers, which lie inside its last one. Of the library that read the
        model: keras or tf_keras.
        """
        if self._native is None:
            library = self._library()
            view = library.Input((*self.input_size, 3), name="view")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Keras 3 on structure of nested inputs
                self._native = library.Model(view, self._forward(view), name="vitrine_view")
        return self._native

    def native_layer(self, layer: str) -> Any:
        """Return the layer object behind a name."""
        return self._sites[self._path(layer)]

    # the network itself

    def _library(self) -> Any:
        return keras if self.framework == "keras" else importlib.import_module("tf_keras")

    def _forward(self, views: Any) -> Any:
        """Map views to logits, as tensors of TensorFlow or as symbols of the model's library."""
        return self._finish(self._model(self._prepare(views), training=False))

    def _prepare(self, views: Any) -> Any:
        """Normalise as `Preprocessing.normalise` does, where it can be differentiated."""
        how = self.preprocessing
        symbolic = keras.ops if self.framework == "keras" else tf
        if how.channels == "grey":
            views = symbolic.matmul(views, _matrix(how))  # [N, h, w, 1]
        elif how.channels == "bgr":
            views = views[..., ::-1]
        if any(how.mean):
            views = views - np.array(how.mean, np.float32)
        if any(std != 1 for std in how.std):
            views = views / np.array(how.std, np.float32)
        return views

    def _finish(self, outputs: Any) -> Any:
        """Turn the network's outputs into float32 logits `[N, classes]`."""
        ops = keras.ops if self.framework == "keras" else tf
        outputs = _single(outputs)
        if len(outputs.shape) > 2:  # [N, 1, 1, classes]
            outputs = ops.reshape(outputs, (-1, outputs.shape[-1]))
        if outputs.dtype not in ("float32", tf.float32):
            outputs = ops.cast(outputs, "float32")
        log = keras.ops.log if self.framework == "keras" else tf.math.log
        match self._undo:
            case "softmax":
                outputs = log(ops.maximum(outputs, _TINY))
            case "sigmoid":
                below = ops.maximum(1.0 - outputs, _TINY)
                outputs = log(ops.maximum(outputs, _TINY)) - log(below)
        if self._spread:  # one unit z: two classes
            half = outputs * 0.5
            outputs = (
                ops.concatenate([-half, half], -1)
                if self.framework == "keras"
                else tf.concat([-half, half], -1)
            )
        return outputs

    def _score(self, logits: Any, weights: Any, probability: bool) -> Any:
        """Return float `[N]`: the target's weights over logits or probabilities."""
        if probability:
            logits = tf.nn.softmax(logits) if self.head.exclusive else tf.nn.sigmoid(logits)
        return tf.linalg.matvec(logits, weights)

    def _weights(self, target: Target) -> Any:
        weights = np.zeros(len(self.labels), np.float32)
        weights[target.index] += 1
        if target.against is not None:
            weights[target.against] -= 1
        return tf.constant(weights)

    def _run(self, images: Array) -> Array:
        logits = self._compile("logits", self._forward)(_tensor(images))
        return np.asarray(logits.numpy(), np.float32)

    def _compile(self, key: str, run: Callable[..., Any], *more: Any) -> Callable[..., Any]:
        """Return `run` as a graph for any number of views, or as it is where it cannot be one."""
        if key not in self._compiled:
            signature = [tf.TensorSpec((None, *self.input_size, 3), tf.float32)]
            signature += [tf.TensorSpec(shape, tf.float32) for shape in more]
            graph = tf.function(run, input_signature=signature, autograph=False)
            try:
                graph.get_concrete_function()
                self._compiled[key] = graph
            except Exception:  # a subclassed model may need Python at each pass
                self._compiled[key] = run
        return self._compiled[key]

    # looking inside

    @contextlib.contextmanager
    def _at(self, layer: str, watch: Callable[[Any], None] | None = None) -> Iterator[list[Any]]:
        """Collect the layer's output at its last call in a pass."""
        path = self._path(layer)
        seen: list[Any] = []
        calls = 0

        def see(_: str, output: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == self._calls[path]:
                if watch is not None:
                    # a fresh tensor: a Dropout hands on the one that the layer before it made
                    output = tf.identity(output)
                    watch(output)
                seen.append(output)
            return output

        with layers.intercepted({path: self._sites[path]}, see):
            yield seen

    def _path(self, layer: str) -> str:
        """Find a layer by its path, or by its own name where only one has it."""
        if layer in self._sites:
            return layer
        ends = [path for path in self._sites if path.rsplit("/", 1)[-1] == layer]
        if len(ends) == 1:
            return ends[0]
        some = ", ".join(row.name for row in self._layers[-3:]) or "none of this network's"
        which = f"{len(ends)} layers are called" if ends else "no layer with a map is called"
        raise ParamError(
            f"The layer must be one whose output is a map (such as {some}); {which} {layer!r}"
        )

    def _record(self, views: Array) -> Array:
        """Run once, note every layer that gives a map, and return the outputs `[N, units]`."""
        self._sites, self._calls = {}, {}
        found: dict[str, tuple[int, ...]] = {}
        order: dict[str, int] = {}
        kept: list[Any] = []  # so that no two outputs of the pass share an id

        def see(path: str, output: Any) -> Any:
            self._calls[path] = self._calls.get(path, 0) + 1
            if hasattr(output, "numpy") and hasattr(output, "shape"):
                found.pop(path, None)
                found[path] = tuple(output.shape)
                order[path] = id(output)
                kept.append(output)
            return output

        try:
            prepared = self._prepare(_tensor(views))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if not self._model.built:  # a subclassed model makes its layers when it is called
                    self._model(prepared[:1], training=False)
                tree = layers.tree(self._model)
                with layers.intercepted(tree, see):
                    outputs = self._model(prepared, training=False)
        except Exception as error:  # whatever a network's own layers may raise
            raise LoadError(
                f"The network does not run on a photo of {views.shape[1]} x {views.shape[2]} "
                f"pixels with {self.channels} channel{'s' * (self.channels > 1)} "
                f"({reason(error)})."
            ) from error
        scores = _scores(outputs, len(views))
        rows: list[Layer] = []
        listed: set[int] = set()
        for path, shape in found.items():
            measured = layers.map_shape(shape, len(views))
            if measured is None:
                continue
            layer = tree[path]
            self._sites[path] = layer
            kind, (height, width, channels) = type(layer).__name__, measured
            if order[path] in listed or layers.is_model(layer) or _AT_REST.search(kind):
                continue  # the same map under a second name
            photo = (height, width) == self.input_size and channels == self.channels
            if photo and kind.startswith(_STILL_THE_PHOTO):
                continue
            listed.add(order[path])
            rows.append(Layer(path, kind, (height, width), channels))
        self._layers = tuple(rows)
        return scores

    # the end of the network

    def _open_head(self, outputs: Array, owned: bool) -> tuple[Head, list[Finding]]:
        """Take the last activation off. `outputs` are the network's own on the probe views."""
        findings: list[Finding] = []
        units = outputs.shape[1]
        ending = endings.ending(self._model)
        kind = ending.kind if ending else None
        if units == 1 and kind == "softmax":
            raise UnsupportedModel(
                "The network ends in a softmax over one unit, which is 1 for every photo: it says "
                "nothing that could be explained. Train it with a sigmoid instead."
            )
        if kind is None or (kind != "logits" and not self._take_off(outputs, kind, owned)):
            kind = heads.told(outputs)
            self._undo = kind if kind in ("softmax", "sigmoid") else None
            name = f"an activation {ending.name!r}" if ending else "no activation that can be seen"
            findings.append(
                Finding(
                    "info" if kind != "logits" else "warning",
                    f"The network ends in {name}; judged by its answers to a few random photos "
                    f"it gives {_ANSWERS[kind]}.",
                )
            )
        if units == 1 and kind == "logits":
            findings.append(
                Finding(
                    "warning",
                    "The network ends in one linear unit: it is taken as the logit of the second "
                    "of two classes. If it was trained to predict a quantity, the two classes "
                    "mean nothing.",
                )
            )
        return Head(kind, exclusive=kind != "sigmoid" or units == 1), findings

    def _take_off(self, outputs: Array, kind: HeadKind, owned: bool) -> bool:
        """Take the activation off, and say whether nothing but the activation went with it."""
        original = self._model
        if not owned:
            try:
                self._model = _copy(self._library(), original)
            except Exception:  # whatever somebody's own layers raise when they are copied
                return False
        views = _probe_views(self.input_size)
        ending = endings.ending(self._model)
        if ending is None:
            return False
        undo = ending.take_off()
        scores = _scores(self._model(self._prepare(_tensor(views)), training=False), len(views))
        if np.allclose(
            _odds(scores, kind), np.exp(outputs) if kind == "log-softmax" else outputs, atol=1e-2
        ):
            if not owned:
                self._record(views)  # the layers of the copy
            return True
        undo()  # the layer serves elsewhere in the network as well
        self._model = original
        return False


def _odds(scores: Array, kind: HeadKind) -> Array:
    return Head(kind, exclusive=kind != "sigmoid").probabilities(scores)


_ANSWERS = {
    "softmax": "probabilities of classes that compete (softmax)",
    "log-softmax": "log-probabilities of classes that compete (log-softmax)",
    "sigmoid": "probabilities that stand alone (sigmoid)",
    "logits": "scores and no probabilities, which are then taken by a softmax",
}


def _single(outputs: Any) -> Any:
    """Unwrap the list of one output that models of old files give."""
    if isinstance(outputs, (list, tuple)) and len(outputs) == 1:
        return outputs[0]
    return outputs


def _scores(outputs: Any, count: int) -> Array:
    """Return the outputs as `[N, units]`. Raises UnsupportedModel where they are no such thing."""
    outputs = _single(outputs)
    if isinstance(outputs, (list, tuple, dict)):
        raise UnsupportedModel(
            f"This network gives {len(outputs)} outputs; an image classifier gives one row of "
            "scores."
        )
    shape = tuple(outputs.shape)
    if len(shape) < 2 or shape[0] != count or any(side != 1 for side in shape[1:-1]):
        raise UnsupportedModel(
            f"This network gives an array {inputs.sides((None, *shape[1:]))} for each photo, not "
            "one row of class scores: it is no image classifier."
        )
    return np.asarray(tf.cast(outputs, tf.float32)).reshape(count, shape[-1])


def _probe_views(size: tuple[int, int]) -> Array:
    views = np.random.default_rng(0).random((3, *size, 3), np.float32)
    views[0] = 0.5
    return views


def _matrix(how: Preprocessing) -> Array:
    return np.asarray(how.matrix, np.float32)


def _tensor(images: Array) -> Any:
    return tf.convert_to_tensor(np.ascontiguousarray(images, np.float32))


def _as_map(output: Any) -> Array:
    values = np.asarray(tf.cast(output, tf.float32))
    if values.ndim == 4:
        return values
    side = math.isqrt(values.shape[1])
    # a class token, where there is one, comes first
    tokens = values[:, values.shape[1] - side * side :]
    return np.ascontiguousarray(tokens.reshape(len(values), side, side, -1))


def _copy(library: Any, model: Any) -> Any:
    """Return a copy with the same weights: somebody else's model keeps its activation."""
    made = library.models.clone_model(model)
    made.set_weights(model.get_weights())
    return made
