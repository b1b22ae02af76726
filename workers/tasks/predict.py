"""What a model says about a photo."""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders.preprocessing import Preprocessing
from xai_core.card import Card
from xai_core.errors import UnsupportedModel
from xai_core.model import Finding, Geometry
from xai_core.result import Result
from xai_core.task import Bench, Progress, Shape, Task, task

BLANK = 12
"""Levels of 255 by which the colours of a view must differ for it to show something."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Prediction(Result):
    """Scores of the classes, float32 `[classes]`, and where the view lies in the photo."""

    probabilities: NDArray[np.float32]
    logits: NDArray[np.float32]
    geometry: Geometry
    seconds: float
    findings: tuple[Finding, ...] = ()


@task
class Predict(Task):
    """Asks the model about a photo, uint8 `[H, W, 3]`."""

    returns = Prediction

    pixels: NDArray[np.uint8]

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shapes of the scores."""
        return {name: Shape("<f4", ("classes",)) for name in ("probabilities", "logits")}

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for scores that are none, and another place of the view."""
        scores = np.isfinite(result.logits).all() and np.isfinite(result.probabilities).all()
        inside = scores and ((result.probabilities >= 0) & (result.probabilities <= 1)).all()
        if not inside or result.seconds < 0:
            raise ValueError("scores that are none")
        check_place(result.geometry, self.pixels, card)

    def run(self, bench: Bench, progress: Progress) -> Prediction:
        """Return it. Raises UnsupportedModel where the scores overflow."""
        start = time.perf_counter()
        model = bench.model
        view, geometry = model.preprocessing.view(self.pixels)
        logits = np.asarray(model.logits(view[None]), np.float32)
        if not np.isfinite(logits).all():
            raise UnsupportedModel(
                "The model's answer to this photo is not a finite number: it overflows. Check its "
                "pre-processing."
            )
        return Prediction(
            probabilities=model.head.probabilities(logits)[0],
            logits=logits[0],
            geometry=geometry,
            seconds=time.perf_counter() - start,
            findings=seen_of(geometry, view),
        )


def check_place(said: Geometry | None, pixels: NDArray[np.uint8], card: Card | None) -> None:
    """Raise ValueError unless a view lies where this side knows that it does."""
    if card is None:
        return
    height, width, _ = pixels.shape
    prepared = _prepared(json.dumps(dict(card.preprocessing)))
    if said != prepared.geometry((height, width)):
        raise ValueError("a view that lies elsewhere in the photo")


@functools.lru_cache(maxsize=64)
def _prepared(said: str) -> Preprocessing:
    """Return what a card's preparation is made into, which each answer's check needs."""
    return Preprocessing.from_json(json.loads(said))


def seen_of(geometry: Geometry, view: NDArray[np.float32]) -> tuple[Finding, ...]:
    """Say what is wrong with what the model gets of a photo."""
    said = []
    if max(geometry.photo) * 2 <= max(geometry.view):
        small, large = (f"{side[1]} x {side[0]}" for side in (geometry.photo, geometry.view))
        said.append(
            f"The photo is small ({small} pixels) and was enlarged to {large}, so it looks blurred."
        )
    if (apart := round(255 * float(np.ptp(view, (0, 1)).max()))) < BLANK:
        what = (
            f"almost blank: none of its colours differ by more than {apart} of 255 levels"
            if apart
            else "blank, of one colour"
        )
        said.append(
            f"What the model gets of this photo is {what}. There is nothing on it to look at: "
            "answer and map show the model's habits."
        )
    return tuple(Finding("warning", text, "photo") for text in said)
