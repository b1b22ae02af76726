"""What a model says of an edited photo, of the photo before, and of the edit's controls."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from xai_core.result import Result

Array = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Edited(Result):
    """The answers, float32 `[2 + draws, classes]`: the photo before, the edited one, the controls.

    `logits` are the scores, `probabilities` what the model's head makes of them.
    """

    logits: Array
    probabilities: Array

    @property
    def draws(self) -> int:
        """How many controls there are."""
        return len(self.logits) - 2

    @property
    def firsts(self) -> NDArray[np.int32]:
        """The class with the highest score, int32 `[2 + draws]`."""
        return np.asarray(self.logits.argmax(1), np.int32)
