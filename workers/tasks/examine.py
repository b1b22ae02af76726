"""What a model says of a photo under other preparations than its own."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from loaders import doctor
from loaders.doctor import Trial
from xai_core.card import Card, Cost
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import Predicts
from xai_core.result import Result
from xai_core.task import Bench, Progress, Task, task

MOST = 64
"""Preparations that are tried at the most."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Examined(Result):
    """The trials, the model's own preparation first."""

    trials: tuple[Trial, ...]


@task
class Examine(Task):
    """Tries the usual presets, channel orders and fits on a photo, uint8 `[H, W, 3]`.

    `label` is the class that the photo is known to show, where it is.
    """

    returns = Examined
    needs = (Predicts,)
    text: ClassVar[int] = 256 << 10

    pixels: NDArray[np.uint8]
    label: int | None = None

    def cost(self, card: Card | None = None) -> Cost:
        """Return at most what it asks: two passes for each preparation, one that is watched."""
        return Cost(forward=2 * MOST)

    def limit(self, card: Card | None) -> float:
        """Return four times the estimate and two minutes, one hour at the most."""
        if card is None:
            return 600.0
        return min(3600.0, 4 * card.pace.seconds(self.cost(card)) + 120)

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for what is no examination of this photo."""
        rows = result.trials
        if not 1 <= len(rows) <= MOST or sum(each.own for each in rows) != 1 or not rows[0].own:
            raise ValueError("an examination without the model's own preparation")
        if any((each.known is None) != (self.label is None) for each in rows):
            raise ValueError("an examination with another known class")
        if card is not None and any(each.top >= card.classes for each in rows):
            raise ValueError("classes that are none")

    def run(self, bench: Bench, progress: Progress) -> Examined:
        """Return them. Raises ParamError for a class that the model has not."""
        model = bench.model
        if self.label is not None and not 0 <= self.label < len(model.labels):
            raise ParamError(
                f"{type(self).__name__}.label must be from 0 to {len(model.labels) - 1}, got "
                f"{self.label}"
            )
        plans, found = doctor.tried(model.preprocessing)[:MOST], []
        for at, (named, how) in enumerate(plans):
            found.append(
                doctor.trial(
                    model, self.pixels, named, how, () if self.label is None else (self.label,)
                )
            )
            progress(at + 1, len(plans))
        if found[0] is None:
            raise UnsupportedModel(
                "The model's answer to this photo is not a finite number: it overflows. Check its "
                "pre-processing."
            )
        return Examined(trials=tuple(each for each in found if each is not None))
