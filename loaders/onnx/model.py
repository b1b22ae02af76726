"""The adapter of ONNX: a graph run by onnxruntime, which gives answers and maps, no gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from loaders.onnx.layers import Place
from loaders.onnx.session import BATCH, Network
from loaders.preprocessing import Preprocessing
from xai_core import perturb
from xai_core.errors import ParamError
from xai_core.model import (
    Differentiates,
    Finding,
    HasLayers,
    HasNative,
    Head,
    HeadKind,
    Layer,
    Rewrites,
    RunsFrom,
    ShowsLayers,
    missing,
)
from xai_core.perturb import MaskSource
from xai_core.stages import Ran
from xai_core.target import Target, UnitTarget

Array = NDArray[np.float32]
Reader = Callable[[str], Network]
"""Makes a network that gives an inner value of the graph."""

_FLOOR = 1e-7
"""Where the inverse of a softmax or a sigmoid is cut off."""

_BRING = "Bring the PyTorch or Keras model that it was exported from."
_NO_LAYERS = f"An ONNX network gives its maps but no gradients, which weigh them. {_BRING}"
_NO_MAP = (
    "No value in the graph of this ONNX network is found to be a map, which is what this reads. "
    f"{_BRING}"
)
_LACKED = {
    Differentiates: f"An ONNX network gives answers but no gradients. {_BRING}",
    RunsFrom: f"An ONNX network is run as a whole and not from one of its layers on. {_BRING}",
    HasLayers: _NO_LAYERS,
    Rewrites: f"An ONNX network runs as it was exported: no changed copy of it is made. {_BRING}",
    HasNative: f"An ONNX file holds no model of PyTorch or Keras to hand on. {_BRING}",
}
"""What it does not give: of two that a need is both, the one that says more comes first."""


class OnnxModel:
    """An ONNX classifier. Satisfies Predicts, MasksFast and ShowsLayers.

    `output` is the value that is read, and `squashed` what of it is to be inverted. `mode_reason`
    is a clause on what in the graph is in training mode, or nothing.
    """

    framework = "onnx"
    kind = "ONNX file"

    def __init__(
        self,
        network: Network,
        output: str,
        *,
        name: str,
        architecture: str,
        parameters: int,
        preprocessing: Preprocessing,
        labels: tuple[str, ...],
        head: Head,
        squashed: HeadKind,
        scale: float = 1.0,
        places: Sequence[Place] = (),
        steps: tuple[Ran, ...] = (),
        reader: Reader | None = None,
        mode_reason: str = "",
        findings: Sequence[Finding] = (),
    ) -> None:
        self._network, self._output = network, output
        self._squashed, self._scale = squashed, scale
        self.name, self.architecture, self.parameters = name, architecture, parameters
        self.preprocessing, self.labels, self.head = preprocessing, labels, head
        self.input_size, self.channels = preprocessing.size, network.entry.channels
        self.mode_reason = mode_reason
        self.findings = tuple(findings)
        self._places = {place.layer.name: place for place in places}
        self._reader, self.steps = reader, steps
        self._inner: tuple[str, Network] | None = None

    def lacks(self, need: type) -> str | None:
        """Say why this network does not give what a capability is, or None where it does."""
        kinds = need.__mro__
        said = next((why for lacked, why in _LACKED.items() if lacked in kinds), None)
        if said is None and not self._places and ShowsLayers in kinds:
            return _NO_MAP
        return said or missing(self, need)

    def logits(self, images: Array) -> Array:
        """Return float32 `[N, classes]` for views `[N, h, w, 3]`."""
        (scores,) = self._network.rows(self._eaten(images), self._output)
        scores = unsquashed(self._squashed, scores * self._scale)
        if scores.shape[1] == 1:
            return np.concatenate([-scores / 2, scores / 2], 1)
        return scores

    def masked_scores(
        self,
        image: Array,
        masks: MaskSource,
        baseline: Array,
        targets: Sequence[Target],
        batch: int = 0,
    ) -> Iterator[tuple[slice, Array]]:
        """Yield `(slice of masks, scores [b, targets])`; one buffer of views is reused."""
        reads = dict.fromkeys(map(_read, targets))
        runs = {name: self._maps(name) if name else self.logits for name in reads}

        def scores(views: Array) -> Array:
            found = {name: run(views) for name, run in runs.items()}
            return np.stack([each.score(found[_read(each)], self.head) for each in targets], 1)

        at_once = batch or perturb.at_once(self.input_size, BATCH)
        return perturb.stream(scores, image, masks, baseline, at_once)

    def layers(self) -> tuple[Layer, ...]:
        """List the values that are maps, in the order of the graph."""
        return tuple(place.layer for place in self._places.values())

    def activations(self, images: Array, layer: str) -> Array:
        """Return float32 `[N, map h, map w, channels]`. Raises ParamError for an unknown layer."""
        return self._maps(layer)(images)

    def _maps(self, layer: str) -> Callable[[Array], Array]:
        """Return what maps views to a layer's map."""
        place = self._places.get(layer)
        if place is None or self._reader is None:
            some = ", ".join(list(self._places)[-4:]) or "none"
            raise ParamError(f"The model has no layer {layer[:60]!r}; it has {some}")
        if self._inner is None or self._inner[0] != layer:
            self._inner = layer, self._reader(place.value)
        network = self._inner[1]

        def read(images: Array) -> Array:
            (parts,) = network.run(self._eaten(images), [place.value])
            found = [place.read(np.asarray(part, np.float32)) for part in parts]
            return np.concatenate(found)[: len(images)]

        return read

    def _eaten(self, images: Any) -> Array:
        return self.preprocessing.normalise(np.asarray(images, np.float32))


def _read(target: Target) -> str:
    """Return the layer whose map a target reads, or '' for the scores."""
    if target.reads == "layer":
        return cast(UnitTarget, target).layer
    if target.reads != "scores":
        raise ParamError(
            f"Target must read class scores or a layer's map; this one reads {target.reads}, which "
            "a classifier does not give"
        )
    return ""


def unsquashed(kind: HeadKind, scores: Array) -> Array:
    """Return the scores before an activation, cut off where it is saturated."""
    if kind == "softmax":
        return np.asarray(np.log(np.clip(scores, _FLOOR, None)), np.float32)
    if kind == "sigmoid":
        kept = np.clip(scores, _FLOOR, 1 - _FLOOR)
        return np.asarray(np.log(kept / (1 - kept)), np.float32)
    return scores
