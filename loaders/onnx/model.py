"""The adapter of ONNX: a graph run by onnxruntime, which gives answers and nothing from inside."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from loaders.heads import told
from loaders.keras.audit import printable
from loaders.labels import labels_for
from loaders.onnx.graph import inspect
from loaders.preprocessing import Options, Preprocessing
from loaders.resolve import resolve
from xai_core import perturb
from xai_core.errors import LoadError, UnsupportedModel
from xai_core.model import Finding, Head, HeadKind, Target
from xai_core.perturb import MaskSource

Array = NDArray[np.float32]
BATCH = 8
SIZES = (224, 299, 256, 384, 192, 160, 128, 112, 96, 64, 48, 32, 28)
"""Sides that are tried, in pixels, where the graph leaves them free."""

_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
_FLOOR = 1e-7
"""Where the inverse of a softmax or a sigmoid is cut off."""


def load(path: Path, options: Options, *, name: str) -> OnnxModel:
    """Load an ONNX classifier of one photo tensor.

    Raises LoadError for a file that is damaged, has operators of its own or weights elsewhere, and
    UnsupportedModel for one that is no image classifier.
    """
    with path.open("rb") as file:
        # Not closed here: an error's traceback may still hold views of it.
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    graph = inspect(memoryview(data))
    network = Network(_session(path))
    size = network.find_size(options.size)
    outputs = network.run(_noise(network, size))
    preprocessing, said = resolve(options, None, size=size, channels=network.channels)
    kind = told(outputs) if float(np.std(outputs)) > 0 else "logits"
    head, finding = _head(kind, one=outputs.shape[1] == 1)
    classes = max(2, outputs.shape[1])
    labels, named = labels_for(options, classes, imagenet=False)
    return OnnxModel(
        network,
        name=name,
        architecture=printable(graph.name or graph.producer or "ONNX network", 60),
        parameters=graph.parameters,
        preprocessing=preprocessing,
        labels=labels,
        head=head,
        squashed=kind == "sigmoid",
        findings=(finding, *said, *named),
    )


def _session(path: Path) -> Any:
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    settings.inter_op_num_threads = 1
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), settings, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors share no base but this
        raise LoadError(
            f"onnxruntime cannot run this file ({_reason(error)}). It is damaged, or newer than "
            f"onnxruntime {onnxruntime.__version__} knows: export it again with a lower opset."
        ) from error


def _reason(error: Exception) -> str:
    # "[ONNXRuntimeError] : 10 : INVALID_GRAPH : Load model from PLACE failed:What is wrong"
    text = " ".join(str(error).split()).split(" : ", 3)[-1]
    return printable(text.split("failed:", 1)[-1], 120)


def _noise(network: Network, size: tuple[int, int]) -> Array:
    draw = np.random.default_rng(0)
    return draw.standard_normal((4, *size, network.channels)).astype(np.float32)


def _head(kind: HeadKind, *, one: bool) -> tuple[Head, Finding]:
    if one and kind == "sigmoid":
        said = "The network gives one chance: a sigmoid, told by its answers and inverted."
        return Head("sigmoid"), Finding("info", said)
    if one:
        said = "The network gives one number: taken as one class against its absence."
        return Head("sigmoid"), Finding("warning", said)
    if kind == "logits":
        return Head("logits"), Finding("info", "The network gives logits.")
    if kind == "log-softmax":
        said = "The network ends in a log-softmax, which is read as it is."
        return Head(kind), Finding("info", said)
    said = (
        f"The network ends in a {kind}, told by its answers and inverted: where it is saturated "
        "the scores are cut off."
    )
    return Head(kind, exclusive=kind == "softmax"), Finding("warning", said)


class Network:
    """A session with one photo tensor in and one row of scores a photo out."""

    def __init__(self, session: Any) -> None:
        self._session = session
        given = session.get_inputs()
        if len(given) != 1 or len(given[0].shape) != 4:
            raise UnsupportedModel(
                f"This network takes {len(given)} inputs, the first of "
                f"{len(given[0].shape) if given else 0} dimensions; a classifier of photos takes "
                "one of four."
            )
        self._input, shape = given[0].name, given[0].shape
        if given[0].type not in _DTYPES:
            raise UnsupportedModel(
                f"This network takes {printable(given[0].type, 30)}, and a view is made of floats."
            )
        self._dtype = _DTYPES[given[0].type]
        sides = [side if isinstance(side, int) and side > 0 else 0 for side in shape]
        self._batch = sides[0]
        # A free dimension says nothing: PyTorch's order then, the commoner one.
        self.last = sides[1] not in (1, 3) and sides[3] in (1, 3)
        self.channels = sides[3 if self.last else 1] or 3
        if self.channels not in (1, 3):
            raise UnsupportedModel(
                f"The network takes {self.channels} channels; a classifier of photos takes 1 or 3."
            )
        self._sides = tuple(sides[1:3] if self.last else sides[2:4])
        self._output = ""

    def find_size(self, asked: tuple[int, int] | None) -> tuple[int, int]:
        """Return the size of the views: the graph's own, the one asked for, or one that runs."""
        reason = ""
        own = (self._sides[0], self._sides[1])
        tried = [own] if all(own) else [asked] if asked else [(side, side) for side in SIZES]
        for size in tried:
            try:
                self._find_output(size)
            except UnsupportedModel:
                raise
            except Exception as error:  # onnxruntime's own errors share no base but this
                reason = reason or _reason(error)
                continue
            return size
        raise UnsupportedModel(
            f"The network does not run on photos of {tried[0][0]} x {tried[0][1]} pixels with "
            f"{self.channels} channel{'s' * (self.channels > 1)} ({reason})."
        )

    def _find_output(self, size: tuple[int, int]) -> None:
        count = self._batch or 2
        feed = {self._input: self._arranged(np.zeros((count, *size, self.channels), np.float32))}
        outputs = self._session.run(None, feed)
        found = []
        for row, output in zip(self._session.get_outputs(), outputs, strict=True):
            scores = isinstance(output, np.ndarray) and output.dtype.kind == "f"
            if scores and len(output) == count and output.size == count * output.shape[1]:
                found.append(row.name)
        if len(found) != 1:
            shown = ", ".join(str(list(np.shape(output))) for output in outputs[:4])
            raise UnsupportedModel(
                f"The network answers with {shown}, not with one row of class scores a photo: it "
                "is no image classifier."
            )
        self._output = found[0]

    def run(self, images: Array) -> Array:
        """Return float32 `[N, scores]` for normalised images `[N, h, w, channels]`."""
        step = self._batch or BATCH
        parts = []
        for start in range(0, len(images), step):
            part = images[start : start + step]
            count = len(part)
            if self._batch and count < step:  # a batch that the graph fixed is filled up
                part = np.concatenate([part, np.repeat(part[-1:], step - count, 0)])
            (scores,) = self._session.run([self._output], {self._input: self._arranged(part)})
            parts.append(scores.reshape(len(part), -1)[:count].astype(np.float32))
        return np.concatenate(parts)

    def _arranged(self, images: Array) -> NDArray[Any]:
        if not self.last:
            images = images.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(images, self._dtype)


