"""The adapter of Keras 3 and tf_keras: a model behind the capabilities of `xai_core.model`.

`KerasModel` takes what a file held and any other model object, subclassed ones too.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from loaders.backend import Backed
from loaders.keras import (
    endings,
    head,
    inputs,
    layers,
    modes,
    norms,
    outputs,
    recognise,
    rewrite,
    sites,
)
from loaders.keras.forward import SCORES, Forward, score
from loaders.keras.front import front
from loaders.keras.network import Network, tensor
from loaders.keras.record import Record, record
from loaders.keras.shared import Shared
from loaders.keras.tail import Tail, Tails
from loaders.labels import Inside, fitting, labels_for
from loaders.preprocessing import Options, Preprocessing
from loaders.resolve import resolve, still_assumed
from xai_core import perturb
from xai_core.card import Backend
from xai_core.changes import Change, OutputWeights
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import Finding, HeadKind, Layer, Rewrites, ShowsLayers, missing
from xai_core.perturb import MaskSource
from xai_core.target import Target, UnitTarget

Array = NDArray[np.float32]
BATCH = 16
"""Images in one forward pass of the hot path; its memory is flat in the number of masks."""
GRADIENT_BATCH = 8
SLOPES = 4 * 224 * 224
"""Pixels of the views in one pass there and back: more at once are no quicker, and take memory."""

_NO_MAP = (
    "No layer of this network gives a map, which is what this reads: it is made of dense layers "
    "only, or keeps its maps to itself."
)


class KerasModel(norms.Watched, Backed):
    """A Keras classifier: MasksFast, Differentiates, RunsFrom, Rewrites and HasNative.

    `lacks` says which of them it does not give, as a network without maps shows no layers.

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
        model, findings = head.before_choice(model, findings)
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
        but = still_assumed(options)
        if recognised is not None and "assumed" in recognised.why and but is not None:
            said.append(
                Finding(
                    "info" if recognise.published(model) else "warning",
                    f"{f'{but}the' if but else 'The'} pre-processing is {recognised.name!r}: "
                    f"{recognised.why}. If it was trained with another, choose that.",
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

    def _begin(self) -> None:
        """Make what stands on the network anew."""
        self._forward = Forward(self._network, self._sites, random=self.mode_reason)
        self._tails = Tails(self._network, self._sites)
        self._shared = Shared(self._network, self._sites, self._tails, random=self.mode_reason)
        self._native: Any = None
        self.parameters = int(self._network.model.count_params())

    def _open(self, options: Options, owned: bool) -> list[Finding]:
        """Run once: choose the output, take its activation off, and list the layers."""
        network, views = self._network, _probe_views(self.input_size)
        seen = self._noted(views)
        self.steps = seen.steps
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
        self._sites = sites.Sites(seen.layers, seen.sites, seen.maps, seen.calls)
        self._begin()
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

    def lacks(self, need: type) -> str | None:
        """Say why this network does not give what a capability is, or None where it does."""
        if not self._sites.rows and ShowsLayers in need.__mro__:
            return _NO_MAP
        if need is Rewrites:
            return self._refusal or None
        return missing(self, need)

    @property
    def backend(self) -> Backend:
        """What the forward passes run on, and those to a layer."""
        return dataclasses.replace(super().backend, layers=self._shared.said)

    # what every method needs

    def logits(self, images: Array) -> Array:
        """Return float32 `[N, classes]` for views `[N, h, w, 3]`."""
        self._forward.logits.expect(len(images))
        parts = _parts(len(images), BATCH)
        return np.concatenate([self._forward.logits(images[part]) for part in parts])

    def masked_scores(
        self,
        image: Array,
        masks: MaskSource,
        baseline: Array,
        targets: Sequence[Target],
        batch: int = 0,
    ) -> Iterator[tuple[slice, Array]]:
        """Yield `(slice of masks, scores [b, targets])`; one buffer of views is reused."""
        reads = [self._read(target) for target in targets]
        kinds = tuple(dict.fromkeys(reads))
        self._forward.expect(kinds, len(masks))

        def scores(views: Array) -> Array:
            found = dict(zip(kinds, self._forward.all(kinds, views), strict=True))
            rows = zip(targets, reads, strict=True)
            return np.stack([target.score(found[read], self.head) for target, read in rows], 1)

        at_once = batch or perturb.at_once(self.input_size, BATCH)
        return perturb.stream(scores, image, masks, baseline, at_once)

    def gradients(self, images: Array, target: Target, batch: int = 0) -> Array:
        """Return d score / d view, float32 `[N, h, w, 3]`."""
        weights, read = self._weights(target), self._read(target)
        forward = self._forward.reading(read)  # traced once for both

        def pull(views: Any, weights: Any) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(views)
                score = self._score(forward(views), weights, target)
            return tape.gradient(score, views, unconnected_gradients="zero")

        run = self._forward.graph(f"gradients of the {target.of} {read}", pull, weights.shape)
        high, wide = self.input_size
        few = max(1, min(batch or GRADIENT_BATCH, SLOPES // (high * wide)))
        parts = [run(tensor(images[part]), weights).numpy() for part in _parts(len(images), few)]
        return np.concatenate(parts)

    # inner layers

    def layers(self) -> tuple[Layer, ...]:
        """List the layers that give a map, in the order of execution."""
        return self._sites.rows

    def activations(self, images: Array, layer: str) -> Array:
        """Return float32 `[N, map h, map w, channels]`."""
        path = self._sites.path(layer)
        parts = _parts(len(images), BATCH)
        return np.concatenate([self._shared.maps(images[part], path) for part in parts])

    def activation_gradients(
        self, images: Array, layer: str, target: Target
    ) -> tuple[Array, Array]:
        """Return activations and d score / d activations, `[N, map h, map w, channels]`.

        The tape sees nothing before the layer's output: only what follows is differentiated.
        """
        path, weights = self._sites.path(layer), self._weights(target)
        read = self._read(target)
        run = self._forward.plain(read)
        maps, gradients = [], []
        for part in _parts(len(images), GRADIENT_BATCH):
            if read == SCORES:
                kept = self._shared.sloped(images[part], path)
                maps.append(sites.array(kept.output))
                gradients.append(kept.slopes(lambda each: self._score(each, weights, target)))
                continue
            with (
                tf.GradientTape(watch_accessed_variables=False) as tape,
                self._sites.at(path, tape.watch) as seen,
            ):
                outputs = run(tensor(images[part]))
                score = self._score(outputs, weights, target)
            maps.append(sites.array(seen[-1]))
            gradient = tape.gradient(score, seen[-1], unconnected_gradients="zero")
            gradients.append(sites.array(gradient))
        return np.concatenate(maps), np.concatenate(gradients)

    # the network in two parts

    def run_from(self, layer: str, activations: Array, image: Array) -> Array:
        """Return logits `[N, classes]` from `[N, map h, map w, channels]`."""
        tail = self._tail(layer, activations, image)
        parts = _parts(len(activations), BATCH)
        return np.concatenate([tail.logits(activations[part], image) for part in parts])

    def vjp_from(self, layer: str, activations: Array, image: Array, cotangent: Array) -> Array:
        """Pull logit cotangents `[N, classes]` back to the layer's activations."""
        tail = self._tail(layer, activations, image)
        sites.check("The cotangents", cotangent, (len(activations), len(self.labels)))
        parts = _parts(len(activations), GRADIENT_BATCH)
        pulled = [tail.pull(activations[part], image, cotangent[part]) for part in parts]
        return np.concatenate(pulled)

    def vjp_to(self, layer: str, images: Array, cotangent: Array) -> Array:
        """Pull cotangents at the layer `[N, map h, map w, channels]` back to the view."""
        path = self._sites.path(layer)
        shape = self._sites.maps[path]
        sites.check(f"The cotangents at {path!r}", cotangent, (len(images), *shape))
        parts = [
            self._forward.back_to(path, images[part], cotangent[part])
            for part in _parts(len(images), GRADIENT_BATCH)
        ]
        return np.concatenate(parts)

    def code_gradients(self, images: Array, layer: str, code: Array) -> tuple[Array, Array]:
        """Return squared distances `[N]` from a layer's code, and gradients `[N, h, w, 3]`."""
        path = self._sites.path(layer)
        sites.check(f"The code at {path!r}", code[None], (1, *self._sites.maps[path]))
        parts = _parts(len(images), GRADIENT_BATCH)
        both = [self._forward.from_code(path, images[part], code) for part in parts]
        distances, slopes = (np.concatenate(each) for each in zip(*both, strict=True))
        return distances, slopes

    def _tail(self, layer: str, activations: Array, image: Array) -> Tail:
        path = self._sites.path(layer)
        sites.check(f"The activations at {path!r}", activations, (0, *self._sites.maps[path]))
        return self._tails.of(path, image)

    # changed copies

    @functools.cached_property
    def _refusal(self) -> str:
        return rewrite.refusal(self._network, _probe_views(self.input_size))

    def weighted(self) -> tuple[str, ...]:
        """List the layers that have weights, from the input to the output."""
        return rewrite.weighted(self._network, _probe_views(self.input_size))

    def output_weights(self) -> tuple[Array, Array]:
        """Return the last dense layer's weights `[classes, features]` and bias `[classes]`."""
        dense = rewrite.output(self._network, _probe_views(self.input_size))
        return dense.weights, dense.bias

    def rewritten(self, change: Change) -> KerasModel:
        """Return a copy with the change made, and with weights of its own."""
        if self._refusal:
            raise UnsupportedModel(self._refusal)
        made = copy.copy(self)
        made._network, said = rewrite.changed(self._network, change, _probe_views(self.input_size))
        if isinstance(change, OutputWeights):
            made.head = dataclasses.replace(self.head, kind="logits")
            if len(change.weights) != len(self.labels):
                made.labels = tuple(f"class {index}" for index in range(len(change.weights)))
        made.findings += (Finding("warning", said),) if said else ()
        tree = layers.tree(made._network.model)
        made._sites = dataclasses.replace(
            self._sites, found={path: tree[path] for path in self._sites.found}
        )
        made._begin()
        return made

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
        return self._sites.found[self._sites.path(layer)]

    # what a target reads

    def _read(self, target: Target) -> str:
        """Return the path of the layer whose map a target reads, or `SCORES`."""
        if target.reads == "layer":
            return self._sites.path(cast(UnitTarget, target).layer)
        if target.reads != "scores":
            raise ParamError(
                f"Target must read class scores or a layer's map; this one reads {target.reads}, "
                "which a classifier does not give"
            )
        return SCORES

    def _weights(self, target: Target) -> Any:
        read = self._read(target)
        return tf.constant(target.weights(self._sites.maps[read] if read else len(self.labels)))

    def _score(self, outputs: Any, weights: Any, target: Target) -> Any:
        """Return float `[N]`: the target's weights over what it reads."""
        if target.reads == "scores" and target.of == "probability":
            outputs = tf.nn.softmax(outputs) if self.head.exclusive else tf.nn.sigmoid(outputs)
        return score(outputs, weights)


def _parts(count: int, step: int) -> list[slice]:
    return [slice(at, at + step) for at in range(0, count, step)]


def _probe_views(size: tuple[int, int]) -> Array:
    views = np.random.default_rng(0).random((3, *size, 3), np.float32)
    views[0] = 0.5
    return views
