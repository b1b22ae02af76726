"""ODAM: what each cell of a detector's level adds to one box."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xai_core.cam import Cam
from xai_core.card import Kind
from xai_core.explainer import Engine, Progress, Raw, explainer
from xai_core.model import Detects, HasLayers
from xai_core.params import number
from xai_core.target import FOLLOWED, Asked, Target

Array = NDArray[np.float32]


def _ours(method: ODAM, model: HasLayers, image: Array, target: Target, progress: Progress) -> Raw:
    maps, gradients = method.slopes(model, image, target)
    cam = method.shown((maps * smoothed(gradients, method.spread)).sum(-1))
    progress(1, 1)
    notes = method.notes(model, image, target, cam, gradients)
    return method.drawn(cam, model.input_size, notes=notes)


def smoothed(gradients: Array, spread: float) -> Array:
    """Return each channel's gradients `[mh, mw, channels]` under a Gaussian of `spread` cells."""
    from scipy.ndimage import gaussian_filter

    if spread == 0:
        return gradients
    return np.asarray(gaussian_filter(gradients, (spread, spread, 0), mode="constant"), np.float32)


@explainer
class ODAM(Cam):
    """What each cell of a detector's level adds to one box, with the gradients a little smoothed.

    Each value of the level is multiplied by its own gradient, smoothed over the cells beside it,
    and the channels are added and cut at zero (Zhao and Chan 2023). Unlike Grad-CAM it does not
    average over the whole map, so that another object of the same class is not marked too.
    """

    title: ClassVar[str] = "ODAM"
    place: ClassVar[int] = 5
    slopes_are: ClassVar[Literal["", "averaged", "by cell"]] = "by cell"
    shows: ClassVar[str] = "What each cell adds to one box, by its own gradient."
    reference: ClassVar[str] = "arXiv:2304.06354"
    tasks: ClassVar[tuple[Kind, ...]] = ("detection",)
    asks: ClassVar[tuple[Asked, ...]] = FOLLOWED
    needs: ClassVar[tuple[type, ...]] = (HasLayers, Detects)
    engines: ClassVar[tuple[Engine, ...]] = (Engine(name="ours", run=_ours),)

    spread: float = number(
        1.0,
        0.0,
        8.0,
        step=0.25,
        unit="cells",
        help="How far gradients are smoothed, as the deviation of a Gaussian. At 0 it is HiResCAM.",
    )
