"""Integrated gradients taught: the way from a baseline, the gradients on it, and their sum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xai_core import render, stage
from xai_core.explainers.integrated_gradients import IntegratedGradients
from xai_core.explainers.saliency import Saliency
from xai_core.explanation import Explanation
from xai_core.film import Unfit, told
from xai_core.lesson import (
    Experiment,
    Lesson,
    Part,
    Preset,
    Symbol,
    Trial,
    Worked,
    centre,
    curve,
    lesson,
    places,
    size_of,
)
from xai_core.report import amount, percent
from xai_core.steps.integrated_gradients import checked

Array = NDArray[np.float32]

LESSON = Lesson(
    know="You will know how a score is shared out among the pixels, and what the baseline decides.",
    sentences=(
        "The way begins at a baseline, such as a black photo, and ends at the photo, with "
        "mixtures of both between them.",
        "At each mixture the gradient says how fast the score rises, or falls, as each pixel gets "
        "brighter.",
        "A pixel's part is the mean of its gradients times its difference from the baseline, added "
        "over its colours.",
        "All parts together are what the score changes by from the baseline to the photo, the more "
        "exactly the more steps are taken; the gap that is left says whether they were enough.",
    ),
    formula=("{IG} = ( {x} \u2212 {x0} ) \u00b7 {sum} {w} \u00b7 {slope}{y}({xk}) / {slope}x",
             "{xk} = {x0} + {a} \u00b7 ( {x} \u2212 {x0} )"),
    symbols={
        "IG": Symbol("IG", "the map: what each pixel adds to the score", "map"),
        "x": Symbol("x", "the photo", "photo"),
        "x0": Symbol("x'", "the baseline, where the way begins", "baseline"),
        "xk": Symbol("x_k", "the mixture at step k", "mixture"),
        "a": Symbol("\u03b1_k", "how far along the way step k is, 0 to 1"),
        "sum": Symbol("\u03a3_k", "the sum over all steps of the way", "path"),
        "w": Symbol("w_k", "the weight of step k; all weights add up to 1"),
        "slope": Symbol("\u2202", "\u2202y / \u2202x is the gradient: how fast the score rises as "
                        "a pixel gets brighter"),
        "y": Symbol("y", "the score that is explained: the class's logit, or what was chosen"),
    },
    presets=(
        Preset("50 steps from black, before the softmax",
               {"steps": 50, "baseline": "value", "value": 0.0, "batch": 16},
               "Watch the gap that the doubt names: it is what the sum misses the score's change "
               "by."),
        Preset("Few steps", {"steps": 5},
               "Watch the gap: what the gradients do between the steps is not seen."),
        Preset("Gauss-Legendre", {"steps": 20, "nodes": "gauss-legendre"},
               "Watch the gap: where the score is smooth, these nodes sum it up more exactly than "
               "as many even ones; where it bends sharply they need not."),
    ),
    experiments=(
        Experiment(
            "Two baselines",
            "What the photo shares with the baseline gets nothing, whatever it is to the model.",
            tuple(Trial(f"From {name}", {"baseline": name}) for name in ("black", "white")),
            "Watch the blackest places of the photo in the first map and the whitest in the "
            "second: what is quite black gets nothing in the one, what is quite white nothing in "
            "the other.",
        ),
        Experiment(
            "The score and the probability",
            "The score (logit) is the class's own number. The probability is made of it, where "
            "there is a softmax of the other classes' scores too, and lies between 0 and 1.",
            (Trial("The score", {}, of="logit"), Trial("Its probability", {}, of="probability")),
            "With a softmax, watch a place change sides where it speaks for the other classes even "
            "more. Each run is kept under Your runs of this visit, where its doubts say what its "
            "parts add up to: those of a probability to 1 at most.",
        ),
        Experiment(
            "Beside one gradient",
            "Saliency takes a single gradient, at the photo; integrated gradients take many.",
            (Trial("Integrated gradients", {}), Trial("Saliency", {}, Saliency)),
            "Watch where each is strongest: a sensitive place need not be one that adds to the "
            "score.",
        ),
    ),
    traps=(
        Experiment(
            "Too few steps",
            "With few steps the parts need not add up to what the score changes by, and nothing in "
            "the picture shows it.",
            (Trial("3 steps", {"steps": 3}), Trial("100 steps", {"steps": 100})),
            "Compare the maps. Both are kept under Your runs of this visit, where their doubts "
            "name the gap.",
        ),
    ),
)  # fmt: skip


@lesson(IntegratedGradients, LESSON)
def worked(explanation: Explanation, view: Array) -> Worked:
    """Write each place out as its part of what the score changes by."""
    method, at, slopes, weights = checked(explanation, view)
    sight = (view.shape[0], view.shape[1])
    before, after = told(explanation, "baseline_score"), told(explanation, "score")
    total = told(explanation, "sum")
    start = method.start(view)
    middle, number = len(at) // 2, explanation.target.number
    mixture = start + np.float32(at[middle]) * (view - start)
    size, sides = size_of(sight), places(sight, 24)
    signed, (_, top) = render.is_signed(explanation), render.scale(explanation)
    if total == 0:
        raise Unfit("sum")
    parts = (
        Part("photo", stage.fitted(render.pixels(view), size),
             f"The photo: the {number} is {amount(after)}"),
        Part("baseline", stage.fitted(render.pixels(start), size),
             f"The baseline: the {number} is {amount(before)}"),
        Part("mixture", stage.fitted(render.pixels(mixture), size),
             f"The mixture at step {middle + 1} of {len(at)}"),
        Part("path", curve(np.cumsum(weights * slopes), size, after - before),
             f"The sum, step by step; the line is what the {number} changes by, "
             f"{amount(after - before)}", pointed=False),
        Part("map", stage.coloured(explanation.attribution, size, signed=signed, vmax=top),
             "The map"),
    )  # fmt: skip
    lines = []
    for row in range(sides[0]):
        for column in range(sides[1]):
            pixel = centre(sight, sides, row, column)
            value = float(explanation.attribution[pixel])
            away = float(np.abs(view[pixel] - start[pixel]).mean())
            lines.append(
                f"Pixel in row {pixel[0]}, column {pixel[1]}: it is {amount(away)} away from the "
                f"baseline, and its part is {amount(value)}, {percent(abs(value / total))} of the "
                f"{amount(total)} that all parts add up to"
            )
    return Worked(parts=parts, rows=sides[0], columns=sides[1], lines=tuple(lines))
