"""Grad-CAM++: a layer's maps, weighted by where they raise the score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import channels
from xai_core.cam import ARRAYS, LayerMap
from xai_core.engines import grad_cam_library, xplique
from xai_core.explainer import Engine, Progress, Raw, explainer
from xai_core.model import HasLayers
from xai_core.params import choice
from xai_core.target import Target
from xai_core.task import Shape

Array = NDArray[np.float32]


def _ours(
    method: GradCAMPlusPlus, model: HasLayers, image: Array, target: Target, progress: Progress
) -> Raw:
    maps, gradients = method.slopes(model, image, target)
    weights = method.weights(maps, gradients)
    cam = np.maximum(maps @ weights, 0)
    progress(1, 1)
    return method.drawn(
        cam,
        model.input_size,
        arrays={"weights": weights} | channels.strongest(maps, weights),
        notes=method.notes(model, image, target, cam, np.maximum(gradients, 0)),
    )


@explainer
class GradCAMPlusPlus(LayerMap):
    """Which cells of a layer's map speak for a class, each weighed by its own gradient.

    Where Grad-CAM takes the mean gradient of a channel, this sums the positive gradients, each
    divided by how much the channel already gives (Chattopadhyay et al. 2018, eq. 19), so that
    several objects of one class count alike. The weights take the score for an exponential one,
    and so depend on its scale. What speaks against the class is never shown.
    """

    title: ClassVar[str] = "Grad-CAM++"
    place: ClassVar[int] = 14
    shows: ClassVar[str] = "Which cells of a layer's map speak for the class; many objects alike."
    reference: ClassVar[str] = "arXiv:1710.11063"
    arrays: ClassVar[Mapping[str, Shape]] = ARRAYS
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        grad_cam_library.engine("GradCAMPlusPlus"),
        xplique.engine(
            "GradCAMPP",
            notes=(
                "Xplique takes the mean of a channel where the paper takes its sum, so that the "
                "weights are others.",
            ),
        ),
    )

    form: str = choice(
        "paper",
        ("paper", "damped", "mean"),
        help="How the weights are computed: as in the paper, damped as the grad-cam library does, "
        "which adds 0.000001 to each denominator and so changes what has small gradients, or with "
        "the mean of a channel in the place of its sum, as Xplique does.",
        engines=("ours",),
        more=True,
        label="Form of the weights",
    )

    def weights(self, maps: Array, gradients: Array) -> Array:
        """Return a weight for each channel, float32 `[channels]`."""
        slopes, values = gradients.astype(np.float64), maps.astype(np.float64)
        level = values.mean((0, 1)) if self.form == "mean" else values.sum((0, 1))
        squares = slopes * slopes
        below = squares * (2 + level * slopes)  # 2 slopes**2 + level slopes**3
        below += 1e-6 if self.form == "damped" else 0
        alphas = np.divide(squares, below, out=np.zeros_like(below), where=below != 0)
        each = alphas * np.maximum(slopes, 0)
        made = each.mean((0, 1)) if self.form == "mean" else each.sum((0, 1))
        return np.asarray(made, np.float32)
