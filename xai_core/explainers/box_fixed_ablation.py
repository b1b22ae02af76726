"""Box-fixed ablation: what keeps the class of a box that stays where it is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import channels
from xai_core.cam import ARRAYS, drawn, relu, smoothing
from xai_core.card import Cost, Kind
from xai_core.errors import ParamError
from xai_core.explainer import Engine, Explainer, Family, Progress, Raw, Sized, explainer
from xai_core.model import Detects, ReadsRegions
from xai_core.target import Asked, BoxTarget, Target
from xai_core.task import Shape

Array = NDArray[np.float32]


def _ours(
    method: BoxFixedAblation,
    model: ReadsRegions,
    image: Array,
    target: Target,
    progress: Progress,
) -> Raw:
    if not isinstance(target, BoxTarget):
        raise ParamError(f"{method.title} explains a box; the target reads {target.reads}")
    layer, maps, scores = model.region(image, target.box, target.index)
    weights = scores[0] - scores[1:]
    inside = within(target.box, maps.shape[:2], image.shape[:2])
    read = np.where(inside[..., None], maps, np.float32(0))
    cam = read @ weights
    cam = np.maximum(cam, 0) if method.relu else cam
    progress(1, 1)
    notes = [
        f"The box was judged from the level {layer} and kept where it is: this shows what keeps "
        "its class, not what makes a box appear there. What lies outside the box is not read.",
    ]
    if not np.any(weights):
        notes.append("No channel alone changes the score of this box, so there is nothing to show.")
    return drawn(
        cam,
        image.shape[:2],
        method.smoothing,
        signed=not method.relu,
        scalars={"score": float(scores[0])},
        arrays={"weights": weights} | channels.strongest(read, weights),
        notes=tuple(notes),
    )


def within(
    box: tuple[float, float, float, float], cells: tuple[int, ...], view: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Return which cells of a level `[mh, mw]` a box of the view's pixels touches."""
    sides = []
    for low, high, count, side in zip(box[:2], box[2:], cells, view, strict=True):
        edges = np.arange(count + 1) * (side / count)
        sides.append((edges[1:] > low) & (edges[:-1] < high))
    return np.asarray(np.outer(*sides), np.bool_)


@explainer
class BoxFixedAblation(Explainer):
    """Which cells inside a box keep its class, by leaving each channel out.

    The box stays where it is, and only the part of the detector that judges regions runs again,
    without each channel of the level that it reads the box from: the weight is how far the class's
    score falls, as in AblationCAM. That takes one pass and no more. It asks another question than
    AblationCAM: what keeps this box's class, and not what makes a box appear.
    """

    title: ClassVar[str] = "Box-fixed ablation"
    place: ClassVar[int] = 30
    family: ClassVar[Family] = "activation maps"
    shows: ClassVar[str] = "Which cells inside a box keep its class; the box itself stays."
    reference: ClassVar[str] = "doi:10.1109/WACV45572.2020.9093360"
    tasks: ClassVar[tuple[Kind, ...]] = ("detection",)
    asks: ClassVar[tuple[Asked, ...]] = ("class",)
    needs: ClassVar[tuple[type, ...]] = (Detects, ReadsRegions)
    signed: ClassVar[bool] = False
    arrays: ClassVar[Mapping[str, Shape]] = MappingProxyType(dict(ARRAYS))
    engines: ClassVar[tuple[Engine, ...]] = (Engine(name="ours", run=_ours),)

    smoothing: str = smoothing()
    relu: bool = relu()

    def cost(self, model: Sized) -> Cost:
        """One pass, for the levels; the part that judges regions is small beside it."""
        return Cost(forward=1)
