"""D-RISE: random masks, each weighed by how well the detector still finds a box."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core.card import Kind
from xai_core.explainer import Engine, Progress, Raw, explainer
from xai_core.explainers.rise import Rise
from xai_core.model import Detects, MasksFast
from xai_core.perturb import at_once
from xai_core.target import JUDGED, Asked, Target

Array = NDArray[np.float32]
_BATCH = 8


def _ours(method: DRISE, model: MasksFast, image: Array, target: Target, progress: Progress) -> Raw:
    (made,) = method.weighed(model, image, [target], progress)
    return made


@explainer
class DRISE(Rise):
    """How much better a box is found than on average when a pixel shows.

    RISE for detectors (Petsiuk et al. 2021): the score of a masked photo is that of the found
    object that fits the box best, its overlap with it (intersection over union) times its score
    for the class. It asks what makes such a box appear, wherever in the photo that lies, and takes
    nothing but boxes, classes and scores. Several boxes are asked about on the same masked photos.
    """

    title: ClassVar[str] = "D-RISE"
    place: ClassVar[int] = 5
    shows: ClassVar[str] = "Where showing the photo makes the box appear, over many random masks."
    reference: ClassVar[str] = "arXiv:2006.03204"
    tasks: ClassVar[tuple[Kind, ...]] = ("detection",)
    asks: ClassVar[tuple[Asked, ...]] = JUDGED
    needs: ClassVar[tuple[type, ...]] = (Detects, MasksFast)
    engines: ClassVar[tuple[Engine, ...]] = (Engine(name="ours", run=_ours),)

    @classmethod
    def suggest(
        cls, size: tuple[int, int] | None, given: Mapping[str, Any] = MappingProxyType({})
    ) -> dict[str, Any]:
        """Return the paper's 16 cells a side, of at least 8 pixels each, and 1,000 masks."""
        height, width = size or (224, 224)
        grid = int(np.clip(min(height, width) // 8, 2, 16))
        return {"grid": grid, "masks": 1000, "batch": at_once((height, width), _BATCH)}
