"""LIME taught: superpixels, masked photos, and the straight line that is fitted to their scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xai_core import render, stage
from xai_core.explainers.lime import Lime
from xai_core.explanation import Explanation
from xai_core.film import Unfit, held, told
from xai_core.grain import Superpixels
from xai_core.lesson import (
    Experiment,
    Lesson,
    Part,
    Preset,
    Symbol,
    Trial,
    Worked,
    bars,
    centre,
    lesson,
    places,
    size_of,
)
from xai_core.pieces import lined
from xai_core.report import amount, percent

Array = NDArray[np.float32]

BARS = 60
"""Masked photos whose weight is drawn, at the most."""

LESSON = Lesson(
    know="You will know what a straight line says of a network that is none, and how to tell when "
    "it says little.",
    sentences=(
        "The photo is cut into superpixels: pieces of like colour, or of a grid where that is set.",
        "Masked photos hide each piece by the toss of a coin, and the model scores them.",
        "A masked photo counts the more, the more of the photo it shows.",
        "A straight line is fitted, its weights held small: which pieces are shown goes in, the "
        "score comes out, and each piece's weight is what it adds. R2 says how well the line fits: "
        "1 is exactly, 0 no better than one and the same score for all.",
    ),
    formula=("{g}({z}) = {w0} + {pieces} {w} \u00b7 {z}_j",
             "{w} makes {photos} {pi} \u00b7 ( {y}({z}) \u2212 {g}({z}) )^2 "
             "+ {pieces} {w}^2 smallest"),
    symbols={
        "g": Symbol("g", "the straight line, which stands for the model near this photo"),
        "z": Symbol("z", "a masked photo: a 1 for each superpixel that is shown, else a 0",
                    "masked"),
        "w0": Symbol("w_0", "the line's score for a photo of which nothing is shown"),
        "w": Symbol("w_j", "what superpixel j adds to the score: the map", "map"),
        "pi": Symbol("\u03c0_z", "how much a masked photo counts: more the less of it is hidden",
                     "kernel"),
        "pieces": Symbol("\u03a3_j", "the sum over all superpixels"),
        "photos": Symbol("\u03a3_z", "the sum over all masked photos"),
        "y": Symbol("y", "the model's score of a masked photo"),
    },
    presets=(
        Preset("A few large pieces", {"segments": 12},
               "Watch whether R2 rises: to a straight line a piece does the same whatever else is "
               "hidden, which is truer of a few large ones."),
        Preset("Many small pieces", {"segments": 120, "samples": 3000},
               "Watch R2, and what a second seed changes: each piece alone does less."),
        Preset("A grid", {"segmentation": "grid"},
               "Watch the edges: the grid does not look at the photo, so a piece may hold half of "
               "a thing."),
    ),
    traps=(
        Experiment(
            "The same photo at three seeds",
            "The masked photos are drawn at random. Where the weights change with the seed, they "
            "are noise, however sure the picture looks.",
            tuple(Trial(f"Seed {seed}", {"seed": seed, "samples": 100}) for seed in (1, 2, 3)),
            "Compare the weak pieces: what does not stay from seed to seed is chance.",
        ),
    ),
)  # fmt: skip


@lesson(Lime, LESSON)
def worked(explanation: Explanation, view: Array) -> Worked:
    """Write out, for each place, what its superpixel adds to the line."""
    grain = explanation.grain
    if not isinstance(grain, Superpixels):
        raise Unfit("grain")
    kernel = np.asarray(held(explanation, "kernel", "f", (None,)), np.float32)
    scores = held(explanation, "scores", "f", (len(kernel),))
    count = int(grain.labels.max()) + 1
    masks = explanation.arrays.get("masks")
    if masks is None or masks.ndim != 2 or masks.shape[1] != count or len(masks) < 2:
        raise Unfit("masks")
    hidden = explanation.arrays.get("hidden")
    if hidden is None or hidden.shape != view.shape:
        raise Unfit("hidden")
    sight = (view.shape[0], view.shape[1])
    size, sides = size_of(sight), places(sight, 24)
    signed, (_, top) = render.is_signed(explanation), render.scale(explanation)
    photo = render.pixels(view)
    shown = np.asarray(masks[1], bool)[grain.labels]
    masked = np.where(shown[..., None], photo, np.asarray(hidden, np.uint8))
    cut = lined(photo, grain.labels)
    parts = (
        Part("photo", stage.fitted(cut, size, smooth=False), f"The photo in {count} superpixels"),
        Part("masked", stage.fitted(masked, size),
             f"One masked photo: the {explanation.target.number} is {amount(float(scores[1]))}",
             pointed=False),
        Part("kernel", bars(np.sort(kernel)[::-1][:BARS], size),
             f"How much masked photos count: the {min(BARS, len(kernel))} of {len(kernel):,} that "
             "count most, from 1 for the whole photo", pointed=False),
        Part("map", stage.coloured(explanation.attribution, size, signed=signed, vmax=top),
             "The weights: the map"),
    )  # fmt: skip
    whole, first = told(explanation, "prediction"), told(explanation, "intercept")
    r2 = told(explanation, "r2")
    lines = []
    for row in range(sides[0]):
        for column in range(sides[1]):
            at = int(grain.labels[centre(sight, sides, row, column)])
            weight = float(grain.weights[at])
            lines.append(
                f"Superpixel {at}: w = {amount(weight)}. The line gives the whole photo "
                f"{amount(whole)}, and without this piece {amount(whole - weight)}; it begins at "
                f"{amount(first)} and explains {percent(max(r2, 0.0))} of how the "
                f"{explanation.target.number} varies (R2)"
            )
    return Worked(parts=parts, rows=sides[0], columns=sides[1], lines=tuple(lines))
