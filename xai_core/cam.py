"""What class activation maps share: a layer, its weighted channels, and a map drawn from cells."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import channels
from xai_core.card import Cost
from xai_core.explainer import Explainer, Family, Raw, Sized
from xai_core.grain import Cells, Grain, Pixels
from xai_core.model import HasLayers
from xai_core.params import choice, layer, switch
from xai_core.task import Shape
from xai_core.upsample import WAYS, resize

Array = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cam(Explainer):
    """Base of the methods that weigh a layer's channels. Subclasses repeat no field of it."""

    family: ClassVar[Family] = "activation maps"
    needs: ClassVar[tuple[type, ...]] = (HasLayers,)
    signed: ClassVar[bool] = False
    arrays: ClassVar[Mapping[str, Shape]] = MappingProxyType(
        {"weights": Shape("<f4", ("",), most=1 << 16, optional=True), **channels.SHAPES}
    )

    layer: str = layer(
        help="The layer whose map is read. Later layers know more of the class and less of the "
        "place: the map gets coarser. By itself it is the last useful one.",
        source="grad-cam target_layers, Xplique GradCAM.conv_layer",
    )
    relu: bool = switch(
        True,
        help="Keep only what speaks for the class. Off, what speaks against it shows too.",
        engines=("ours",),
        label="Only what speaks for the class",
    )
    smoothing: str = choice(
        "linear",
        WAYS,
        help="How the coarse map is drawn over the view: linear as grad-cam does, cubic as "
        "Xplique does, nearest to see the map's own cells.",
        engines=("ours",),
        source="grad-cam cv2.resize, Xplique tf.image.resize bicubic",
    )

    def cost(self, model: Sized) -> Cost:
        """One forward pass, and one back through what follows the layer."""
        return Cost(forward=1, tails=1)

    def weighted(self, maps: Array, weights: Array) -> Array:
        """Return the sum of a layer's maps `[mh, mw, channels]` by weights `[channels]`, cut."""
        cam = maps @ weights  # [map h, map w]
        return np.maximum(cam, 0) if self.relu else cam

    def drawn(self, cam: Array, size: tuple[int, int], **more: Any) -> Raw:
        """Return a map of cells `[mh, mw]`, drawn over a view of `size`."""
        attribution = resize(cam, size, self.smoothing)
        if self.relu:
            attribution = np.maximum(attribution, 0)  # a cubic swings below zero beside a peak
        return Raw(
            attribution=attribution,
            signed=not self.relu,
            grain=Cells(rows=cam.shape[0], columns=cam.shape[1], map=cam, smoothing=self.smoothing),
            **more,
        )

    def cells_of(self, model: HasLayers, smoothing: str) -> Grain:
        """Return the grain of a map that a library drew from the layer's cells."""
        row = next((row for row in model.layers() if row.name == self.layer), None)
        if row is None:
            return Pixels()
        return Cells(rows=row.map_size[0], columns=row.map_size[1], smoothing=smoothing)

    def notes(self, cam: Array, gradients: Array) -> tuple[str, ...]:
        """Say why a map is blank, where it is."""
        if not np.any(gradients):
            return (f"The score does not depend on the layer {self.layer}: choose an earlier one.",)
        if not np.any(cam):
            return (
                f"Every cell of {self.layer} speaks against the class, and the ReLU leaves "
                "nothing: switch it off to see what speaks against, or choose another layer.",
            )
        return ()
