"""Grad-CAM: a layer's maps, weighted by what they do to the score."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xai_core import channels
from xai_core.cam import Cam
from xai_core.card import Kind
from xai_core.engines import grad_cam_library, xplique
from xai_core.explainer import Engine, Progress, Raw, explainer
from xai_core.model import HasLayers
from xai_core.target import FOLLOWED, Asked, Target

Array = NDArray[np.float32]


def _ours(
    method: GradCAM, model: HasLayers, image: Array, target: Target, progress: Progress
) -> Raw:
    maps, gradients = method.slopes(model, image, target)
    weights = gradients.mean((0, 1))  # float32 [channels], eq. 1
    cam = method.weighted(maps, weights)  # eq. 2
    progress(1, 1)
    return method.drawn(
        cam,
        model.input_size,
        arrays={"weights": weights} | channels.strongest(maps, weights),
        notes=method.notes(model, image, target, cam, gradients),
    )


@explainer
class GradCAM(Cam):
    """Which cells of a layer's map speak for a class.

    Each channel of the layer is weighted by the mean gradient of the score with respect to it
    (Selvaraju et al. 2017, eq. 1), and the weighted sum is cut at zero. The map is as coarse as the
    layer and is smoothed to the size of the view.
    """

    title: ClassVar[str] = "Grad-CAM"
    place: ClassVar[int] = 10
    slopes_are: ClassVar[Literal["", "averaged", "by cell"]] = "averaged"
    shows: ClassVar[str] = "Which places speak for the class, in the coarse cells of one layer."
    reference: ClassVar[str] = "arXiv:1610.02391"
    tasks: ClassVar[tuple[Kind, ...]] = ("classification", "detection")
    asks: ClassVar[tuple[Asked, ...]] = FOLLOWED
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        grad_cam_library.engine("GradCAM"),
        xplique.engine("GradCAM"),
    )
