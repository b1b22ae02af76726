"""What a model can do, as small capabilities, and the plain data that goes in and out of it.

Every image here is a *view*: the photo after resize and crop and before normalisation,
float32 `[N, h, w, 3]`, RGB in 0..1, whatever the network itself eats.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from xai_core.changes import Change
from xai_core.perturb import MaskSource
from xai_core.target import Target

Array = NDArray[np.float32]
HeadKind = Literal["logits", "softmax", "log-softmax", "sigmoid"]
Level = Literal["info", "warning"]
About = Literal[
    "", "activation", "answers", "channels", "head", "labels", "layout", "mode", "origin", "output",
    "photo", "preprocessing", "size", "weights",
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
        self,
        image: Array,
        masks: MaskSource,
        baseline: Array,
        targets: Sequence[Target],
        batch: int = 0,
    ) -> Iterator[tuple[slice, Array]]:
        """Yield `(slice of masks, scores [b, targets])` in order, batch by batch.

        `image` and `baseline` are float32 `[h, w, 3]`; where a mask is 1 the image shows, where
        it is 0 the baseline does. `batch` is how many go through the network at once, 0 as many as
        suit it; a network that takes one number only keeps to that.
        """


@runtime_checkable
class Differentiates(Predicts, Protocol):
    """Gives gradients with respect to the view."""

    def gradients(self, images: Array, target: Target, batch: int = 0) -> Array:
        """Return d score / d view, float32 `[N, h, w, 3]`; `batch` as in `masked_scores`."""


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
class RunsFrom(HasLayers, Protocol):
    """Runs the rest of the network from a layer's activations.

    `image` float32 `[h, w, 3]` is the view that everything else comes from which reaches the scores
    past the layer (another branch, a shortcut round it).
    """

    def run_from(self, layer: str, activations: Array, image: Array) -> Array:
        """Return logits `[N, classes]` from `[N, map h, map w, channels]`."""

    def vjp_from(self, layer: str, activations: Array, image: Array, cotangent: Array) -> Array:
        """Pull logit cotangents `[N, classes]` back to the layer's activations."""

    def vjp_to(self, layer: str, images: Array, cotangent: Array) -> Array:
        """Pull cotangents at the layer `[N, map h, map w, channels]` back to the view."""


@runtime_checkable
class MatchesCodes(HasLayers, Protocol):
    """Says how far views are from a code at a layer, and what would bring them nearer."""

    def code_gradients(self, images: Array, layer: str, code: Array) -> tuple[Array, Array]:
        """Return each view's squared distance from a code, `[N]`, and its gradient `[N, h, w, 3]`.

        `code` is what the layer is to hold, `[map h, map w, channels]`; the distance is the sum of
        the squared differences. One pass to the layer and one back. Raises ParamError.
        """


@runtime_checkable
class Rewrites(Predicts, Protocol):
    """Makes changed copies of itself; the model itself stays as it is."""

    def weighted(self) -> tuple[str, ...]:
        """List the layers that have weights, from the input to the output."""

    def output_weights(self) -> tuple[Array, Array]:
        """Return the last dense layer's weights `[classes, features]` and bias `[classes]`.

        Raises UnsupportedModel where the scores do not come straight out of one.
        """

    def rewritten(self, change: Change) -> Predicts:
        """Return a copy with the change made, which serves all that the model itself does.

        Raises UnsupportedModel, with the reason, where the network does not bear it.
        """


@dataclasses.dataclass(frozen=True, eq=False)
class Detections:
    """What a detector found on one view.

    `boxes` float32 `[n, 4]` are (top, left, bottom, right) in the view's pixels, `labels` int32
    `[n]` the classes and `scores` float32 `[n]` in 0..1, the highest first.
    """

    boxes: Array
    labels: NDArray[np.int32]
    scores: Array


@runtime_checkable
class Detects(Protocol):
    """Finds objects. A detector has this one in the place of `Predicts`.

    `masked_scores` and `gradients` of a detector take targets that read objects.
    """

    name: str
    framework: str
    labels: tuple[str, ...]
    input_size: tuple[int, int]

    def detect(self, images: Array) -> tuple[Detections, ...]:
        """Return what is found on each view `[N, h, w, 3]`."""

    def candidates(self, images: Array) -> tuple[Detections, ...]:
        """Return all that is weighed on each view, before any box is dropped for another's sake."""


@runtime_checkable
class RunsWithout(Protocol):
    """Runs on from a layer without one of its channels, where its maps alone do not tell how.

    A detector's layer may be several maps of several sizes; a classifier runs from its one map.
    """

    def without(self, layer: str, image: Array, channels: Sequence[int]) -> Any:
        """Return what targets read, one for each channel of `layer` that is left out, set to 0."""


@runtime_checkable
class ReadsRegions(Protocol):
    """Judges one region of the photo by itself, as the second stage of a detector does."""

    def region(self, image: Array, box: Sequence[float], index: int) -> tuple[str, Array, Array]:
        """Return the layer that a box is read from, its maps, and what each channel does there.

        The maps are float32 `[mh, mw, channels]`; the last is float32 `[1 + channels]`, the score
        of class `index` at this very box, with all channels and without each in turn.
        """


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


GIVEN: dict[type, str] = {
    Predicts: "class scores",
    MasksFast: "scores for masked photos",
    Differentiates: "gradients",
    ShowsLayers: "a layer whose output is a map",
    HasLayers: "a layer whose output is a map, and its gradients",
    RunsFrom: "a network that can be run from one of its layers on",
    MatchesCodes: "a layer whose output is a map, and the gradients before it",
    Rewrites: "a copy that can be changed",
    HasNative: "the framework's own model",
    Detects: "objects in boxes",
    RunsWithout: "a network that can be run without one of its channels",
    ReadsRegions: "a second stage that judges regions",
}
"""What each capability gives, in words."""


def given(need: type) -> str:
    """Return what a capability gives, in words; its name in words where it is not one of ours."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", need.__name__).lower()
    return GIVEN.get(need, words)


def lacks(model: Any, need: type) -> str | None:
    """Say why a model does not give what a capability is, or None where it does.

    A model knows it of itself (its method `lacks`): one object may have layers, and another of the
    same class none. For others its methods are looked for.
    """
    own = getattr(model, "lacks", None)
    if own is not None:
        return cast("str | None", own(need))
    return missing(model, need)


def _has(model: Any, need: type) -> bool:
    """Say whether a model has the members of a capability, as `isinstance` does.

    That looks through a protocol's bases each time; opening a model asks some hundred times.
    """
    if need in GIVEN:
        methods, values = _members(need)
        called = all(getattr(model, name, None) is not None for name in methods)
        return called and all(hasattr(model, name) for name in values)
    try:
        return isinstance(model, need)
    except TypeError:  # a protocol that cannot be checked, of somebody else's
        return False


@functools.cache
def _members(need: type) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the methods and the values that a protocol asks for, its bases' among them."""
    found: dict[bool, list[str]] = {True: [], False: []}
    for base in need.__mro__:
        for name in {**vars(base), **vars(base).get("__annotations__", {})}:
            if not name.startswith("_"):
                found[callable(getattr(need, name, None))].append(name)
    return tuple(found[True]), tuple(found[False])


def missing(model: Any, need: type) -> str | None:
    """Say that a model has not the methods of a capability, or None where it has."""
    held = _has(model, need)
    if held and need in (ShowsLayers, HasLayers, RunsFrom, MatchesCodes) and not model.layers():
        return f"This needs {given(need)}; this network is made of dense layers only."
    return None if held else f"This needs {given(need)}, which the model does not give."
