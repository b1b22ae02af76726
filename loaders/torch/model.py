"""The adapter of PyTorch: a module behind the capabilities of `xai_core.model`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from loaders.options import Maps
from loaders.preprocessing import Preprocessing
from loaders.torch import layout, norms
from loaders.torch.layers import Modules
from loaders.torch.script import Graph
from loaders.torch.watch import Watch, step_of
from loaders.torch.wrapped import Reading, Wrapped, plain
from xai_core import perturb
from xai_core.errors import LoadError, ParamError, UnsupportedModel
from xai_core.model import Finding, Head, Layer
from xai_core.perturb import MaskSource
from xai_core.target import Target

Array = NDArray[np.float32]
BATCH = 8
"""Images in one forward pass: on a CPU larger batches are slower, and memory stays flat."""

_SCRIPTED = (
    "The graph of this TorchScript network shows no layer that gives a map, so no method that "
    "reads layers can serve it. Export it with torch.export.save, or save its state_dict()."
)


class TorchModel:
    """A PyTorch classifier. Satisfies Predicts, MasksFast, Differentiates, HasLayers, HasNative.

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
        self._step = self.reading.batch or BATCH
        self._module = Wrapped(self._inside.body, preprocessing, self.head, self.reading).eval()
        self.no_layers = _SCRIPTED if self.scripted else ""
        self._layouts: dict[str, layout.Layout] = {}
        self._layers, guessed = self._record(seen, maps)
        self.findings = (*findings, *guessed)

    def logits(self, images: Array) -> Array:
        """Return float32 `[N, classes]` for views `[N, h, w, 3]`."""
        return np.concatenate([self._forward(part) for part in self._parts(images)])

    def masked_scores(
        self, image: Array, masks: MaskSource, baseline: Array, targets: Sequence[Target]
    ) -> Iterator[tuple[slice, Array]]:
        """Yield `(slice of masks, scores [b, targets])`; one buffer of views is reused."""
        for part, logits in perturb.stream(self._forward, image, masks, baseline, self._step):
            yield part, np.stack([target.score(logits, self.head) for target in targets], 1)

    def gradients(self, images: Array, target: Target) -> Array:
        """Return d score / d view, float32 `[N, h, w, 3]`."""
        parts = []
        for part in self._parts(images):
            views = _nchw(part).requires_grad_()
            score = self._score(self._module(views), target)
            (gradient,) = torch.autograd.grad(score.sum(), views)
            parts.append(gradient.permute(0, 2, 3, 1).numpy())
        return np.ascontiguousarray(np.concatenate(parts))

    def layers(self) -> tuple[Layer, ...]:
        """List the layers that give a map, in the order of execution."""
        return self._layers

    def activations(self, images: Array, layer: str) -> Array:
        """Return float32 `[N, map h, map w, channels]`."""
        self._check(layer)
        parts: list[Array] = []
        for part in self._parts(images):
            kept: list[torch.Tensor] = []
            with self._inside.at(layer, kept.append), self._still():
                self._module(_nchw(part))
            parts.append(self._as_map(kept[-1], layer)[: len(part)].numpy())
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def activation_gradients(
        self, images: Array, layer: str, target: Target
    ) -> tuple[Array, Array]:
        """Return activations and d score / d activations, `[N, map h, map w, channels]`."""
        self._check(layer)
        both = [self._branched(part, layer, target) for part in self._parts(images)]
        activations, gradients = (np.concatenate(each) for each in zip(*both, strict=True))
        return activations, gradients

    def _branched(self, images: Array, layer: str, target: Target) -> tuple[Array, Array]:
        leaves: list[torch.Tensor] = []

        def branch(output: torch.Tensor) -> torch.Tensor:
            leaves.append(output.detach().requires_grad_())
            return leaves[-1] * 1  # not the leaf itself: the network may write in place

        with self._inside.at(layer, branch):
            score = self._score(self._module(_nchw(images)), target)
        leaf = leaves[-1]
        if score.requires_grad:
            (gradient,) = torch.autograd.grad(score.sum(), leaf, allow_unused=True)
        else:
            gradient = None
        if gradient is None:
            gradient = torch.zeros_like(leaf)
        maps = (self._as_map(tensor, layer)[: len(images)] for tensor in (leaf.detach(), gradient))
        activations, slopes = (np.ascontiguousarray(each.numpy()) for each in maps)
        return activations, slopes

    def first_spread(self, images: Array) -> float | None:
        """Return how wide the first batch normalisation's input is against its training's."""
        return norms.first_spread(self._module, _nchw(images))

    def native(self) -> nn.Module:
        """Return the module: float32 `[N, 3, h, w]` RGB in 0..1 in, logits out."""
        return self._module

    def native_layer(self, layer: str) -> nn.Module:
        """Return the submodule behind a layer's name; not for TorchScript, which runs no hooks."""
        self._check(layer)
        return self._module.body.get_submodule(layer)

    def reshape_transform(self, layer: str) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return a function from the layer's own output to `[N, channels, map h, map w]`."""
        self._check(layer)
        return lambda output: self._as_map(output, layer).permute(0, 3, 1, 2)

    def _parts(self, images: Array) -> list[Array]:
        return [images[i : i + self._step] for i in range(0, len(images), self._step)]

    def _forward(self, images: Array) -> Array:
        with self._still():
            scores: Array = self._module(_nchw(images)).numpy()
        return scores

    def _score(self, logits: torch.Tensor, target: Target) -> torch.Tensor:
        if target.of == "probability":
            logits = logits.softmax(1) if self.head.exclusive else logits.sigmoid()
        read = list(target.classes())  # the others may overflow, and 0 times that is no number
        return logits[:, read] @ torch.from_numpy(target.weights(logits.shape[1])[read])

    def _check(self, layer: str) -> None:
        if layer not in self._layouts:
            some = ", ".join(row.name for row in self._layers[-3:])
            raise ParamError(
                f"The layer must be one whose output is a map (such as {some}), got {layer!r}"
            )

    def _as_map(self, output: torch.Tensor, layer: str) -> torch.Tensor:
        """Turn a layer's output into `[N, map h, map w, channels]`."""
        return self._layouts[layer].as_map(output)

    def _record(
        self, seen: tuple[torch.Tensor, torch.Tensor] | None, maps: Maps | None
    ) -> tuple[tuple[Layer, ...], tuple[Finding, ...]]:
        """Run once, note every layer that gives a map, and choose how tensors lie in memory.

        `seen` are inputs of the network and the scores that they got in plain memory. Without
        them a grey view is asked about.
        """
        count = self.reading.batch or 1
        if seen is None:
            grey = np.full((count, *self.input_size, 3), 0.5, np.float32)
            photos, wanted = self._module.normalised(_nchw(grey)), None
        else:
            photos, wanted = seen[0][:count], seen[1][:count]
        values, scores = self._pass(photos, wanted)
        if scores.ndim != 2:
            raise UnsupportedModel(
                f"The network answers with an array {list(scores.shape)}, not with one row of "
                "class scores: it is no image classifier."
            )
        units = scores.shape[1] + (self.head.kind == "sigmoid" and scores.shape[1] == 1)
        if units != len(self.labels):
            raise LoadError(
                f"The network gives {units} scores and {len(self.labels)} class names were given."
            )
        watched = {
            name: (tuple(value.shape), step.axes if (step := step_of(value)) else None)
            for name, value in values.items()
        }
        self._layouts, guessed = layout.decide(watched, count, self.input_size, maps)
        found: dict[int, list[Layer]] = {}
        for name in self._layouts:
            height, width, channels = self._as_map(values[name], name).shape[1:]
            layer = Layer(name, self._inside.kind(name), (height, width), channels)
            found.setdefault(id(values[name]), []).append(layer)
        # A block, its last layer and the stage it ends often hand on one tensor: list one of them.
        layers = tuple(
            sorted(same, key=lambda layer: layer.name.count("."))[min(1, len(same) - 1)]
            for same in found.values()
        )
        return layers, guessed

    def _pass(
        self, photos: torch.Tensor, wanted: torch.Tensor | None
    ) -> tuple[Mapping[str, torch.Tensor], torch.Tensor]:
        """Return the inner values and the scores; channels lie last where the network bears it.

        A network that flattens by `view` fails there, and one that reads memory answers otherwise.
        """
        self._module.to(memory_format=torch.channels_last)  # as the buffer of views lies
        try:
            photos = photos.to(memory_format=torch.channels_last)
            values, scores = self._run(photos)
            if self.scripted:  # its own graph may bear less than the one that shows values
                with self._still():
                    scores = self._module.scores(photos)
            if wanted is None or self.mode_reason or _alike(scores, wanted):
                return values, scores
        except Exception:  # a stranger's forward may raise anything
            values = {}
        self._module.to(memory_format=torch.contiguous_format)
        self._module.contiguous = True
        try:
            return self._run(plain(photos))
        except Exception as error:
            raise LoadError(
                f"The network does not run on a photo of {self.input_size[0]} x "
                f"{self.input_size[1]} pixels with {self.channels} channel"
                f"{'s' if self.channels > 1 else ''} "
                f"({str(error).splitlines()[0][:120]}). Set the size it was trained at."
            ) from error

    def _run(self, photos: torch.Tensor) -> tuple[Mapping[str, torch.Tensor], torch.Tensor]:
        watch = Watch()
        with torch.inference_mode(), self._inside.recorded() as values:
            photos = watch.begin(photos.view_as(photos))
            with watch:
                scores = self._module.scores(photos)
        return values, scores


def _alike(scores: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Say whether two ways to lie in memory gave the same scores."""
    if not bool(wanted.isfinite().all()):
        return True
    scale = float(wanted.abs().max())
    return bool(torch.allclose(scores, wanted, rtol=1e-3, atol=1e-4 + 1e-3 * scale))


def _nchw(images: Array) -> torch.Tensor:
    """View `[N, h, w, 3]` as `[N, 3, h, w]` in channels-last memory, without a copy."""
    return torch.from_numpy(np.ascontiguousarray(images, np.float32)).permute(0, 3, 1, 2)
