"""FEM beside another method: the threshold on the values of its strongest channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xai_core import stage
from xai_core.explainers.fem import FEM
from xai_core.explanation import Explanation
from xai_core.film import held, method_of
from xai_core.lesson import Part, aside, histogram, size_of
from xai_core.report import amount
from xai_core.report.numbers import counted

Array = NDArray[np.float32]


@aside(FEM)
def threshold(explanation: Explanation, view: Array) -> tuple[Part, ...]:
    """Draw the values of the channel that counts most, where they are cut, and what is marked."""
    numbers = held(explanation, "numbers", "iu", (None,))
    values = np.asarray(held(explanation, "values", "f", (len(numbers), None, None)), np.float32)[0]
    method = method_of(explanation, FEM)
    mean, spread = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    level = mean + method.k * spread
    marked = method.marked(values[..., None])[..., 0]
    size = size_of((view.shape[0], view.shape[1]))
    return (
        Part("histogram", histogram(values.ravel(), (150, 300), level),
             f"Channel {int(numbers[0])} of {method.layer}, which counts most: how often each "
             f"value is met in its {counted(values.size, 'cell')} (heights by the square root). "
             f"Their mean is {amount(mean)}, their standard deviation {amount(spread)}; the line, "
             f"at the mean plus {method.k:g} of them, is {amount(level)}"),
        Part("marked", stage.fitted(np.repeat((marked * 255).astype(np.uint8)[..., None], 3, -1),
                                    size, smooth=False),
             f"Its cells at or beyond the line: {int(marked.sum())} of {values.size:,}"),
    )  # fmt: skip
