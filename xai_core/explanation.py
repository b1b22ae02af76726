"""What a method hands back: a map in the view's frame, with all that made it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xai_core.card import Backend
from xai_core.errors import UnsupportedModel
from xai_core.grain import PIXELS, Grain
from xai_core.model import Geometry
from xai_core.question import Question
from xai_core.result import Result, frozen
from xai_core.target import Target

Array = NDArray[np.float32]
Scale = Literal["raw", "its own 0..1"]
"""What the numbers of a map are: the method's own, or scaled to this map's range by a library."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Explanation(Result):
    """An attribution and its provenance.

    `attribution` is finite float32 `[h, w]` at its raw scale (but see `scale`), in the view's
    frame, and `grain` its smallest honest unit. `question` is what was asked, with every value that
    was used. `arrays` and `scalars` hold what the method adds under its own names. `passes` counts
    the images that went through the network, and `backend` says what ran them. Raises
    UnsupportedModel where the attribution is not finite, and ValueError where its grain does not
    fit it.
    """

    attribution: Array
    signed: bool
    question: Question
    grain: Grain = PIXELS
    scale: Scale = "raw"
    seed: int | None = None
    passes: int = 0
    seconds: float = 0.0
    geometry: Geometry | None = None
    model_hash: str = ""
    image_hash: str = ""
    backend: Backend | None = None
    way: str = ""

    def __post_init__(self) -> None:
        attribution = frozen(np.asarray(self.attribution, np.float32))
        if attribution.ndim != 2:
            raise ValueError(f"Explanation.attribution must be [h, w], got {attribution.shape}")
        if not np.isfinite(attribution).all():
            raise UnsupportedModel(
                f"{self.method} gave values that are not finite, so there is no map to show: the "
                "model overflows on this photo. Check its pre-processing."
            )
        object.__setattr__(self, "attribution", attribution)
        super().__post_init__()
        self.grain.check(self.view)

    @property
    def view(self) -> tuple[int, int]:
        """The view's height and width, which are the map's."""
        return self.attribution.shape[0], self.attribution.shape[1]

    @property
    def method(self) -> str:
        """The method's name."""
        return self.question.method

    @property
    def engine(self) -> str:
        """Who computed it."""
        return self.question.engine

    @property
    def target(self) -> Target:
        """The number that was explained."""
        return self.question.target

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Every value that was used."""
        return self.question.values

    @property
    def placed(self) -> Geometry:
        """Where the view lies in the photo; the photo itself where that is not known."""
        return self.geometry or Geometry.whole(self.view)
