"""XGrad-CAM: a layer's maps, weighted so that they add up to what they do to the score."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import channels
from xai_core.cam import Cam
from xai_core.engines import grad_cam_library
from xai_core.explainer import Engine, Progress, Raw, explainer
from xai_core.model import HasLayers
from xai_core.target import Target

Array = NDArray[np.float32]


def _ours(
    method: XGradCAM, model: HasLayers, image: Array, target: Target, progress: Progress
) -> Raw:
    maps, gradients = method.slopes(model, image, target)
    weights = _weights(maps, gradients)
    cam = method.weighted(maps, weights)
    progress(1, 1)
    notes = method.notes(model, image, target, cam, gradients)
    if np.any(maps < 0):
        notes += (
            f"The layer {method.layer} has values below zero, and {method.title} divides by each "
            "channel's sum, which may then be near zero: choose a layer after a ReLU, or another "
            "method.",
        )
    return method.drawn(
        cam,
        model.input_size,
        arrays={"weights": weights} | channels.strongest(maps, weights),
        notes=notes,
    )


def _weights(maps: Array, gradients: Array) -> Array:
    """Return the mean gradient of each channel, weighed by its values; eq. 6 and 7."""
    total = maps.sum((0, 1), dtype=np.float64)
    each = (maps * gradients).sum((0, 1), dtype=np.float64)
    made = np.divide(each, total, out=np.zeros_like(total), where=total != 0)
    return np.asarray(made, np.float32)


@explainer
class XGradCAM(Cam):
    """Which cells of a layer's map speak for a class, by gradients where the map is strong.

    Each channel is weighted by its gradients' mean, in which a cell counts as much as its share
    of the channel (Fu et al. 2020, eq. 7). So the weighted maps add up to the same number as the
    values times their gradients, which a plain mean does not give.
    """

    title: ClassVar[str] = "XGrad-CAM"
    place: ClassVar[int] = 18
    shows: ClassVar[str] = "Which cells speak for the class, by gradients where the map is strong."
    reference: ClassVar[str] = "arXiv:2008.02312"
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        grad_cam_library.engine("XGradCAM"),
    )
