"""Guided backpropagation: a gradient that only positive signals make."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from xai_core import gradient_map
from xai_core.card import Cost
from xai_core.changes import ReluRule
from xai_core.explainer import Engine, Progress, Raw, Sized, explainer
from xai_core.gradient_map import GradientMap
from xai_core.model import Differentiates, Rewrites
from xai_core.target import Target

Array = NDArray[np.float32]


def _ours(
    method: GuidedBackprop, model: Any, image: Array, target: Target, progress: Progress
) -> Raw:
    changed = model.rewritten(ReluRule("guided"))
    known = {finding.message for finding in model.findings}
    said = tuple(each.message for each in changed.findings if each.message not in known)

    def found() -> Array:
        return cast(Differentiates, changed).gradients(image[None], target)

    return method.raw(said, model, image, target, progress, found)


@explainer
class GuidedBackprop(GradientMap):
    """Which pixels excite the units that speak for the class.

    A gradient for which every ReLU lets back only what is positive, where its own input was
    positive (Springenberg et al. 2014, section 3.4). The pictures are sharp and follow edges; they
    depend little on the class and on what the last layers learned (Adebayo et al. 2018), so they
    show what the network sees sooner than why it decides.
    """

    title: ClassVar[str] = "Guided backprop"
    place: ClassVar[int] = 50
    shows: ClassVar[str] = "Pixels that excite the network's units, by positive gradients alone."
    reference: ClassVar[str] = "arXiv:1412.6806"
    needs: ClassVar[tuple[type, ...]] = (Differentiates, Rewrites)
    signed: ClassVar[bool] = False
    engines: ClassVar[tuple[Engine, ...]] = (Engine(name="ours", run=_ours),)

    colours: str = gradient_map.sizes()

    def raw(self, said: tuple[str, ...], *asked: Any) -> Raw:
        """Return the result of a gradient `[1, h, w, 3]`; `said` is what the change told."""
        score, gradient, notes = gradient_map.at_photo(*asked)
        return Raw(
            attribution=gradient_map.sized(gradient, self.colours),
            scalars={"score": score},
            notes=(*said, *notes),
        )

    def cost(self, model: Sized) -> Cost:
        """One pass for the score, and one there and back by the other rule."""
        return Cost(forward=2, backward=1)
