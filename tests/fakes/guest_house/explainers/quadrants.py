"""A method that runs on from a layer: what each part of its map is worth."""

import itertools
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from xai_core.card import Cost
from xai_core.explainer import Engine, Explainer, Raw, explainer
from xai_core.grain import Cells
from xai_core.model import RunsFrom
from xai_core.params import layer, number
from xai_core.task import Shape
from xai_core.upsample import resize


def _ours(method: "Quadrants", model: Any, image: Any, target: Any, progress: Any) -> Raw:
    maps = model.activations(image[None], method.layer)
    whole = target.of_views(model, image[None])[0]
    rows, columns = maps.shape[1:3]
    parts = min(method.parts, rows, columns)
    worth = np.zeros((parts, parts), np.float32)
    for done, (row, column) in enumerate(itertools.product(range(parts), repeat=2)):
        less = maps.copy()
        less[
            :,
            rows * row // parts : rows * (row + 1) // parts,
            columns * column // parts : columns * (column + 1) // parts,
        ] = 0
        left = target.score(model.run_from(method.layer, less, image), model.head)[0]
        worth[row, column] = whole - left
        progress(done + 1, parts**2)
    return Raw(
        attribution=resize(worth, model.input_size, "nearest"),
        grain=Cells(rows=parts, columns=parts, map=worth, smoothing="nearest"),
        arrays={"worth": worth},
    )


@explainer
class Quadrants(Explainer):
    """What each part of a layer's map is worth to the class: the score without it."""

    title: ClassVar[str] = "Quadrants"
    family = "activation maps"
    shows: ClassVar[str] = "Which part of a layer's map the score cannot do without."
    reference: ClassVar[str] = "a guest's own"
    needs: ClassVar[tuple[type, ...]] = (RunsFrom,)
    signed: ClassVar[bool] = True
    engines: ClassVar[tuple[Engine, ...]] = (Engine(name="ours", run=_ours),)
    arrays = MappingProxyType({"worth": Shape("<f4", ("", ""), most=64)})

    layer: str = layer(help="The layer whose map is cut into parts.")
    parts: int = number(2, 1, 8, unit="parts", help="Parts along each side of the map.")

    def cost(self, model: Any) -> Cost:
        """One pass, and a tail for each part."""
        return Cost(forward=1, tails=1 + self.parts**2)
