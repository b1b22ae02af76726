"""Saliency: how far a small change of each pixel moves the score."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import gradient_map
from xai_core.engines import xplique_gradients
from xai_core.explainer import Engine, Progress, Raw, explainer
from xai_core.gradient_map import OneGradient
from xai_core.model import Differentiates
from xai_core.target import Target

Array = NDArray[np.float32]


def _ours(
    method: Saliency, model: Differentiates, image: Array, target: Target, progress: Progress
) -> Raw:
    return method.raw(model, image, target, progress, lambda: model.gradients(image[None], target))


def _xplique(method: Saliency, model: Any, image: Array, target: Target, progress: Progress) -> Raw:
    def found() -> Array:
        return xplique_gradients.attributed("Saliency", model, image, target)[None]

    return method.raw(model, image, target, progress, found)


@explainer
class Saliency(OneGradient):
    """How far a small change of each pixel moves the score, to either side.

    The size of the score's gradient at each pixel, the largest of the three colours (Simonyan et
    al. 2013, section 3.1). It says where the score is sensitive, which is not the same as where the
    evidence lies, and it looks noisy on deep networks.
    """

    title: ClassVar[str] = "Saliency"
    place: ClassVar[int] = 20
    shows: ClassVar[str] = "How far a small change of each pixel moves the score."
    reference: ClassVar[str] = "arXiv:1312.6034"
    signed: ClassVar[bool] = False
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        xplique_gradients.engine(_xplique),
    )

    colours: str = gradient_map.sizes()

    def raw(self, *asked: Any) -> Raw:
        """Return the result of a gradient `[1, h, w, 3]`, or of its size."""
        score, gradient, notes = gradient_map.at_photo(*asked)
        return Raw(
            attribution=gradient_map.sized(gradient, self.colours),
            scalars={"score": score},
            notes=notes,
        )
