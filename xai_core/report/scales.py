"""The one scale of a picture, or of several that stand side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xai_core import render
from xai_core.explainer import explainers
from xai_core.explanation import Explanation
from xai_core.report.numbers import percent, tick

Array = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scale:
    """From which number to which the colours go.

    `top` is the last colour's number; the first colour's is 0, or `-top` where it is `signed`.
    `relative` says that each map is divided by its own strongest value first. `sentence` says what
    the numbers are, and for several maps how far they can be compared.
    """

    signed: bool
    top: float
    relative: bool = False
    sentence: str = ""

    @property
    def low(self) -> float:
        """The first colour's number."""
        return -self.top if self.signed else 0.0

    def values(self, explanation: Explanation, values: Array | None = None) -> Array:
        """Return a map's numbers on this scale, or those of its cells where `values` are given."""
        values = explanation.attribution if values is None else values
        if not self.relative:
            return values
        _, own = render.scale(explanation)
        return np.asarray(values / np.float32(own), np.float32)

    @property
    def ticks(self) -> tuple[str, str, str]:
        """The numbers at the beginning, the middle and the end of the bar."""
        marks = (self.low, (self.low + self.top) / 2, self.top)
        written = [percent(mark) if self.relative else tick(mark) for mark in marks]
        low, middle, high = (text.replace("-", "\u2212") for text in written)
        return low, middle, high

    @property
    def unit(self) -> str:
        """What the numbers are, beside the bar."""
        kind = "against (\u2212) and for (+)" if self.signed else "evidence"
        return f"{kind}, of each map's strongest" if self.relative else kind


def shared(explanations: Sequence[Explanation]) -> Scale:
    """Return one scale for maps that stand together, and say what it is.

    Maps of one model, layer, method, engine and kind of number keep their own numbers. Others
    count in units that cannot be compared, and each is divided by its own strongest value.
    """
    signed = any(map(render.is_signed, explanations))
    tops = [
        render.limits(explanation.attribution, signed=signed)[1] for explanation in explanations
    ]
    same = {
        (each.method, each.engine, each.target.of, each.scale, each.model_hash, _layers(each))
        for each in explanations
    }
    ends = "both ends" if signed else "the end"
    if len(explanations) == 1:
        (only,) = explanations
        said = (
            "The numbers are the method's own."
            if only.scale == "raw"
            else f"The engine {only.engine} scales each map to its own range, 0 to 1."
        )
        return Scale(signed=signed, top=tops[0], sentence=said)
    if len(same) == 1 and explanations[0].scale == "raw":
        return Scale(
            signed=signed,
            top=max(tops),
            sentence=f"All maps share one scale, and {tick(max(tops))} is {ends} of it: equal "
            "colours are equal numbers.",
        )
    return Scale(
        signed=signed,
        top=1.0,
        relative=True,
        sentence="These maps count in different units, so each is divided by its own strongest "
        "value, and all are drawn on one scale, in percent of it: places can be compared, "
        "strengths cannot.",
    )


def _layers(explanation: Explanation) -> tuple[str, ...]:
    """Return the layers that a map was read from: each counts in units of its own."""
    declared = explainers()[explanation.method].declared()
    return tuple(
        str(value)
        for name, value in sorted(explanation.parameters.items())
        if name in declared and declared[name].kind == "layer"
    )