class OnnxModel:
    """An ONNX classifier. Satisfies Predicts and MasksFast."""

    framework = "onnx"
    kind = "ONNX file"
    no_layers = (
        "An ONNX network gives its answers and nothing from inside, so no method that reads layers "
        "can serve it. Bring the PyTorch or Keras model that it was exported from."
    )

    def __init__(
        self,
        network: Network,
        *,
        name: str,
        architecture: str,
        parameters: int,
        preprocessing: Preprocessing,
        labels: tuple[str, ...],
        head: Head,
        squashed: bool,
        findings: Sequence[Finding] = (),
    ) -> None:
        self._network, self._squashed = network, squashed
        self.name, self.architecture, self.parameters = name, architecture, parameters
        self.preprocessing, self.labels, self.head = preprocessing, labels, head
        self.input_size, self.channels = preprocessing.size, network.channels
        self.findings = tuple(findings)

    def logits(self, images: Array) -> Array:
        """Return float32 `[N, classes]` for views `[N, h, w, 3]`."""
        scores = self._network.run(self.preprocessing.normalise(np.asarray(images, np.float32)))
        if scores.shape[1] == 1:
            lead = _logit(scores) if self._squashed else scores
            return np.concatenate([-lead / 2, lead / 2], 1)
        if self.head.kind == "softmax":
            return np.log(np.clip(scores, _FLOOR, None))
        return _logit(scores) if self.head.kind == "sigmoid" else scores

    def masked_scores(
        self, image: Array, masks: MaskSource, baseline: Array, targets: Sequence[Target]
    ) -> Iterator[tuple[slice, Array]]:
        """Yield `(slice of masks, scores [b, targets])`; one buffer of views is reused."""
        for part, logits in perturb.stream(self.logits, image, masks, baseline, BATCH):
            yield part, np.stack([target.score(logits, self.head) for target in targets], 1)


def _logit(chances: Array) -> Array:
    kept = np.clip(chances, _FLOOR, 1 - _FLOOR)
    return np.asarray(np.log(kept / (1 - kept)), np.float32)
