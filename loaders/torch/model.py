"""The adapter of PyTorch: a module behind the capabilities of `xai_core.model`."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from loaders.backend import Backed
from loaders.options import Maps
from loaders.preprocessing import Preprocessing
from loaders.sanity import Statistics
from loaders.torch import norms, notes, rewrite
from loaders.torch.first_pass import FirstPass
from loaders.torch.forward import SCORES, Forward, nchw, pulled, reads
from loaders.torch.incremental import Run
from loaders.torch.layers import Modules
from loaders.torch.occluding import Occluding
from loaders.torch.script import Graph
from loaders.torch.shared import Rest
from loaders.torch.tail import Tail
from loaders.torch.wrapped import Reading, Wrapped
from xai_core import perturb
from xai_core.card import Backend
from xai_core.changes import Change, OutputWeights, Randomised, ReluRule
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import (
    Finding,
    HasNative,
    Head,
    Layer,
    Rewrites,
    ShowsLayers,
    missing,
)
from xai_core.perturb import MaskSource
from xai_core.target import Target

Array = NDArray[np.float32]
BATCH = 8
"""Images in one forward pass: on a CPU larger batches are slower, and memory stays flat."""
SLOPES = 2 * 224 * 224
"""Pixels of the views in one pass there and back: more at once take longer on a CPU, as all that
the way back needs no longer fits into its caches, and memory grows with each."""
LIKELY = 1.5
"""Times that a network is likely to become quicker by another backend that was not tried yet."""

_NO_OBJECTS = (
    "A TorchScript network runs no hooks, so that its layers cannot be handed to a library. Export "
    "it with torch.export.save, or save its state_dict()."
)
_SCRIPTED = (
    "The graph of this TorchScript network shows no layer that gives a map, so no method that "
    "reads layers can serve it. Export it with torch.export.save, or save its state_dict()."
)


class TorchModel(Backed):
    """A PyTorch classifier: Differentiates, MasksFast, RunsFrom, Rewrites and HasNative.

    `lacks` says which of them it does not give, as TorchScript gives no copy of itself.

    Raises LoadError where the network does not run on a view of its size, and UnsupportedModel
    where it does not answer with one row of class scores.
    """

    framework = "torch"

    def __init__(
        self,
        module: nn.Module,
        *,
        name: str,
        kind: str,
        architecture: str,
        preprocessing: Preprocessing,
        labels: tuple[str, ...],
        head: Head | None = None,
        findings: Sequence[Finding] = (),
        reading: Reading | None = None,
        seen: tuple[torch.Tensor, torch.Tensor] | None = None,
        maps: Maps | None = None,
        mode_reason: str = "",
    ) -> None:
        self.scripted = any(isinstance(part, torch.jit.ScriptModule) for part in module.modules())
        self._inside = Graph(module) if self.scripted else Modules(module)
        module.eval()
        for parameter in module.parameters():  # module.requires_grad_ refuses TorchScript
            parameter.requires_grad_(False)
        self.name, self.kind, self.architecture = name, kind, architecture
        self.preprocessing, self.labels = preprocessing, labels
        self.input_size = preprocessing.size
        self.channels = 1 if preprocessing.channels == "grey" else 3
        self.parameters = sum(p.numel() for p in module.parameters())
        self.head = head or Head("logits")
        self.mode_reason = mode_reason
        # TorchScript's plan for gradients keeps tensors, which those of inference mode refuse.
        self._still = torch.no_grad if self.scripted else torch.inference_mode
        self.reading = reading or Reading()
        self._module = Wrapped(self._inside.body, preprocessing, self.head, self.reading).eval()
        first = FirstPass(
            self._module,
            self._inside,
            self.input_size,
            still=self._still,
            random=bool(mode_reason),
        ).look(len(labels), seen, maps)
        self._layers, self._layouts, self._shapes = first.layers, first.layouts, first.shapes
        self.steps = first.steps
        self.findings = (*findings, *first.findings)
        self._module.keeps = not self.scripted and notes.thawed(self._inside.body)
        self._begin()

    def lacks(self, need: type) -> str | None:
        """Say why it does not give what a capability is, or None where it does."""
        if ShowsLayers in need.__mro__ and not self._layers:
            return _SCRIPTED if self.scripted else _flat(self._module.body)
        if self.scripted and need in (Rewrites, HasNative):
            return rewrite.SCRIPTED if need is Rewrites else _NO_OBJECTS
        return missing(self, need)

    def logits(self, images: Array) -> Array:
        """Return float32 `[N, classes]` for views `[N, h, w, 3]`."""
        self._forward.logits.expect(len(images))
        return np.concatenate([self._forward.logits(part) for part in self._parts(images)])

    def masked_scores(
        self,
        image: Array,
        masks: MaskSource,
        baseline: Array,
        targets: Sequence[Target],
        batch: int = 0,
    ) -> Iterator[tuple[slice, Array]]:
        """Yield `(slice of masks, scores [b, targets])`; one buffer of views is reused."""
        names = [self._asked(target) for target in targets]
        if isinstance(masks, perturb.Patches) and set(names) == {SCORES}:
            run = self._occluding.run(
                image, baseline, masks, self._gain(), self._forward.logits.pace
            )
            if run is not None:
                yield from self._reached(run, masks, targets, self._at_once(batch))
                return
        if set(names) == {SCORES}:
            self._forward.logits.expect(len(masks))

        def scores(views: Array) -> Array:
            read = self._forward.read(views, dict.fromkeys(names))
            pairs = zip(targets, names, strict=True)
            return np.stack([target.score(read[name], self.head) for target, name in pairs], 1)

        yield from perturb.stream(scores, image, masks, baseline, self._at_once(batch))

    def _reached(
        self, run: Run, masks: perturb.Patches, targets: Sequence[Target], batch: int
    ) -> Iterator[tuple[slice, Array]]:
        """Yield the scores of patches by what each can reach: small windows, so more at once."""
        for start in range(0, len(masks), 2 * batch):
            part = slice(start, min(start + 2 * batch, len(masks)))
            logits = run.logits(np.arange(part.start, part.stop))
            yield part, np.stack([target.score(logits, self.head) for target in targets], 1)

    @property
    def backend(self) -> Backend:
        """What the forward passes run on, those to a layer, and slopes."""
        return dataclasses.replace(super().backend, layers=self._forward.said)

    def _gain(self) -> float:
        """Return how many times quicker than torch's own whole passes are, or may become."""
        return self.backend.gain or (1.0 if self.backend.why else LIKELY)

    @property
    def shortcut(self) -> str:
        """How the last patches were scored, in a sentence; empty where there was nothing to say."""
        return self._occluding.said

    def gradients(self, images: Array, target: Target, batch: int = 0) -> Array:
        """Return d score / d view, float32 `[N, h, w, 3]`."""
        self._asked(target)
        few = self._forward.at_once or max(1, SLOPES // math.prod(self.input_size))
        parts = [
            self._forward.back(part, target)
            for part in self._parts(images, min(batch or BATCH, few))
        ]
        return np.ascontiguousarray(np.concatenate(parts))

    def expects(self, gradients: int) -> None:
        """Hear that `gradients` is asked about so many images in a run."""
        self._forward.expect_back(gradients)

    def layers(self) -> tuple[Layer, ...]:
        """List the layers that give a map, in the order of execution."""
        return self._layers

    def activations(self, images: Array, layer: str) -> Array:
        """Return float32 `[N, map h, map w, channels]`."""
        self._check(layer)
        parts = [self._forward.read(part, (layer,))[layer] for part in self._parts(images)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def activation_gradients(
        self, images: Array, layer: str, target: Target
    ) -> tuple[Array, Array]:
        """Return activations and d score / d activations, `[N, map h, map w, channels]`."""
        self._check(layer)
        self._asked(target)
        both = [self._forward.branched(part, layer, target) for part in self._parts(images)]
        activations, gradients = (np.concatenate(each) for each in zip(*both, strict=True))
        return activations, gradients

    def run_from(self, layer: str, activations: Array, image: Array) -> Array:
        """Return logits `[N, classes]` from `[N, map h, map w, channels]`."""
        tail = self._tail(layer, activations, image)
        with self._still():
            parts = [tail(_tensor(part)).numpy() for part in self._parts(activations)]
        return np.concatenate(parts)

    def vjp_from(self, layer: str, activations: Array, image: Array, cotangent: Array) -> Array:
        """Pull logit cotangents `[N, classes]` back to the layer's activations."""
        tail = self._tail(layer, activations, image)
        self._fits("cotangent", cotangent, (len(activations), len(self.labels)))
        parts = []
        pairs = zip(self._parts(activations), self._parts(cotangent), strict=True)
        for part, slope in pairs:
            maps = _tensor(part).requires_grad_()
            parts.append(pulled(tail(maps), maps, _tensor(slope)).numpy())
        return np.concatenate(parts)

    def vjp_to(self, layer: str, images: Array, cotangent: Array) -> Array:
        """Pull cotangents at the layer `[N, map h, map w, channels]` back to the view."""
        self._check(layer)
        self._fits("cotangent", cotangent, (len(images), *self._shape(layer)))
        pairs = zip(self._parts(images), self._parts(cotangent), strict=True)
        parts = [self._forward.back_to(part, layer, slope) for part, slope in pairs]
        return np.ascontiguousarray(np.concatenate(parts))

    def code_gradients(self, images: Array, layer: str, code: Array) -> tuple[Array, Array]:
        """Return squared distances `[N]` from a layer's code, and gradients `[N, h, w, 3]`."""
        self._check(layer)
        self._fits("code", code, self._shape(layer))
        both = [self._forward.from_code(part, layer, code) for part in self._parts(images)]
        distances, slopes = (np.concatenate(each) for each in zip(*both, strict=True))
        return distances, np.ascontiguousarray(slopes)

    def first_spread(self, images: Array) -> float | None:
        """Return how wide the first batch normalisation's input is against its training's."""
        return norms.first_spread(self._module, nchw(images))

    def norm_statistics(self, images: Array) -> list[Statistics]:
        """Return what each batch normalisation gets in a pass, and what it got in training."""
        return norms.statistics(self._module, nchw(images))

    def weighted(self) -> tuple[str, ...]:
        """List the layers that have weights, from the input to the output."""
        self._can_be_changed()
        return rewrite.weighted(self._module, self._tried())

    def output_weights(self) -> tuple[Array, Array]:
        """Return the last dense layer's weights `[classes, features]` and bias `[classes]`."""
        self._can_be_changed()
        dense = rewrite.output(self._module, self._tried())
        return dense.weights.numpy(), dense.bias.numpy()

    def rewritten(self, change: Change) -> TorchModel:
        """Return a copy with the change made; what it leaves alone is shared."""
        self._can_be_changed()
        labels, said = self.labels, ""
        match change:
            case ReluRule():
                module, said = rewrite.ruled(self._module, change, self._tried())
            case Randomised():
                module = rewrite.randomised(self._module, change, self.weighted())
            case OutputWeights():
                photos = self._tried()
                dense = rewrite.output(self._module, photos)
                module = rewrite.with_output(self._module, change, dense, photos)
                if len(change.weights) != len(labels):
                    labels = tuple(f"class {index}" for index in range(len(change.weights)))
            case _:
                raise UnsupportedModel(f"A network of torch bears no {type(change).__name__}.")
        made = copy.copy(self)
        made._module, made.labels, made.head = module, labels, module.head
        made.findings = (*self.findings, *rewrite.said(said))
        made.parameters = sum(parameter.numel() for parameter in module.parameters())
        if not isinstance(self._inside, Graph):
            made._inside = self._inside.of(module.body)
        made._begin()
        return made

    def _can_be_changed(self) -> None:
        if reason := self.lacks(Rewrites):
            raise UnsupportedModel(reason)

    def _begin(self) -> None:
        """Make what stands on the module anew."""
        self._forward = Forward(
            self._module,
            self._inside,
            self._layouts,
            self._still,
            size=self.input_size,
            random=self.mode_reason,
        )
        self._tails: dict[str, Tail] = {}
        self._occluding = Occluding(
            self._module,
            self.input_size,
            self._forward.plain,
            scripted=self.scripted,
            random=bool(self.mode_reason),
        )

    def native(self) -> nn.Module:
        """Return the module: float32 `[N, 3, h, w]` RGB in 0..1 in, logits out."""
        return self._module

    def native_layer(self, layer: str) -> nn.Module:
        """Return the submodule behind a layer's name; not for TorchScript, which runs no hooks."""
        self._check(layer)
        if self.scripted:
            raise UnsupportedModel(_NO_OBJECTS)
        return self._module.body.get_submodule(layer)

    def reshape_transform(self, layer: str) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return a function from the layer's own output to `[N, channels, map h, map w]`."""
        self._check(layer)
        return lambda output: self._forward.as_map(output, layer).permute(0, 3, 1, 2)

    def _parts(self, images: Array, batch: int = 0) -> list[Array]:
        step = self._at_once(batch)
        return [images[i : i + step] for i in range(0, len(images), step)]

    def _at_once(self, batch: int) -> int:
        """Return how many images go through at once: an export may take one number only."""
        own = self._forward.logits.room or perturb.at_once(self.input_size, BATCH)
        return self.reading.batch or batch or own

    def _asked(self, target: Target) -> str:
        """Check a target, and return the name of what it reads."""
        target.check(self)
        if target.reads not in ("scores", "layer"):
            raise ParamError(f"This model gives scores and layers; the target reads {target.reads}")
        return reads(target)

    def _tail(self, layer: str, activations: Array, image: Array) -> Rest:
        self._check(layer)
        self._fits("activations", activations, (len(activations), *self._shape(layer)))
        quick: Rest | None = self._forward.shared.rest(layer, image)
        if quick is not None:
            return quick
        if layer not in self._tails:
            batch, way = self.reading.batch, self._layouts[layer]
            self._tails[layer] = Tail(self._module, self._inside, layer, way, batch)
        tail, view = self._tails[layer], nchw(image[None])
        return lambda maps: tail(maps, view)

    def _fits(self, what: str, values: Array, shape: tuple[int, ...]) -> None:
        if values.shape != shape:
            raise ParamError(f"The {what} must be an array {list(shape)}, got {list(values.shape)}")

    def _check(self, layer: str) -> None:
        if layer not in self._layouts:
            some = ", ".join(row.name for row in self._layers[-3:])
            raise ParamError(
                f"The layer must be one whose output is a map (such as {some}), got {layer!r}"
            )

    def _shape(self, layer: str) -> tuple[int, int, int]:
        return self._shapes[layer]

    def _tried(self) -> torch.Tensor:
        """Return inputs of the network on which to see what it does: noise."""
        shape = (self.reading.batch or 2, *self.input_size, 3)
        views = nchw(np.random.default_rng(0).random(shape, np.float32))
        return self._module.normalised(views)


def _tensor(values: Array) -> torch.Tensor:
    return torch.from_numpy(np.array(values, np.float32))  # a copy: these may be read-only


def _flat(body: nn.Module) -> str:
    """Say why no layer of a network gives a map."""
    if all(parameter.ndim <= 2 for parameter in body.parameters()):
        return "This network is made of dense layers only, and none of them gives a map."
    return "No layer of this network gives an output that can be read as a map."
