"""Integrated gradients as a film: the way from the baseline, and the sum as it grows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xai_core import render, stage
from xai_core.errors import ParamError
from xai_core.explainers.integrated_gradients import IntegratedGradients
from xai_core.explanation import Explanation
from xai_core.film import Film, Frame, Step, Unfit, held, steps, told
from xai_core.report import amount, percent

Array = NDArray[np.float32]
Nodes = NDArray[np.float64]

SECONDS = 0.35
MOST = 40
"""Frames of the way, at the most."""
CLOSE = 1e-3
"""How far the steps may lie from the sum, as a share of it."""
NOTE = "The sum of the parts so far; dashed: what it is to come to"


@steps(IntegratedGradients)
def film(explanation: Explanation, view: Array) -> Film:
    """Draw a mixture after every few steps, with the sum so far, and the map at the end."""
    method, at, slopes, weights = checked(explanation, view)
    before, after = told(explanation, "baseline_score"), told(explanation, "score")
    sums = np.cumsum(weights * slopes).astype(np.float32)
    size = stage.frame_size((view.shape[0], view.shape[1]))
    start = method.start(view)
    signed, (_, top) = render.is_signed(explanation), render.scale(explanation)
    first = stage.fitted(render.pixels(start), size)
    frames = []
    for index in np.unique(np.linspace(0, len(at) - 1, min(MOST, len(at))).round().astype(int)):
        mixture = start + np.float32(at[index]) * (view - start)
        drawn = stage.Stage(
            [(first, "The baseline"), (stage.fitted(render.pixels(mixture), size), "On the way")]
        )
        drawn.curve(sums, int(index) + 1, after - before)
        drawn.note(NOTE)
        frames.append(
            Frame(
                drawn.done(),
                f"Step {index + 1:,} of {len(at):,}, {percent(float(at[index]))} of the way: the "
                f"parts add up to {amount(float(sums[index]))} so far.",
            )
        )
    drawn = stage.Stage(
        [
            (stage.fitted(render.pixels(view), size), "The photo"),
            (stage.coloured(explanation.attribution, size, signed=signed, vmax=top), "The map"),
        ]
    )
    drawn.curve(sums, len(sums), after - before)
    drawn.note(NOTE)
    gap = abs(float(sums[-1]) - (after - before))
    last = Frame(
        drawn.done(),
        f"The {explanation.target.number} goes from {amount(before)} for the baseline to "
        f"{amount(after)} for the photo, and the parts add up to {amount(float(sums[-1]))}: the "
        f"gap is {amount(gap)}.",
    )
    return Film(
        title="The way from the baseline to the photo",
        frames=(*frames, last),
        seconds=SECONDS,
        still=last,
        steps=(
            Step(
                f"1. The {explanation.target.number} is {amount(before)} for the baseline and "
                f"{amount(after)} for the photo."
            ),
            Step(f"2. The gradient is taken at {len(at):,} mixtures of the two."),
            Step(
                "3. Each pixel gets its mean gradient times its difference from the baseline, "
                "added over its colours."
            ),
        ),
    )


def checked(
    explanation: Explanation, view: Array
) -> tuple[IntegratedGradients, Nodes, Nodes, Nodes]:
    """Return the method, where its gradients were taken, their slopes and weights. Raises Unfit."""
    try:
        method = IntegratedGradients(**dict(explanation.parameters), engine=explanation.engine)
        taken = told(explanation, "steps") if method.stop_at_gap else method.steps
        if taken not in method.rounds():
            raise Unfit("steps")
        nodes, weights = method.path(int(taken))
    except (ParamError, TypeError) as wrong:
        raise Unfit("parameters") from wrong
    at = np.asarray(held(explanation, "nodes", "f", (len(nodes),)), np.float64)
    slopes = np.asarray(held(explanation, "slopes", "f", (len(nodes),)), np.float64)
    total = told(explanation, "sum")
    scale = max(abs(total), float(np.abs(weights * slopes).sum()), 1e-12)
    if (
        not np.allclose(at, nodes, atol=1e-4)
        or abs((weights * slopes).sum() - total) > CLOSE * scale
    ):
        raise Unfit("slopes")
    if method.colours == "sum":
        made = float(explanation.attribution.sum(dtype=np.float64))
        if abs(made - total) > CLOSE * max(float(np.abs(explanation.attribution).sum()), 1e-12):
            raise Unfit("attribution")
    return method, at, slopes, weights
