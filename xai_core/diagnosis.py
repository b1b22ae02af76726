"""Why a map is empty: what is said of a score that nothing in the photo moves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.perturb import baseline
from xai_core.target import BoxTarget, Target

Array = NDArray[np.float32]
SATURATED = 1e-3
"""A probability as close as this to 0 or 1 hardly moves, whatever a pixel does."""

NOTHING = 1e-7
"""Closer than this to 1, a score of 32 bits is 1, and nothing flows back from it."""


def independent(model: Any, image: Array, target: Target) -> str:
    """Say that the score is the same for any photo, or nothing where it is not.

    It is asked for the photo, a black and a white view and one of random colours: four passes.
    """
    views = np.stack([image, *(baseline(name, image) for name in ("black", "white", "noise"))])
    scores = target.of_views(model, views)
    if np.ptp(scores) > 1e-6 * max(1.0, float(np.abs(scores).max())):
        return ""
    return (
        f"The {target.number} does not depend on the photo: a black, a white and a random view get "
        "the same one. Check the model's weights and its pre-processing."
    )


def saturated(target: Target, score: float) -> str:
    """Say that the probability stands at its end, or nothing where it does not."""
    if isinstance(target, BoxTarget):
        return _saturated_box(target, score)
    if target.of != "probability" or not target.classes():
        return ""
    ends = (-1.0, 0.0, 1.0) if len(target.classes()) > 1 else (0.0, 1.0)
    if min(abs(score - end) for end in ends) > SATURATED:
        return ""
    near = min(ends, key=lambda end: abs(score - end))
    what = "The lead in probability" if len(target.classes()) > 1 else "The probability"
    return (
        f"{what} is saturated: it is {near:.0f} to within {SATURATED:g}, so that hardly any "
        "change of a pixel moves it. Explain the score before it becomes a probability (logit)."
    )


def _saturated_box(target: BoxTarget, score: float) -> str:
    if target.asks not in ("class", "object") or min(score, 1 - score) > SATURATED:
        return ""
    if min(score, 1 - score) < NOTHING:
        return (
            f"The box's score is saturated: it is {round(score)} to the last digit, where its "
            "gradient is 0. A method that hides parts of the photo asks what makes the box go."
        )
    return (
        f"The box's score is saturated: it is {round(score)} to within {SATURATED:g}, so that its "
        "gradient is tiny. Only the gradient's proportions count; a method that hides parts of the "
        "photo asks what makes the box go."
    )
