"""A method that only a library computes."""

from typing import Any, ClassVar

import numpy as np

from xai_core.card import Cost
from xai_core.explainer import Engine, Explainer, Raw, explainer
from xai_core.model import Predicts
from xai_core.params import number


def _library(method: "Borrowed", model: Any, image: Any, target: Any, progress: Any) -> Raw:
    distance = np.abs(image - image.mean((0, 1))).mean(2) ** method.power
    progress(1, 1)
    return Raw(attribution=distance * abs(target.of_views(model, image[None])[0]))


@explainer
class Borrowed(Explainer):
    """How far each pixel is from the mean colour, as another library has it."""

    title: ClassVar[str] = "Borrowed distance"
    family = "other"
    shows: ClassVar[str] = "Which pixels stand out from the photo's mean colour."
    reference: ClassVar[str] = "a guest's own"
    needs: ClassVar[tuple[type, ...]] = (Predicts,)
    signed: ClassVar[bool] = False
    engines: ClassVar[tuple[Engine, ...]] = (Engine(name="their-library", run=_library),)

    power: float = number(1.0, 0.5, 3.0, step=0.5, help="What the distance is raised to.")

    def cost(self, model: Any) -> Cost:
        """One pass."""
        return Cost(forward=1)
