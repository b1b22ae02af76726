"""What a model can do, as small capabilities, and the plain data that goes in and out of it.

Every image here is a *view*: the photo after resize and crop and before normalisation,
float32 `[N, h, w, 3]`, RGB in 0..1, whatever the network itself eats.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from xai_core.perturb import MaskSource

Array = NDArray[np.float32]
HeadKind = Literal["logits", "softmax", "log-softmax", "sigmoid"]
Level = Literal["info", "warning"]
About = Literal[
    "", "activation", "answers", "channels", "head", "labels", "layout", "mode", "output", "photo",
    "preprocessing", "size", "weights",
]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a user should know of a model: what was found, from what, what to do if it is wrong.

    A `warning` is what was assumed, or what is wrong. `about` names what it speaks of, so that a
    page can put the control beside it.
    """

    level: Level
    message: str
    about: About = ""


@dataclasses.dataclass(frozen=True)
class Head:
    """How the network's own output becomes probabilities.

    `kind` is what the file ended in. `logits` are always what stood before it; a one-unit
    sigmoid z is made two classes with logits (-z/2, z/2), whose softmax is that sigmoid.
    `exclusive` says whether the classes compete (softmax) or stand alone (k sigmoids).
    """

    kind: HeadKind
    exclusive: bool = True

    def probabilities(self, logits: Array) -> Array:
        """Return float32 `[N, classes]` in 0..1 from logits of the same shape."""
        if self.exclusive:
            shifted = logits - logits.max(axis=-1, keepdims=True)
            exp = np.exp(shifted)
            return np.asarray(exp / exp.sum(axis=-1, keepdims=True), np.float32)
        return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float32)


@dataclasses.dataclass(frozen=True)
class Target:
    """The number that is explained: a class's score, or its lead over another class.

    `of` is `logit` (before softmax or sigmoid) or `probability`.
    """

    index: int
    against: int | None = None
    of: Literal["logit", "probability"] = "logit"

    def score(self, logits: Array, head: Head) -> Array:
        """Return float32 `[N]` from logits `[N, classes]`."""
        values = head.probabilities(logits) if self.of == "probability" else logits
        score = values[:, self.index]
        return score if self.against is None else score - values[:, self.against]


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer whose output is a map: its name, its class, and the map's size and channels."""

    name: str
    kind: str
    map_size: tuple[int, int]
    channels: int


@runtime_checkable
class Predicts(Protocol):
    """Gives class scores. Every model has this one."""

    name: str
    framework: str
    head: Head
    labels: tuple[str, ...]
    input_size: tuple[int, int]
    """Height and width of the view in pixels."""

    def logits(self, images: Array) -> Array:
        """Return float32 `[N, classes]`, before softmax or sigmoid."""


@runtime_checkable
class MasksFast(Predicts, Protocol):
    """Scores many masked versions of one image: the hot path of every perturbation method."""

    def masked_scores(
        self, image: Array, masks: MaskSource, baseline: Array, targets: Sequence[Target]
    ) -> Iterator[tuple[slice, Array]]:
        """Yield `(slice of masks, scores [b, targets])` in order, batch by batch.

        `image` and `baseline` are float32 `[h, w, 3]`; where a mask is 1 the image shows, where
        it is 0 the baseline does.
        """


@runtime_checkable
class Differentiates(Predicts, Protocol):
    """Gives gradients with respect to the view."""

    def gradients(self, images: Array, target: Target) -> Array:
        """Return d score / d view, float32 `[N, h, w, 3]`."""


@runtime_checkable
class ShowsLayers(Predicts, Protocol):
    """Shows its inner maps."""

    def layers(self) -> tuple[Layer, ...]:
        """List the layers that give a map, in the order of execution, nested ones included."""

    def activations(self, images: Array, layer: str) -> Array:
        """Return float32 `[N, map h, map w, channels]`. Raises ParamError for an unknown layer."""


@runtime_checkable
class HasLayers(ShowsLayers, Protocol):
    """Shows its inner maps, and what they do to a score."""

    def activation_gradients(
        self, images: Array, layer: str, target: Target
    ) -> tuple[Array, Array]:
        """Return activations and d score / d activations, both `[N, map h, map w, channels]`.

        One forward pass, and a backward pass through what follows the layer only.
        """


@runtime_checkable
class RunsFrom(Predicts, Protocol):
    """Runs the rest of the network from a layer's activations."""

    def run_from(self, layer: str, activations: Array) -> Array:
        """Return logits `[N, classes]` from `[N, map h, map w, channels]`."""

    def vjp_from(self, layer: str, activations: Array, cotangent: Array) -> Array:
        """Pull logit cotangents `[N, classes]` back to the layer's activations."""

    def vjp_to(self, layer: str, images: Array, cotangent: Array) -> Array:
        """Pull cotangents at the layer `[N, map h, map w, channels]` back to the view."""


@runtime_checkable
class Rewrites(Predicts, Protocol):
    """Makes changed copies of itself."""

    def rewritten(self, change: str, **settings: Any) -> Predicts:
        """Return a copy with other ReLU rules, randomised layers, or other exposed insides."""


@runtime_checkable
class HasNative(Predicts, Protocol):
    """Hands its framework's own object to a wrapped library."""

    def native(self) -> Any:
        """Return the framework's module: view in (its own channel order), logits out."""

    def native_layer(self, layer: str) -> Any:
        """Return the framework's object for a name out of `layers()`."""


@dataclasses.dataclass(frozen=True)
class Geometry:
    """Where the view lies in the upload.

    `photo` is the upload's (height, width) after its EXIF turn; `box` is the view's (top, left,
    bottom, right) in the upload's pixels, and may reach outside it when the view was padded;
    `view` is the view's (height, width).
    """

    photo: tuple[int, int]
    box: tuple[float, float, float, float]
    view: tuple[int, int]

    @classmethod
    def whole(cls, view: tuple[int, int]) -> Geometry:
        """Return the geometry of a view that is the upload itself."""
        return cls(photo=view, box=(0.0, 0.0, float(view[0]), float(view[1])), view=view)

    @property
    def shown(self) -> tuple[float, float, float, float]:
        """The part of the upload that the view shows: its (top, left, bottom, right)."""
        (height, width), (top, left, bottom, right) = self.photo, self.box
        return max(top, 0.0), max(left, 0.0), min(bottom, height), min(right, width)
