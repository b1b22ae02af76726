"""What is explained: one number that a model gives, as data.

A target says what it reads of the model (`reads`), checks itself against it, says itself in words,
and gives the weights of the outputs it reads, so that nobody else computes a score in a way of
their own: score = outputs @ weights.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError
from xai_core.plain import Family

Array = NDArray[np.float32]
Of = Literal["logit", "probability"]
WORDS: Mapping[Of, str] = MappingProxyType({"logit": "score (logit)", "probability": "probability"})
"""What of a class can be explained, as a reader knows it."""

Reads = Literal["scores", "layer", "objects"]


class Target(Family):
    """Base of all targets.

    `reads` names the outputs whose weights it gives: a classifier's `scores` `[N, classes]` (as
    logits or probabilities, by `of`), a `layer`'s map `[N, map h, map w, channels]`, or the
    `objects` that a detector found.
    """

    reads: ClassVar[Reads]
    of: Of = "logit"

    def check(self, model: Any) -> None:
        """Raise ParamError unless it is a number of this model's."""
        raise NotImplementedError

    def words(self, labels: Sequence[str]) -> str:
        """Say what is explained, 'star rather than ring', with names in curly quotes."""
        raise NotImplementedError

    def asked(self, labels: Sequence[str]) -> str:
        """Return the question in words, 'Why “star” rather than “ring”?'."""
        return f"Why {self.words(labels)}?"

    @property
    def number(self) -> str:
        """What is explained as a sentence calls it after 'the': 'score', 'lead in probability'."""
        return "score"

    def weights(self, outputs: Any) -> Array:
        """Return float32, one weight for each output that it reads."""
        raise NotImplementedError

    def outputs(self, model: Any, images: Array) -> Any:
        """Return what it reads of views `[N, h, w, 3]`, after one pass for each."""
        if self.reads == "objects":
            return model.candidates(images)
        return model.logits(images)

    def of_views(self, model: Any, images: Array) -> Array:
        """Return float32 `[N]`, the number for each view `[N, h, w, 3]`."""
        return self.score(self.outputs(model, images), getattr(model, "head", None))

    def score(self, outputs: Any, head: Any) -> Array:
        """Return float32 `[N]`, the number itself, from what it reads.

        `outputs` are logits `[N, classes]`, maps `[N, map h, map w, channels]` or `N` Detections;
        `head` is the model's, which makes probabilities of logits.
        """
        raise NotImplementedError

    def classes(self) -> tuple[int, ...]:
        """List the classes that it is about, the first first; none for others."""
        return ()


@dataclasses.dataclass(frozen=True)
class ClassTarget(Target):
    """A class's score, or its lead over another class.

    `of` is `logit` (before softmax or sigmoid) or `probability`.
    """

    kind: ClassVar[str] = "class"
    reads: ClassVar[Reads] = "scores"

    index: int
    against: int | None = None
    of: Of = "logit"

    def check(self, model: Any) -> None:
        """Raise ParamError unless both are classes of the model, and two."""
        for index in self.classes():
            if not 0 <= index < len(model.labels):
                raise ParamError(
                    f"Target must be from 0 to {len(model.labels) - 1}, the classes of this "
                    f"model, got {index}"
                )
        if self.index == self.against:
            raise ParamError(f"Target.against must be another class than {self.index}")

    def words(self, labels: Sequence[str]) -> str:
        """Return '“star” rather than “ring”', and that it is the probabilities that are read."""
        asked, chance = quoted(labels[self.index]), "probability"
        if self.against is not None:
            asked, chance = f"{asked} rather than {quoted(labels[self.against])}", "probabilities"
        return asked if self.of == "logit" else f"{asked} (by {chance})"

    @property
    def number(self) -> str:
        """Return 'score' or 'probability', or the lead in one of them."""
        own = "score" if self.of == "logit" else "probability"
        return own if self.against is None else f"lead in {own}"

    def weights(self, outputs: int) -> Array:
        """Return float32 `[classes]`: 1 for the class, -1 for the one that it is set against."""
        made = np.zeros(outputs, np.float32)
        made[self.index] += 1
        if self.against is not None:
            made[self.against] -= 1
        return made

    def score(self, outputs: Array, head: Any) -> Array:
        """Return float32 `[N]` from logits `[N, classes]`."""
        values = head.probabilities(outputs) if self.of == "probability" else outputs
        read = list(self.classes())  # the others may overflow, and 0 times that is no number
        return np.asarray(values[:, read] @ self.weights(values.shape[1])[read], np.float32)

    def classes(self) -> tuple[int, ...]:
        """Return the class, and the one it is set against."""
        return (self.index,) if self.against is None else (self.index, self.against)


