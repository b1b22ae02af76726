"""The adapter of PyTorch: a module behind the capabilities of `xai_core.model`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from loaders.preprocessing import Preprocessing
from loaders.torch import norms
from loaders.torch.layers import Layout, Modules
from loaders.torch.script import Graph
from xai_core import perturb
from xai_core.errors import LoadError, ParamError, UnsupportedModel
from xai_core.model import Finding, Head, HeadKind, Layer, Target
from xai_core.perturb import MaskSource

Array = NDArray[np.float32]
BATCH = 8
"""Images in one forward pass: on a CPU larger batches are slower, and memory stays flat."""

_SCRIPTED = (
    "The graph of this TorchScript network shows no layer that gives a map, so no method that "
    "reads layers can serve it. Export it with torch.export.save, or save its state_dict()."
)


class _Normalised(nn.Module):
    """View in, float32 `[N, 3, h, w]` in 0..1; logits out."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, body: nn.Module, preprocessing: Preprocessing, head: Head) -> None:
        super().__init__()
        self.body, self.head, self.channels = body, head, preprocessing.channels
        shape = (1, -1, 1, 1)
        self.register_buffer("mean", torch.tensor(preprocessing.mean).reshape(shape))
        self.register_buffer("std", torch.tensor(preprocessing.std).reshape(shape))
        self.register_buffer("luminance", torch.tensor([0.299, 0.587, 0.114]).reshape(shape))

    def forward(self, view: torch.Tensor) -> torch.Tensor:
        if self.channels == "bgr":
            view = view.flip(1)
        elif self.channels == "grey":
            view = (view * self.luminance).sum(1, keepdim=True)
        scores = self.body((view - self.mean) / self.std)
        if self.head.kind == "sigmoid" and scores.shape[1] == 1:
            scores = torch.cat([-scores / 2, scores / 2], 1)
        return scores


