"""One explanation with all that a report or a sheet says of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.card import Card
from xai_core.explainer import explainers
from xai_core.explanation import Explanation
from xai_core.report.plates import Plate

OWN_NUMBER = (
    "Percentages beside a class are the model's own numbers. They are not calibrated: nobody has "
    "counted how often it is right when it says them."
)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One explanation with all that a report says of it.

    `photo` is uint8 `[H, W, 3]` in the upload's frame, `probabilities` the model's answer, `record`
    what `record.record` made of it, `measured` sentences about doubts that were measured, and
    `plates` what was tried besides, with its pictures.
    `model` and `name` are what the reader calls model and photo; empty, the record's words.
    """

    explanation: Explanation
    photo: NDArray[np.uint8]
    card: Card
    probabilities: NDArray[np.float32]
    record: Mapping[str, Any]
    measured: Sequence[str] = ()
    plates: Sequence[Plate] = ()
    model: str = ""
    name: str = ""

    @property
    def title(self) -> str:
        """The method and what was asked of it, 'Grad-CAM for “star”'."""
        return f"{explainers()[self.explanation.method].title} for {self.record['asked']['words']}"

    @property
    def model_name(self) -> str:
        """What the model is called."""
        return self.model or str(self.record["model"])

    @property
    def photo_name(self) -> str:
        """What the photo is called."""
        return self.name or str(self.record["photo"])