@dataclasses.dataclass(frozen=True)
class UnitTarget(Target):
    """What one channel of a layer's map holds: its mean, or its value at one cell.

    `at` is the cell's (row, column).
    """

    kind: ClassVar[str] = "unit"
    reads: ClassVar[Reads] = "layer"

    layer: str
    channel: int
    at: tuple[int, int] | None = None

    @classmethod
    def read(cls, word: str) -> UnitTarget:
        """Read a layer and one of its channels, as `word` writes them. Raises ParamError."""
        layer, colon, channel = word.rpartition(":")
        if not (colon and layer and channel.isascii() and channel.isdigit() and len(channel) < 7):
            raise ParamError(f"A unit must be LAYER:CHANNEL, layer4:12, got {word[:60]!r}")
        return cls(layer, int(channel))

    @property
    def word(self) -> str:
        """Write layer and channel in one word, for the command line and an address."""
        return f"{self.layer}:{self.channel}"

    def check(self, model: Any) -> None:
        """Raise ParamError unless the model shows that layer, with that channel and cell."""
        listed = model.layers() if hasattr(model, "layers") else ()
        layer = next((each for each in listed if each.name == self.layer), None)
        if layer is None:
            raise ParamError(
                f"Target.layer must be a layer whose output is a map, got {self.layer!r}"
            )
        if not 0 <= self.channel < layer.channels:
            raise ParamError(
                f"Target.channel must be from 0 to {layer.channels - 1}, the channels of "
                f"{self.layer}, got {self.channel}"
            )
        if self.at is not None and not all(
            0 <= place < side for place, side in zip(self.at, layer.map_size, strict=True)
        ):
            rows, columns = layer.map_size
            raise ParamError(f"Target.at must lie in the map of {rows} x {columns}, got {self.at}")

    def words(self, labels: Sequence[str]) -> str:
        """Return 'channel 3 of layer4'."""
        where = "" if self.at is None else f" at row {self.at[0]}, column {self.at[1]}"
        return f"channel {self.channel} of {quoted(self.layer)}{where}"

    def asked(self, labels: Sequence[str]) -> str:
        """Return 'What does channel 3 of “layer4” answer to?'."""
        return f"What does {self.words(labels)} answer to?"

    @property
    def number(self) -> str:
        """Return 'mean of channel 3 of “layer4”', or 'value' where it is one cell's."""
        return f"{'mean' if self.at is None else 'value'} of {self.words(())}"

    def outputs(self, model: Any, images: Array) -> Array:
        """Return the layer's maps `[N, map h, map w, channels]`."""
        return np.asarray(model.activations(images, self.layer), np.float32)

    def weights(self, outputs: tuple[int, int, int]) -> Array:
        """Return float32 `[map h, map w, channels]` for a map of that shape."""
        made = np.zeros(outputs, np.float32)
        if self.at is None:
            made[..., self.channel] = 1 / (outputs[0] * outputs[1])
        else:
            made[(*self.at, self.channel)] = 1
        return made

    def score(self, outputs: Array, head: Any) -> Array:
        """Return float32 `[N]` from maps `[N, map h, map w, channels]`."""
        return np.tensordot(outputs, self.weights(outputs.shape[1:]), 3).astype(np.float32)


Asked = Literal["class", "position", "object", "across", "down", "width", "height"]
MEASURES: tuple[Asked, ...] = ("across", "down", "width", "height")
"""What is asked in pixels: where a box's middle lies, and how large it is."""

FOLLOWED: tuple[Asked, ...] = ("class", "object", *MEASURES)
"""What of a box a gradient follows back: where it lies is no score, its measures are."""

