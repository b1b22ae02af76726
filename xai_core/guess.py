"""An exercise: guess which ninth of a photo a model needs most, then see what it says itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xai_core import render, stage
from xai_core.errors import ParamError
from xai_core.explainers.occlusion import Occlusion
from xai_core.explanation import Explanation
from xai_core.film import Unfit
from xai_core.question import Question
from xai_core.report import amount
from xai_core.steps.occlusion import checked
from xai_core.target import Target

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]

PLACES = (
    "top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom",
    "bottom right",
)  # fmt: skip
SIDES = 3
WIDE = 4
"""Pixels of the line round a ninth, in a picture of the film's size."""


@dataclasses.dataclass(frozen=True, eq=False)
class Seen:
    """What the model says: how far its score falls, [3, 3], where most, and in sentences."""

    falls: NDArray[np.float64]
    most: int
    sentences: tuple[str, ...]
    picture: Pixels


def asked(size: tuple[int, int], target: Target) -> Question:
    """Return the question that hides each ninth of a view. Raises ParamError for a tiny one."""
    if min(size) < 2 * SIDES:
        raise ParamError("The view of this model is too small to be cut into ninths.")
    values = {}
    for side, length in zip(("height", "width"), size, strict=True):
        values[f"patch_{side}"] = values[f"stride_{side}"] = -(-length // SIDES)
    return Question(method=Occlusion.name, target=target, values=values)


def seen(explanation: Explanation, view: Array, guess: int, labels: Sequence[str]) -> Seen | None:
    """Return what a run of `asked` says of a guess; None where it does not hold what it needs."""
    try:
        _, patches, scores, whole = checked(explanation, view)
    except Unfit:
        return None
    if len(scores) != SIDES**2 or not 0 <= guess < SIDES**2:
        return None
    falls = whole - np.asarray(scores, np.float64)
    most, name = int(falls.argmax()), explanation.target.words(labels)
    what = f"the score of {name}"

    def cost(index: int) -> str:
        return f"from {amount(whole)} to {amount(float(scores[index]))}"

    if falls[most] <= 0:
        said = [
            f"No ninth is needed here: whichever is hidden, {what} does not fall. What you named, "
            f"the {PLACES[guess]}, takes it {cost(guess)}."
        ]
    elif falls[guess] == falls[most]:
        said = [
            f"You and the model agree: the {PLACES[guess]}. Hiding it takes {what} {cost(guess)}, "
            "and no other ninth costs more."
        ]
    else:
        said = [
            f"The model needs the {PLACES[most]} most: hiding it takes {what} {cost(most)}. "
            f"Hiding the {PLACES[guess]}, which you named, takes it {cost(guess)}."
        ]
    gains = int((falls < 0).sum())
    if gains:
        said.append(
            "One ninth speaks against it: without it the score is higher."
            if gains == 1
            else f"{gains} ninths speak against it: without any one of them the score is higher."
        )
    size = stage.frame_size((view.shape[0], view.shape[1]))
    picture = stage.fitted(render.pixels(view), size)
    scale = size[0] / view.shape[0], size[1] / view.shape[1]
    for index, colour in ((guess, stage.INK), (most, stage.ACCENT)):
        rows, columns = patches.window(index)
        box = (
            round(rows.start * scale[0]), round(columns.start * scale[1]),
            round(rows.stop * scale[0]), round(columns.stop * scale[1]),
        )  # fmt: skip
        gap = WIDE + 2
        inner = (box[0] + gap, box[1] + gap, box[2] - gap, box[3] - gap)
        picture = stage.outlined(picture, box if index == most else inner, colour, WIDE)
    return Seen(falls.reshape(SIDES, SIDES), most, tuple(said), picture)
