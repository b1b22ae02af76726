"""HiResCAM: each cell's values times their own gradients."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xai_core.cam import Cam
from xai_core.card import Kind
from xai_core.engines import grad_cam_library
from xai_core.explainer import Engine, Progress, Raw, explainer
from xai_core.model import HasLayers
from xai_core.target import FOLLOWED, Asked, Target

Array = NDArray[np.float32]


def _ours(
    method: HiResCAM, model: HasLayers, image: Array, target: Target, progress: Progress
) -> Raw:
    maps, gradients = method.slopes(model, image, target)
    cam = method.shown((maps * gradients).sum(-1))
    progress(1, 1)
    notes = method.notes(model, image, target, cam, gradients)
    return method.drawn(cam, model.input_size, notes=notes)


@explainer
class HiResCAM(Cam):
    """What each cell of a layer's map adds to the score.

    Each value is multiplied by its own gradient and the channels are added (Draelos and Carin
    2020, eq. 4); nothing is averaged over the map, so that no cell is marked for what another one
    does. Where only one dense layer follows, the cells add up to the score, less its bias.
    """

    title: ClassVar[str] = "HiResCAM"
    place: ClassVar[int] = 16
    slopes_are: ClassVar[Literal["", "averaged", "by cell"]] = "by cell"
    shows: ClassVar[str] = "What each cell of a layer's map adds to the score by itself."
    reference: ClassVar[str] = "arXiv:2011.08891"
    tasks: ClassVar[tuple[Kind, ...]] = ("classification", "detection")
    asks: ClassVar[tuple[Asked, ...]] = FOLLOWED
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        grad_cam_library.engine("HiResCAM"),
    )