class Inverse(nn.Module):
    """Logits out of a softmax or sigmoid that cannot be taken off: its inverse, cut off at 1e-7."""

    def __init__(self, kind: HeadKind) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, chances: torch.Tensor) -> torch.Tensor:
        """Return float32 `[N, classes]` from chances of the same shape."""
        if self.kind == "sigmoid":
            return chances.logit(eps=1e-7)
        return chances.clamp_min(1e-7).log()


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
        self.findings = tuple(findings)
        self._module = _Normalised(self._inside.body, preprocessing, self.head).eval()
        self._module.to(memory_format=torch.channels_last)  # as the buffer of views lies in memory
        self.no_layers = _SCRIPTED if self.scripted else ""
        self._layouts: dict[str, Layout] = {}
        self._layers = self._record()

    def logits(self, images: Array) -> Array:
        """Return float32 `[N, classes]` for views `[N, h, w, 3]`."""
        parts = [self._forward(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
        return np.concatenate(parts)

    def masked_scores(
        self, image: Array, masks: MaskSource, baseline: Array, targets: Sequence[Target]
    ) -> Iterator[tuple[slice, Array]]:
        """Yield `(slice of masks, scores [b, targets])`; one buffer of views is reused."""
        for part, logits in perturb.stream(self._forward, image, masks, baseline, BATCH):
            yield part, np.stack([target.score(logits, self.head) for target in targets], 1)

    def gradients(self, images: Array, target: Target) -> Array:
        """Return d score / d view, float32 `[N, h, w, 3]`."""
        parts = []
        for start in range(0, len(images), BATCH):
            views = _nchw(images[start : start + BATCH]).requires_grad_()
            score = self._score(self._module(views), target)
            (gradient,) = torch.autograd.grad(score.sum(), views)
            parts.append(gradient.permute(0, 2, 3, 1).numpy())
        return np.ascontiguousarray(np.concatenate(parts))

    def layers(self) -> tuple[Layer, ...]:
        """List the layers that give a map, in the order of execution."""
        return self._layers

    def activations(self, images: Array, layer: str) -> Array:
        """Return float32 `[N, map h, map w, channels]`."""
        kept: list[torch.Tensor] = []
        self._check(layer)
        with self._inside.at(layer, kept.append), torch.inference_mode():
            self._module(_nchw(images))
        maps: Array = self._as_map(kept[-1], layer).numpy()
        return maps

    def activation_gradients(
        self, images: Array, layer: str, target: Target
    ) -> tuple[Array, Array]:
        """Return activations and d score / d activations, `[N, map h, map w, channels]`."""
        leaves: list[torch.Tensor] = []

        def branch(output: torch.Tensor) -> torch.Tensor:
            leaves.append(output.detach().requires_grad_())
            return leaves[-1] * 1  # not the leaf itself: the network may write in place

        self._check(layer)
        with self._inside.at(layer, branch):
            score = self._score(self._module(_nchw(images)), target)
        leaf = leaves[-1]
        if score.requires_grad:
            (gradient,) = torch.autograd.grad(score.sum(), leaf, allow_unused=True)
        else:
            gradient = None
        if gradient is None:
            gradient = torch.zeros_like(leaf)
        maps = (self._as_map(tensor, layer).numpy() for tensor in (leaf.detach(), gradient))
        activations, gradients = (np.ascontiguousarray(each) for each in maps)
        return activations, gradients

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

    def _forward(self, images: Array) -> Array:
        with torch.inference_mode():
            scores: Array = self._module(_nchw(images)).numpy()
        return scores

    def _score(self, logits: torch.Tensor, target: Target) -> torch.Tensor:
        if target.of == "probability":
            logits = logits.softmax(1) if self.head.exclusive else logits.sigmoid()
        score = logits[:, target.index]
        return score if target.against is None else score - logits[:, target.against]

    def _check(self, layer: str) -> None:
        if layer not in self._layouts:
            some = ", ".join(row.name for row in self._layers[-3:])
            raise ParamError(
                f"The layer must be one whose output is a map (such as {some}), got {layer!r}"
            )

    def _as_map(self, output: torch.Tensor, layer: str) -> torch.Tensor:
        """Turn a layer's output into `[N, map h, map w, channels]`."""
        match self._layouts[layer]:
            case "nchw":
                return output.permute(0, 2, 3, 1)
            case "tokens":
                side = int(output.shape[1] ** 0.5)
                # a class token, where there is one, comes first
                tokens = output[:, output.shape[1] - side * side :]
                return tokens.reshape(len(output), side, side, -1)
        return output

    def _record(self) -> tuple[Layer, ...]:
        """Run once on a grey view and note every layer that gives a map."""
        view = np.full((1, *self.input_size, 3), 0.5, np.float32)
        try:
            with self._inside.recorded() as values:
                scores = self._forward(view)
        except (RuntimeError, ValueError, AssertionError) as error:
            raise LoadError(
                f"The network does not run on a photo of {self.input_size[0]} x "
                f"{self.input_size[1]} pixels with {self.channels} channel"
                f"{'s' if self.channels > 1 else ''} "
                f"({str(error).splitlines()[0][:120]}). Set the size it was trained at."
            ) from error
        if scores.ndim != 2:
            raise UnsupportedModel(
                f"The network answers with an array {list(scores.shape)}, not with one row of "
                "class scores: it is no image classifier."
            )
        if scores.shape[1] != len(self.labels):
            raise LoadError(
                f"The network gives {scores.shape[1]} scores and {len(self.labels)} class names "
                "were given."
            )
        self._layouts = self._inside.layouts(values, self.input_size)
        found: dict[int, list[Layer]] = {}
        for name in self._layouts:
            height, width, channels = self._as_map(values[name], name).shape[1:]
            layer = Layer(name, self._inside.kind(name), (height, width), channels)
            found.setdefault(id(values[name]), []).append(layer)
        # A block, its last layer and the stage it ends often hand on one tensor: list one of them.
        return tuple(
            sorted(same, key=lambda layer: layer.name.count("."))[min(1, len(same) - 1)]
            for same in found.values()
        )


def _nchw(images: Array) -> torch.Tensor:
    """View `[N, h, w, 3]` as `[N, 3, h, w]` in channels-last memory, without a copy."""
    return torch.from_numpy(np.ascontiguousarray(images, np.float32)).permute(0, 3, 1, 2)