JUDGED: tuple[Asked, ...] = ("class", "position", "object")
"""What of a box is asked where nothing is followed back."""


@dataclasses.dataclass(frozen=True)
class BoxTarget(Target):
    """An object that a detector found, and what is asked of it.

    `box` is (top, left, bottom, right) in the view's pixels. `asks`: that there is an object of
    class `index` just there (`class`), that a box lies there whatever its class and score
    (`position`), or that there is an object of any class (`object`). The score of a photo is that
    of the found object that fits best: the weight that it has here times its own score, as D-RISE
    joins them (Petsiuk et al. 2021, eq. 3).
    """

    kind: ClassVar[str] = "box"
    reads: ClassVar[Reads] = "objects"

    box: tuple[float, float, float, float]
    index: int
    asks: Asked = "class"

    def check(self, model: Any) -> None:
        """Raise ParamError unless the model finds objects, of that class."""
        if not hasattr(model, "candidates"):
            raise ParamError("Target.box needs a detector, and this model is none")
        if not 0 <= self.index < len(model.labels):
            raise ParamError(
                f"Target must be from 0 to {len(model.labels) - 1}, the classes of this model, "
                f"got {self.index}"
            )
        top, left, bottom, right = self.box
        if not (top < bottom and left < right):
            raise ParamError(f"Target.box must be top, left, bottom, right, got {list(self.box)}")

    def words(self, labels: Sequence[str]) -> str:
        """Return 'the box of “dog”'."""
        name = quoted(labels[self.index])
        return {
            "class": f"{name} in its box",
            "position": f"the place of the box of {name}",
            "object": f"that there is an object in the box of {name}",
            "across": f"where the box of {name} lies across",
            "down": f"where the box of {name} lies down",
            "width": f"the width of the box of {name}",
            "height": f"the height of the box of {name}",
        }[self.asks]

    @property
    def number(self) -> str:
        """Return 'score', or what else was asked of the box."""
        return {
            "position": "overlap with the box",
            "across": "place across",
            "down": "place down",
            "width": "width",
            "height": "height",
        }.get(self.asks, "score")

    def weights(self, outputs: Any) -> Array:
        """Return float32 `[objects]`: how far each found object is the one that is asked about."""
        overlap = overlaps(self.box, outputs.boxes)
        if self.asks not in ("position", "object"):
            overlap = overlap * (outputs.labels == self.index)
        return np.asarray(overlap, np.float32)

    def score(self, outputs: Any, head: Any) -> Array:
        """Return float32 `[N]` from the Detections of each view; 0 where nothing fits."""
        fits = [
            self.weights(each) * (1 if self.asks == "position" else each.scores) for each in outputs
        ]
        if self.asks in MEASURES:
            return np.array(
                [self._measured(*each) for each in zip(outputs, fits, strict=True)], np.float32
            )
        return np.array([fit.max(initial=0) for fit in fits], np.float32)

    def _measured(self, found: Any, fits: Array) -> float:
        if not fits.max(initial=0):
            return 0.0
        top, left, bottom, right = (float(side) for side in found.boxes[fits.argmax()])
        measures = {"across": (left + right) / 2, "down": (top + bottom) / 2}
        return (measures | {"width": right - left, "height": bottom - top})[self.asks]

    def classes(self) -> tuple[int, ...]:
        """Return its class."""
        return (self.index,)


def overlaps(box: Sequence[float], boxes: NDArray[Any]) -> Array:
    """Return each box's intersection over union with `box`, float32 `[n]` in 0..1."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    top, left = np.maximum(boxes[:, 0], box[0]), np.maximum(boxes[:, 1], box[1])
    bottom, right = np.minimum(boxes[:, 2], box[2]), np.minimum(boxes[:, 3], box[3])
    common = np.maximum(bottom - top, 0) * np.maximum(right - left, 0)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    own = (box[2] - box[0]) * (box[3] - box[1])
    return np.asarray(common / np.maximum(areas + own - common, 1e-12), np.float32)


def quoted(label: str) -> str:
    """Return a class's name in the quotes that set it off in a sentence."""
    return f"\u201c{label}\u201d"
