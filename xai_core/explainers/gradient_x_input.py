"""Gradient x input: each pixel's part of the score if the score were a straight line."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import gradient_map
from xai_core.engines import xplique_gradients
from xai_core.explainer import Engine, Progress, Raw, explainer
from xai_core.gradient_map import OneGradient
from xai_core.model import Differentiates
from xai_core.params import number
from xai_core.target import Target

Array = NDArray[np.float32]


def _ours(
    method: GradientXInput, model: Differentiates, image: Array, target: Target, progress: Progress
) -> Raw:
    def found() -> Array:
        return model.gradients(image[None], target) * (image - np.float32(method.value))

    return method.raw(model, image, target, progress, found)


def _xplique(
    method: GradientXInput, model: Any, image: Array, target: Target, progress: Progress
) -> Raw:
    def found() -> Array:
        return xplique_gradients.attributed("GradientInput", model, image, target)[None]

    return method.raw(model, image, target, progress, found)


@explainer
class GradientXInput(OneGradient):
    """Each pixel's part of the score, as if the score were a straight line.

    The score's gradient at each pixel times the pixel's value, with its sign (Shrikumar et al.
    2016, section 3). A black pixel gets nothing, whatever it does; on a network that bends, the
    parts do not add up to the score.
    """

    title: ClassVar[str] = "Gradient x input"
    place: ClassVar[int] = 40
    shows: ClassVar[str] = "The gradient at each pixel times the pixel's own value."
    reference: ClassVar[str] = "arXiv:1605.01713"
    signed: ClassVar[bool] = True
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        xplique_gradients.engine(_xplique),
    )

    value: float = number(
        0.0,
        0.0,
        1.0,
        step=0.05,
        help="The grey that counts as nothing: 0 is black, as in the paper, 1 white. Pixels of "
        "that grey get nothing.",
        engines=("ours",),
        more=True,
        label="Counted from",
    )
    colours: str = gradient_map.signs()

    def raw(self, *asked: Any) -> Raw:
        """Return the result of parts `[1, h, w, 3]`."""
        score, parts, notes = gradient_map.at_photo(*asked)
        return Raw(
            attribution=gradient_map.signed(parts, self.colours),
            signed=self.colours == "sum",
            scalars={"score": score, "sum": float(parts.sum(dtype=np.float64))},
            notes=notes,
        )
