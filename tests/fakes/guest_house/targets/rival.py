"""A target of a guest's own: one box against all others."""

import dataclasses
from typing import Any, ClassVar

import numpy as np

from xai_core.errors import ParamError
from xai_core.target import Reads, Target, overlaps


@dataclasses.dataclass(frozen=True)
class Rival(Target):
    """The score of the object in a box, less that of the best object elsewhere."""

    kind: ClassVar[str] = "rival"
    reads: ClassVar[Reads] = "objects"

    box: tuple[float, float, float, float]

    def check(self, model: Any) -> None:
        """Raise ParamError for a model that finds no objects."""
        if not hasattr(model, "detect"):
            raise ParamError("Rival.box needs a detector, and this model is none")

    def words(self, labels: Any) -> str:
        """Say what is asked."""
        return "the object in the box, against all others"

    def weights(self, outputs: Any) -> Any:
        """Return 1 for what lies in the box, -1 for the rest."""
        return np.where(overlaps(self.box, outputs.boxes) > 0.5, 1, -1).astype(np.float32)

    def score(self, outputs: Any, head: Any) -> Any:
        """Return float32 `[N]`."""
        said = []
        for each in outputs:
            sign = self.weights(each)
            own = each.scores[sign > 0].max(initial=0)
            said.append(own - each.scores[sign < 0].max(initial=0))
        return np.array(said, np.float32)
