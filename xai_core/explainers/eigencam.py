"""EigenCAM: what most of a layer's map has in common."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core.cam import LayerMap
from xai_core.card import Cost, Kind
from xai_core.engines import grad_cam_library
from xai_core.explainer import Engine, Progress, Raw, Sized, explainer
from xai_core.model import ShowsLayers
from xai_core.target import JUDGED, Asked, Target

Array = NDArray[np.float32]


def _ours(
    method: EigenCAM, model: ShowsLayers, image: Array, target: Target, progress: Progress
) -> Raw:
    component, share = principal(method.maps(model, image))
    cam = np.maximum(component, 0)
    progress(1, 1)
    notes: tuple[str, ...] = ()
    if not np.any(cam):
        notes = (f"All cells of the layer {method.layer} hold the same: choose another one.",)
    return method.drawn(cam, model.input_size, scalars={"share": share}, notes=notes)


def principal(maps: Array) -> tuple[Array, float]:
    """Return a layer's map `[mh, mw]` along its first principal component, and its share.

    The component's sign is arbitrary: it is turned so that the cell farthest from the mean is
    positive. The share is that of the cells' variance, 0..1.
    """
    rows = maps.reshape(-1, maps.shape[-1]).astype(np.float64)  # [cells, channels]
    rows = rows - rows.mean(0)
    left, sizes, _ = np.linalg.svd(rows, full_matrices=False)
    total = float((sizes**2).sum())
    if total <= 1e-12 * max(float((maps.astype(np.float64) ** 2).sum()), 1e-30):
        return np.zeros(maps.shape[:2], np.float32), 0.0
    along = left[:, 0] * sizes[0]
    along = -along if -along.min() > along.max() else along
    return along.reshape(maps.shape[:2]).astype(np.float32), float(sizes[0] ** 2) / total


def _signs(method: Any, model: Any, image: Array, target: Target) -> tuple[str, ...]:
    return (
        "The grad-cam library leaves the sign of the component to chance and cuts off what is "
        "negative: its map may show the background. Compare it with that of ours.",
    )


@explainer
class EigenCAM(LayerMap):
    """What stands out in a layer's map, whatever the class.

    Each cell's values are taken along the direction in which the cells differ most, the first
    principal component of the map (Muhammad and Yeasin 2020), turned so that the cell that is
    farthest from the mean counts as positive; what is negative is cut off. Neither the score nor
    any class goes into it.
    """

    title: ClassVar[str] = "EigenCAM"
    place: ClassVar[int] = 40
    shows: ClassVar[str] = "What stands out in a layer's map; the class does not matter."
    reference: ClassVar[str] = "arXiv:2008.00299"
    tasks: ClassVar[tuple[Kind, ...]] = ("classification", "detection")
    asks: ClassVar[tuple[Asked, ...]] = JUDGED
    needs: ClassVar[tuple[type, ...]] = (ShowsLayers,)
    class_agnostic: ClassVar[bool] = True
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        grad_cam_library.engine("EigenCAM", notes=_signs),
    )

    def cost(self, model: Sized) -> Cost:
        """One forward pass, up to the layer."""
        return Cost(forward=1)
