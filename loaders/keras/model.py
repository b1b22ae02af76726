"""The adapter of Keras 3 and tf_keras: a model behind the capabilities of `xai_core.model`.

`KerasModel` takes what a file held and any other model object, subclassed ones too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from loaders.keras import endings, head, inputs, layers, modes, norms, outputs, recognise
from loaders.keras.front import front
from loaders.keras.network import Network, library_of, tensor
from loaders.keras.record import Record, record
from loaders.labels import Inside, fitting, labels_for
from loaders.preprocessing import Options, Preprocessing
from loaders.resolve import resolve
from xai_core import perturb
from xai_core.errors import ParamError
from xai_core.model import Finding, HeadKind, Layer
from xai_core.perturb import MaskSource
from xai_core.target import Target

Array = NDArray[np.float32]
BATCH = 16
"""Images in one forward pass of the hot path; its memory is flat in the number of masks."""
GRADIENT_BATCH = 8


class KerasModel:
    """A Keras classifier. Satisfies Predicts, MasksFast, Differentiates, HasLayers, HasNative.

    `model` may be functional, Sequential or subclassed, of Keras 3 or of tf_keras. It is left as
    it is unless `owned`; the activation at its end is taken off a copy. `preprocessing`, where it
    is given, stands for what would be recognised. `names` are class names that its file holds,
    each with where they were found. `mode_reason` says, where the model does, why it answers as
    it does in training.

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
        names: Sequence[Inside] = (),
        owned: bool = False,
    ) -> None:
        options = options or Options()
        self.name, self.kind = name or str(model.name), kind
        model, findings = _before_choice(model, findings)
        known = recognise.application(model)
        self.architecture = known.title if known else inputs.described(model)
        said = list(findings)

        taken = inputs.taken(model, options, known, preprocessing)
        said += taken.findings
        self.channels, self._network = taken.channels, Network(model, taken)
        self.framework = self._network.library
        self._network.built()
        self.mode_reason = modes.in_training(model)
        photo = (*taken.size, taken.channels)
        own = None if preprocessing else front(layers.tree(model), self._network.sent, photo)
        recognised = preprocessing or recognise.preprocessing(
            model, known, taken.size, taken.channels, own
        )
        self.preprocessing, resolved = resolve(
            options, recognised, size=taken.size, channels=taken.channels
        )
        said += resolved
        if recognised is not None and "assumed" in recognised.why:
            said.append(
                Finding(
                    "info" if recognise.published(model) else "warning",
                    f"The pre-processing is {recognised.name!r}: {recognised.why}. If it was "
                    "trained with another, choose that.",
                    "preprocessing",
                )
            )
        self.input_size = self.preprocessing.size
        self._network.size, self._network.how = self.input_size, self.preprocessing

        said += self._open(options, owned)
        classes = 2 if self._network.spread else self._network.output.units
        inside = fitting(names, classes)
        self.labels, named = labels_for(options, classes, imagenet=known is not None, **inside)
        said += named
        self.findings = tuple(said)
        self.parameters = int(self._network.model.count_params())
        self._compiled: dict[str, Callable[..., Any]] = {}
        self._native: Any = None

    def _open(self, options: Options, owned: bool) -> list[Finding]:
        """Run once: choose the output, take its activation off, and list the layers."""
        network, views = self._network, _probe_views(self.input_size)
        seen = self._noted(views)
        names = getattr(network.model, "output_names", None) or ()
        choices = [
            dataclasses.replace(each, kind=kind, ran=ran)
            for each in outputs.found(seen.answers, len(views), names)
            for kind, ran in [self._ends(each, seen)]
        ]
        network.output, said = outputs.choose(choices, options)
        scores = network.chosen(seen.answers)
        network.spread = scores.shape[1] == 1
        original, (_, maker) = network.model, seen.maker(network.output.of(seen.answers))
        # the scores are the network's own until the activation is off
        self.head, ends = head.opened(network, maker, views, scores, options, owned)
        if network.model is not original:
            seen = self._noted(views)  # the layers of the copy
        self._layers, self._sites, self._calls = seen.layers, seen.sites, seen.calls
        return [*said, *ends]

    def _ends(self, output: outputs.Output, seen: Record) -> tuple[HeadKind | None, int]:
        ran, maker = seen.maker(outputs.Choice(output.path).of(seen.answers))
        ending = endings.ending(self._network.model, output.path) or endings.of_layer(maker)
        return (ending.kind if ending else None), ran

    def _noted(self, views: Array) -> Record:
        network = self._network
        given = network.prepare(tensor(views))
        tree = layers.tree(network.model)
        photo = (*self.input_size, self.channels)
        noted: Record = network.tried(
            lambda: record(tree, lambda: network.answer(given), len(views), photo)
        )
        return noted

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
        forward = self._compile("logits", self._network.forward)  # traced once for both

        def pull(views: Any, weights: Any) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(views)
                score = self._score(forward(views), weights, probability)
            return tape.gradient(score, views, unconnected_gradients="zero")

        run = self._compile(f"gradients of the {target.of}", pull, weights.shape)
        parts = [
            run(tensor(images[at : at + GRADIENT_BATCH]), weights).numpy()
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
                self._network.forward(tensor(images[at : at + BATCH]))
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
                logits = self._network.forward(tensor(images[at : at + GRADIENT_BATCH]))
                score = self._score(logits, weights, probability)
            maps.append(_as_map(seen[-1]))
            gradient = tape.gradient(score, seen[-1], unconnected_gradients="zero")
            gradients.append(_as_map(gradient))
        return np.concatenate(maps), np.concatenate(gradients)

    def first_spread(self, images: Array) -> float | None:
        """Return how wide the first batch normalisation's input is against its training's."""
        tree = layers.tree(self._network.model)
        run = functools.partial(self._network.scores, images)
        return norms.first_spread(tree.values(), run)

    # for wrapped libraries

    def native(self) -> Any:
        """Return a functional model: float32 `[N, h, w, 3]` RGB in 0..1 in, logits out.

        It shares this model's layers, which lie inside its last one. Of the library that read the
        model: keras or tf_keras.
        """
        if self._native is None:
            library = self._network.module
            view = library.Input((*self.input_size, 3), name="view")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Keras 3 on structure of nested inputs
                self._native = library.Model(view, self._network.forward(view), name="vitrine_view")
        return self._native

    def native_layer(self, layer: str) -> Any:
        """Return the layer object behind a name."""
        return self._sites[self._path(layer)]

    # the network itself

    def _score(self, logits: Any, weights: Any, probability: bool) -> Any:
        """Return float `[N]`: the target's weights over logits or probabilities."""
        if probability:
            logits = tf.nn.softmax(logits) if self.head.exclusive else tf.nn.sigmoid(logits)
        return tf.linalg.matvec(logits, weights)

    def _weights(self, target: Target) -> Any:
        return tf.constant(target.weights(len(self.labels)))

    def _run(self, images: Array) -> Array:
        logits = self._compile("logits", self._network.forward)(tensor(images))
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


def _before_choice(model: Any, findings: Sequence[Finding]) -> tuple[Any, Sequence[Finding]]:
    """Return a network that stops at its scores, where it goes on to choose one of them."""
    scores = endings.before_choice(model)
    if scores is None:
        return model, findings
    said = (
        "The network gives the number or the name of one class: its scores are read before it "
        "chooses."
    )
    return library_of(model).Model(model.inputs, scores), (
        *findings,
        Finding("info", said, "output"),
    )


def _probe_views(size: tuple[int, int]) -> Array:
    views = np.random.default_rng(0).random((3, *size, 3), np.float32)
    views[0] = 0.5
    return views


def _as_map(output: Any) -> Array:
    values = np.asarray(tf.cast(output, tf.float32))
    if values.ndim == 4:
        return values
    side = math.isqrt(values.shape[1])
    # a class token, where there is one, comes first
    tokens = values[:, values.shape[1] - side * side :]
    return np.ascontiguousarray(tokens.reshape(len(values), side, side, -1))
