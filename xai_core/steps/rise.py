"""RISE as a film: masks with their scores, the mean so far, and how it steadies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xai_core import render, stage
from xai_core.errors import ParamError
from xai_core.explainers.rise import Rise
from xai_core.explanation import Explanation
from xai_core.film import Film, Frame, Step, Unfit, held, steps, told
from xai_core.lesson import Sized
from xai_core.masked_mean import MaskedMean
from xai_core.report import amount
from xai_core.report.numbers import counted

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]

SECONDS = 0.7
LOOKS = 24
"""Frames of masks, at the most."""
CLOSE = 1e-3
"""How far the map may lie from what the masks give, as a share of its largest value."""
BATCH = 32
NOTE = "The standard error of the map, as masks are added"


@steps(Rise)
def film(explanation: Explanation, view: Array) -> Film:
    """Draw the photo through a mask after every few, with the mean so far and its error."""
    sight = (view.shape[0], view.shape[1])
    try:
        method = Rise(**dict(explanation.parameters), engine=explanation.engine)
        scores = np.asarray(held(explanation, "scores", "f", (None,)), np.float32)
        method = method.after(len(scores))
        masks = method.grids(Sized(sight))
    except (ParamError, TypeError) as wrong:
        raise Unfit("parameters") from wrong
    steadied = np.asarray(held(explanation, "convergence", "f", (None, 3)), np.float32)
    if steadied[-1, 0] != len(masks):
        raise Unfit("convergence")
    known = np.asarray(held(explanation, "standard_error", "f", sight), np.float32)
    whole, level = told(explanation, "score"), told(explanation, "mean_score")
    number = explanation.target.number
    size, hidden = stage.frame_size(sight), method.hidden(view)
    signed, (_, top) = render.is_signed(explanation), render.scale(explanation)
    ends = sorted({*np.geomspace(1, len(masks), min(LOOKS, len(masks))).astype(int).tolist()})
    mean = MaskedMean(sight, whole, method.keep if method.base == "zero" else None)
    shown = np.empty((BATCH, *sight), np.float32)
    curve, seen = [], []
    for end in ends:
        last = shown[0]
        while mean.count < end:
            part = shown[: min(BATCH, end - mean.count)]
            masks.write(part, mean.count)
            last = part[-1].copy()
            mean.add(part, scores[mean.count : mean.count + len(part)])
        curve.append(mean.steadiness()[0])
        seen.append((end, _through(view, hidden, last), mean.map()))
    made = seen[-1][2]
    if not np.allclose(made, explanation.attribution, atol=CLOSE * max(top, 1e-12)):
        raise Unfit("attribution")
    errors = np.asarray(curve, np.float32)
    if not np.isclose(errors[-1], np.sqrt(np.mean(known**2)), rtol=0.01, atol=1e-12):
        raise Unfit("standard_error")
    frames = tuple(
        Frame(
            _drawn(picture, so_far, size, errors, at + 1, signed=signed, top=top),
            f"With mask {end:,} of {len(masks):,} the {number} is "
            f"{amount(float(scores[end - 1]))}; the mean so far is "
            f"{amount(float(scores[:end].mean()))}.",
        )
        for at, (end, picture, so_far) in enumerate(seen)
    )
    still = Frame(
        frames[-1].picture,
        f"After {counted(len(masks), 'mask')} the standard error of the map is "
        f"{amount(float(errors[-1]))}, where its strongest value is {amount(top)}.",
    )
    return Film(
        title="Masks add up to the map",
        frames=frames,
        seconds=SECONDS,
        still=still,
        steps=(
            Step(f"1. For the whole photo the {number} is {amount(whole)}."),
            Step(
                f"2. {counted(len(masks), 'mask')} of {method.grid} x {method.grid} cells hide "
                f"parts of it at random; the mean {number} is {amount(level)}."
            ),
            Step(
                f"3. Each pixel gets the mean {number} of the masks that show it"
                + (", less that of all." if method.base == "mean" else ", counted from zero.")
            ),
        ),
    )


def _through(view: Array, hidden: Array, mask: Array) -> Pixels:
    shown = mask[..., None]
    return render.pixels(view * shown + hidden * (1 - shown))


def _drawn(
    picture: Pixels,
    so_far: Array,
    size: tuple[int, int],
    errors: Array,
    done: int,
    *,
    signed: bool,
    top: float,
) -> Pixels:
    drawn = stage.Stage(
        [
            (stage.fitted(picture, size), "The photo through one mask"),
            (stage.coloured(so_far, size, signed=signed, vmax=top), "The map so far"),
        ]
    )
    drawn.curve(errors, done, float(errors[-1]))
    drawn.note(NOTE)
    return drawn.done()
