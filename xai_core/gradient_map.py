"""What methods of the gradient share: what they need, how colours are joined, what goes wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import diagnosis
from xai_core.card import Cost, Kind
from xai_core.explainer import Explainer, Family, Progress, Sized
from xai_core.model import Differentiates
from xai_core.params import choice
from xai_core.target import FOLLOWED, Asked, Target

Array = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, kw_only=True)
class GradientMap(Explainer):
    """Base of the methods whose map is made of d score / d view `[h, w, 3]`."""

    family: ClassVar[Family] = "gradients"
    needs: ClassVar[tuple[type, ...]] = (Differentiates,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneGradient(GradientMap):
    """Base of those that take a single gradient, at the photo: of a box's score, too."""

    tasks: ClassVar[tuple[Kind, ...]] = ("classification", "detection")
    asks: ClassVar[tuple[Asked, ...]] = FOLLOWED

    def cost(self, model: Sized) -> Cost:
        """One pass for the score, and one there and back for its gradient."""
        return Cost(forward=2, backward=1)


def sizes() -> str:
    """Declare how the sizes of three channels become one number."""
    return choice(
        "largest",
        ("largest", "sum"),
        help="How red, green and blue become one map: the largest of their three sizes, as in the "
        "paper, or the sum of the sizes. The sign is dropped in both.",
        more=True,
        label="Colour channels",
        titles={"largest": "the largest size", "sum": "the sum of the sizes"},
        source="Xplique reducer",
    )


def signs() -> str:
    """Declare how three channels' parts of the score become one number."""
    return choice(
        "sum",
        ("sum", "size"),
        help="How red, green and blue become one map: their sum, which keeps what speaks for the "
        "class and what speaks against it apart, or the sum of their sizes, without a sign.",
        more=True,
        label="Colour channels",
        titles={"sum": "their sum", "size": "the sum of their sizes"},
        source="Xplique reducer",
    )


def sized(values: NDArray[Any], colours: str) -> Array:
    """Join values `[h, w, 3]` as `sizes` declares."""
    absolute = np.abs(values)
    return np.asarray(absolute.max(2) if colours == "largest" else absolute.sum(2), np.float32)


def signed(values: NDArray[Any], colours: str) -> Array:
    """Join values `[h, w, 3]` as `signs` declares."""
    return np.asarray((values if colours == "sum" else np.abs(values)).sum(2), np.float32)


def notes(
    model: Differentiates, image: Array, target: Target, score: float, gradient: NDArray[Any]
) -> tuple[str, ...]:
    """Say why a gradient is nothing, or nearly so."""
    if said := diagnosis.saturated(target, score):
        return (said,)
    if np.any(gradient):
        return ()
    return (
        diagnosis.independent(model, image, target)
        or f"The gradient is zero for every pixel of this photo: the {target.number} is level "
        "here, as where every ReLU on the way is at zero. A method that hides parts of the photo "
        "takes no gradients.",
    )


def at_photo(
    model: Differentiates,
    image: Array,
    target: Target,
    progress: Progress,
    found: Callable[[], Array],
) -> tuple[float, Array, tuple[str, ...]]:
    """Return the photo's score, what `found` gives `[1, h, w, 3]` as `[h, w, 3]`, and notes."""
    score = float(target.of_views(model, image[None])[0])
    progress(1, 2)
    values = found()[0]
    progress(2, 2)
    return score, values, notes(model, image, target, score, values)
