"""RISE taught: random masks, their scores, and the mean that each place gets of them."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from xai_core import render, stage
from xai_core.errors import ParamError
from xai_core.explainers.rise import Rise
from xai_core.explanation import Explanation
from xai_core.film import Unfit, held, told
from xai_core.grids import Grids
from xai_core.lesson import (
    Experiment,
    Lesson,
    Part,
    Preset,
    Sized,
    Symbol,
    Trial,
    Worked,
    band,
    centre,
    curve,
    lesson,
    places,
    previewed,
    size_of,
)
from xai_core.masked_mean import MaskedMean
from xai_core.report import amount, percent
from xai_core.steps.rise import CLOSE

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]

LESSON = Lesson(
    know="You will know how a map grows out of random masks, and how many of them it takes.",
    sentences=(
        "A small grid of random zeros and ones is enlarged softly and shifted by a random part of "
        "a cell: that is a mask.",
        "The photo is shown through many such masks, and the model scores each.",
        "A place gets the mean of the scores, each counted by how much of the place its mask "
        "showed, less the mean score of all.",
        "With more masks the chance in it goes down: four times as many halve the error.",
    ),
    formula=("{S} = {sum} {y}({x}{through}{M}) \u00b7 {M} / {sum} {M}  \u2212  {mean}",),
    symbols={
        "S": Symbol("S", "the map: how much better the score is than its mean where a place shows",
                    "map"),
        "y": Symbol("y", "the score that is explained, of a masked photo", "scores"),
        "x": Symbol("x", "the photo", "photo"),
        "M": Symbol("M_i", "mask i: how much of each place it shows, 0 to 1", "mask"),
        "through": Symbol("\u2299", "the photo through the mask: what the mask hides is replaced, "
                          "by a grey if nothing else is set", "masked"),
        "sum": Symbol("\u03a3_i", "the sum over all masks"),
        "mean": Symbol("y\u0304", "the mean score of all masked photos"),
    },
    presets=(
        Preset("As suggested", {}, "Point at a place under the formula: what follows \u201cgive "
               "or take\u201d is how far chance is likely to have moved the map there."),
        Preset("Few masks", {"masks": 200},
               "Watch how blotchy the map is, and whether a doubt says so."),
        Preset("Until two halves agree", {"stop_at": 0.7},
               "Watch after how many masks it ends: two halves of them then order the places of "
               "the map much alike, and the map of all of them is steadier than either."),
        Preset("20,000 masks on a grid of 13", {"masks": 20_000, "grid": 13, "keep": 0.5},
               "Watch the estimate on the button before you run it: each mask is one pass."),
    ),
    experiments=(
        Experiment(
            "Two seeds",
            "Other masks, drawn alike. What differs between the two maps is chance.",
            tuple(Trial(f"Seed {seed}", {"seed": seed, "masks": 500}) for seed in (1, 2)),
            "Compare the weak places: what only one of them shows is chance.",
        ),
        Experiment(
            "Showing little, showing much",
            "Masks that show a fifth of the photo, on average, ask which places suffice for the "
            "class; masks that hide a fifth ask which are missed.",
            (Trial("A fifth is shown", {"keep": 0.2}), Trial("A fifth is hidden", {"keep": 0.8})),
            "Compare where each map is strongest.",
        ),
    ),
    traps=(
        Experiment(
            "A fine grid with few masks",
            "More cells show smaller parts, but each alone does less, so that the same number of "
            "masks leaves more chance in the map.",
            (Trial("A grid of 5", {"grid": 5, "masks": 500}),
             Trial("A grid of 16", {"grid": 16, "masks": 500})),
            "The finer map looks more detailed. Run both again with another seed: the detail that "
            "changes is chance.",
        ),
    ),
)  # fmt: skip


LOOKS = 60
"""Points of the curve that shows how a place steadies."""
SURE = 1.96
"""Standard errors to either side: an interval of 95 %."""


@previewed(Rise, "One of the masks", "Another mask")
def mask(method: Rise, view: Array, number: int) -> tuple[tuple[Part, ...], str]:
    """Draw a mask of the run to come, and the photo through it."""
    if method.engine != Rise.engines[0].name:
        raise ParamError(
            f"The engine {method.engine} draws its own masks while it runs. Choose "
            f"{Rise.engines[0].name} to see one now."
        )
    size = (view.shape[0], view.shape[1])
    number %= method.masks
    # the first masks are the same however many follow
    few = dataclasses.replace(method, masks=max(number + 1, int(Rise.declared()["masks"].lo)))
    masks = few.grids(Sized(size))
    drawn = np.empty((1, *size), np.float32)
    masks.write(drawn, number)
    grey, through = _seen(method, view, drawn[0])
    wide = method.grain(Sized(size))
    shown, cells = int(masks.cells[number].sum()), method.grid**2
    sentence = (
        f"Mask {number + 1:,} of the {method.masks:,} that seed {method.seed} gives. Each of its "
        f"{method.grid} x {method.grid} cells shows the photo with the probability "
        f"{method.keep:g}: here {shown} of {cells} do. Enlarged, a cell is about {wide.height} x "
        f"{wide.width} pixels of this view, and {percent(float(drawn.mean()))} of the photo comes "
        "through."
    )
    return (
        Part("mask", grey, "The mask: white shows, black hides"),
        Part("masked", through, "The photo through it: what the model would be asked about"),
    ), sentence


def _seen(method: Rise, view: Array, shown: Array) -> tuple[Pixels, Pixels]:
    """Return a mask as grey, and the view through it."""
    grey = np.repeat(np.rint(shown[..., None] * 255).astype(np.uint8), 3, -1)
    through = view * shown[..., None] + method.hidden(view) * (1 - shown[..., None])
    return grey, render.pixels(through)


def steadied(
    method: Rise, masks: Grids, scores: Array, whole: float, at: tuple[int, int]
) -> tuple[list[int], Array, Array]:
    """Return how one pixel of the map came about: after how many masks, its value, its error."""
    shown, ends = masks.at(*at), np.linspace(0, len(masks), min(LOOKS, len(masks) // 2) + 1)
    mean = MaskedMean((1, 1), whole, method.keep if method.base == "zero" else None)
    values, errors, counts = [], [], np.rint(ends[1:]).astype(int).tolist()
    for end in counts:
        part = slice(mean.count, end)
        mean.add(shown[part].reshape(-1, 1, 1).copy(), scores[part])
        values.append(float(mean.map()[0, 0]))
        errors.append(float(mean.error()[0, 0]))
    return counts, np.asarray(values, np.float32), np.asarray(errors, np.float32)


@lesson(Rise, LESSON)
def worked(explanation: Explanation, view: Array) -> Worked:
    """Write each place out as the mean of the masks that showed it, less the mean of all."""
    sight = (view.shape[0], view.shape[1])
    try:
        method = Rise(**dict(explanation.parameters), engine=explanation.engine)
        scores = np.asarray(held(explanation, "scores", "f", (None,)), np.float32)
        method = method.after(len(scores))
        masks = method.grids(Sized(sight))
    except (ParamError, TypeError) as wrong:
        raise Unfit("parameters") from wrong
    error = held(explanation, "standard_error", "f", sight)
    mean = told(explanation, "mean_score")
    about = 0.0 if method.base == "zero" else mean
    size, sides = size_of(sight), places(sight, 24)
    first = np.empty((1, *sight), np.float32)
    masks.write(first, 0)
    grey, through = _seen(method, view, first[0])
    photo = render.pixels(view)
    signed, (_, top) = render.is_signed(explanation), render.scale(explanation)
    peak = np.unravel_index(int(np.abs(explanation.attribution).argmax()), sight)
    best = int(peak[0]), int(peak[1])
    counts, values, errors = steadied(method, masks, scores, told(explanation, "score"), best)
    made, near = float(explanation.attribution[best]), CLOSE * top + 1e-6
    if not np.isclose(values[-1], made, rtol=0.01, atol=near):
        raise Unfit("scores")
    early, number = len(counts) // 8, explanation.target.number
    parts = (
        Part("photo", stage.fitted(photo, size), "The photo, as the model gets it"),
        Part("mask", stage.fitted(grey, size), "The first mask: white shows, black hides",
             pointed=False),
        Part("masked", stage.fitted(through, size),
             f"The photo through it: the {number} is {amount(float(scores[0]))}",
             pointed=False),
        Part("scores", curve(np.sort(scores)[::-1], size, mean),
             f"The {number} of all {len(scores):,} masked photos, the highest first; the line is "
             f"the mean, {amount(mean)}",
             pointed=False),
        Part("map", stage.coloured(explanation.attribution, size, signed=signed, vmax=top),
             "The map"),
        Part("steadies", band(values, SURE * errors, (160, 360)),
             f"The map's strongest place, in row {best[0]}, column {best[1]}, as masks were added, "
             f"with {SURE} standard errors to either side (about 95\u00a0% of such intervals hold "
             "the place's value for endlessly many masks): "
             f"{amount(float(values[early]))} give or take {amount(SURE * float(errors[early]))} "
             f"after {counts[early]:,} masks, {amount(float(values[-1]))} give or take "
             f"{amount(SURE * float(errors[-1]))} after all {counts[-1]:,}",
             pointed=False, wide=True),
    )  # fmt: skip
    lines = []
    for row in range(sides[0]):
        for column in range(sides[1]):
            at = centre(sight, sides, row, column)
            value, chance = float(explanation.attribution[at]), float(np.asarray(error)[at])
            where = f"Pixel in row {at[0]}, column {at[1]}"
            give = f"give or take {amount(chance)} (the standard error)"
            if method.base == "zero":
                lines.append(f"{where}: {amount(value)}, counted from zero, {give}")
            else:
                lines.append(
                    f"{where}: the mean {number} is {amount(value + about)} over the masks that "
                    f"show it and {amount(about)} over all, so the map has {amount(value)}, {give}"
                )
    return Worked(parts=parts, rows=sides[0], columns=sides[1], lines=tuple(lines))
