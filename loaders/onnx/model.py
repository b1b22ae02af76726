"""The adapter of ONNX: a graph run by onnxruntime, which gives answers and maps, no gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders.onnx.layers import Place
from loaders.onnx.session import BATCH, Network
from loaders.preprocessing import Preprocessing
from xai_core import perturb
from xai_core.errors import ParamError
from xai_core.model import Finding, Head, HeadKind, Layer
from xai_core.perturb import MaskSource
from xai_core.target import Target

Array = NDArray[np.float32]
Reader = Callable[[str], Network]
"""Makes a network that gives an inner value of the graph."""

_FLOOR = 1e-7
"""Where the inverse of a softmax or a sigmoid is cut off."""


class OnnxModel:
    """An ONNX classifier. Satisfies Predicts, MasksFast and ShowsLayers.

    `output` is the value that is read, and `squashed` what of it is to be inverted. `mode_reason`
    is a clause on what in the graph is in training mode, or nothing.
    """

    framework = "onnx"
    kind = "ONNX file"
    no_layers = (
        "An ONNX network gives its maps but no gradients, which weigh them. Bring the PyTorch or "
        "Keras model that it was exported from."
    )

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
        self._reader = reader
        self._inner: tuple[str, Network] | None = None

    def logits(self, images: Array) -> Array:
        """Return float32 `[N, classes]` for views `[N, h, w, 3]`."""
        (scores,) = self._network.rows(self._eaten(images), self._output)
        scores = unsquashed(self._squashed, scores * self._scale)
        if scores.shape[1] == 1:
            return np.concatenate([-scores / 2, scores / 2], 1)
        return scores

    def masked_scores(
        self, image: Array, masks: MaskSource, baseline: Array, targets: Sequence[Target]
    ) -> Iterator[tuple[slice, Array]]:
        """Yield `(slice of masks, scores [b, targets])`; one buffer of views is reused."""
        for part, logits in perturb.stream(self.logits, image, masks, baseline, BATCH):
            yield part, np.stack([target.score(logits, self.head) for target in targets], 1)

    def layers(self) -> tuple[Layer, ...]:
        """List the values that are maps, in the order of the graph."""
        return tuple(place.layer for place in self._places.values())

    def activations(self, images: Array, layer: str) -> Array:
        """Return float32 `[N, map h, map w, channels]`. Raises ParamError for an unknown layer."""
        place = self._places.get(layer)
        if place is None or self._reader is None:
            some = ", ".join(list(self._places)[-4:]) or "none"
            raise ParamError(f"The model has no layer {layer[:60]!r}; it has {some}")
        if self._inner is None or self._inner[0] != layer:
            self._inner = layer, self._reader(place.value)
        (parts,) = self._inner[1].run(self._eaten(images), [place.value])
        found = [place.read(np.asarray(part, np.float32)) for part in parts]
        return np.concatenate(found)[: len(images)]

    def _eaten(self, images: Any) -> Array:
        return self.preprocessing.normalise(np.asarray(images, np.float32))


def unsquashed(kind: HeadKind, scores: Array) -> Array:
    """Return the scores before an activation, cut off where it is saturated."""
    if kind == "softmax":
        return np.asarray(np.log(np.clip(scores, _FLOOR, None)), np.float32)
    if kind == "sigmoid":
        kept = np.clip(scores, _FLOOR, 1 - _FLOOR)
        return np.asarray(np.log(kept / (1 - kept)), np.float32)
    return scores
