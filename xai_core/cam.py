"""What class activation maps share: a layer, its weighted channels, and a map drawn from cells."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import channels, diagnosis
from xai_core.card import Cost
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.explainer import Explainer, Family, Raw, Sized
from xai_core.grain import Cells, Grain, Pixels
from xai_core.layers import layer_of
from xai_core.model import HasLayers
from xai_core.params import choice, layer, switch
from xai_core.target import Target
from xai_core.task import Shape
from xai_core.upsample import WAYS, resize

Array = NDArray[np.float32]
ARRAYS: Mapping[str, Shape] = MappingProxyType(
    {"weights": Shape("<f4", ("",), most=1 << 16, optional=True), **channels.SHAPES}
)
"""The weights of a layer's channels, and those that count most."""


def relu() -> bool:
    """Declare whether a map is cut at zero."""
    return switch(
        True,
        help="Keep only what speaks for the class. Off, what speaks against it shows too.",
        engines=("ours",),
        label="Only what speaks for the class",
    )


def smoothing() -> str:
    """Declare how a coarse map is drawn over the view."""
    return choice(
        "linear",
        WAYS,
        help="How the coarse map is drawn over the view: linear as grad-cam does, cubic as "
        "Xplique does, nearest to see the map's own cells.",
        engines=("ours",),
        more=True,
        source="grad-cam cv2.resize, Xplique tf.image.resize bicubic",
    )


def drawn(cam: Array, size: tuple[int, int], how: str, *, signed: bool, **more: Any) -> Raw:
    """Return a map of cells `[mh, mw]`, drawn over a view of `size`."""
    attribution = resize(cam, size, how)
    if not signed:
        attribution = np.maximum(attribution, 0)  # a cubic swings below zero beside a peak
    grain = Cells(rows=cam.shape[0], columns=cam.shape[1], map=cam, smoothing=how)
    return Raw(attribution=attribution, signed=signed, grain=grain, **more)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerMap(Explainer):
    """Base of the methods that read one layer. Subclasses repeat no field of it."""

    family: ClassVar[Family] = "activation maps"
    needs: ClassVar[tuple[type, ...]] = (HasLayers,)
    signed: ClassVar[bool] = False

    layer: str = layer(
        help="The layer whose map is read. Later layers know more of the class and less of the "
        "place: the map gets coarser. By itself it is the last useful one.",
        source="grad-cam target_layers, Xplique GradCAM.conv_layer",
    )
    smoothing: str = smoothing()

    def cost(self, model: Sized) -> Cost:
        """One forward pass, and one back through what follows the layer."""
        return Cost(forward=1, tails=1)

    def drawn(self, cam: Array, size: tuple[int, int], **more: Any) -> Raw:
        """Return a map of cells `[mh, mw]`, drawn over a view of `size`."""
        return drawn(cam, size, self.smoothing, signed=False, **more)

    def cells_of(self, model: HasLayers, smoothing: str) -> Grain:
        """Return the grain of a map that a library drew from the layer's cells."""
        row = next((row for row in model.layers() if row.name == self.layer), None)
        if row is None:
            return Pixels()
        return Cells(rows=row.map_size[0], columns=row.map_size[1], smoothing=smoothing)

    def maps(self, model: Any, image: Array) -> Array:
        """Return the layer's map of a view, `[mh, mw, channels]`."""
        return self.finite(model.activations(image[None], self.layer)[0])

    def slopes(self, model: HasLayers, image: Array, target: Target) -> tuple[Array, Array]:
        """Return the layer's map and what it does to the score, both `[mh, mw, channels]`."""
        maps, gradients = model.activation_gradients(image[None], self.layer, target)
        return self.finite(maps[0]), self.finite(gradients[0])

    def finite(self, values: Array) -> Array:
        """Return values; raises UnsupportedModel where some are no numbers."""
        if np.isfinite(values).all():
            return values
        raise UnsupportedModel(
            f"The layer {self.layer} gives values on this photo that are no numbers (infinite or "
            "undefined), or passes such back: the model overflows. Check its pre-processing, or "
            "choose another layer."
        )

    def notes(
        self, model: Any, image: Array, target: Target, cam: Array, gradients: Array
    ) -> tuple[str, ...]:
        """Say why a map `[mh, mw]` is blank, where it is, and that a box's score is saturated."""
        if np.any(cam) and target.reads == "objects":
            said = diagnosis.saturated(target, float(target.of_views(model, image[None])[0]))
            return tuple(each for each in (self._level(model, cam), said) if each)
        if np.any(cam):
            return ()
        if np.any(gradients):
            return (self.cut(),)
        score = float(target.of_views(model, image[None])[0])
        return (
            diagnosis.saturated(target, score)
            or diagnosis.independent(model, image, target)
            or f"The score does not depend on the layer {self.layer}: choose an earlier one.",
        )

    def _level(self, model: Any, cam: Array) -> str:
        """Say that one level of several was read, where all of them are the layer."""
        row = next((row for row in model.layers() if row.name == self.layer), None)
        if row is None or row.map_size == cam.shape:
            return ""
        return (
            f"Of the detector's levels the one of {cam.shape[0]} x {cam.shape[1]} cells is shown: "
            "it moves most of what is asked of this box."
        )

    def cut(self) -> str:
        """Say what became of a map that acts on the score and shows nothing."""
        return (
            f"Nothing in the layer {self.layer} speaks for the class, and what speaks against it "
            "is not shown. Choose another layer, or a method that shows both."
        )

    def asked(self, target: Target) -> None:
        """Raise ParamError for a target that the network behind a layer does not give."""
        scores_only(self.title, target)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cam(LayerMap):
    """Base of the methods whose map has two signs, and is cut at zero where one says so."""

    arrays: ClassVar[Mapping[str, Shape]] = ARRAYS

    relu: bool = relu()

    def weighted(self, maps: Array, weights: Array) -> Array:
        """Return the sum of a layer's maps `[mh, mw, channels]` by weights `[channels]`, cut."""
        return self.shown(maps @ weights)

    def shown(self, cam: Array) -> Array:
        """Return a map `[mh, mw]`, cut at zero unless both signs are to show."""
        return np.maximum(cam, 0) if self.relu else cam

    def drawn(self, cam: Array, size: tuple[int, int], **more: Any) -> Raw:
        """Return a map of cells `[mh, mw]`, drawn over a view of `size`."""
        return drawn(cam, size, self.smoothing, signed=not self.relu, **more)

    def cut(self) -> str:
        """Say that the ReLU cut everything off."""
        if not self.relu:
            return f"What speaks for and against the class cancels out in {self.layer}."
        return (
            f"Every cell of {self.layer} speaks against the class, and the ReLU leaves nothing: "
            "switch it off to see what speaks against, or choose another layer."
        )


def scores_only(title: str, target: Target) -> None:
    """Raise ParamError for a target that is no score of a class or of a box."""
    if target.reads not in ("scores", "objects"):
        raise ParamError(
            f"{title} explains class scores; the target reads {target.reads}. Choose a class, or "
            "a method that explains it."
        )


def rest(model: Sized, name: str, count: int) -> Cost:
    """Return the cost of one pass up to a layer and `count` through what follows it.

    Only what follows the layer that is taken by itself is timed. For another, each run counts as a
    whole pass, which is the most that it can be.
    """
    default = layer_of(model, "")
    known = not name or default is None or name == default.name
    return Cost(forward=1, rest=count) if known else Cost(forward=1 + count)
