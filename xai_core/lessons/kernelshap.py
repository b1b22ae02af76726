"""KernelSHAP taught: who adds what, the kernel, and a line that is held to both of its ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xai_core import render, stage, superpixels
from xai_core.explainers.kernelshap import KernelSHAP
from xai_core.explainers.lime import Lime
from xai_core.explanation import Explanation
from xai_core.film import Unfit, held, method_of, told
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
from xai_core.pieces import lined, pieces
from xai_core.report.numbers import beside
from xai_core.shapley_line import ENDS, draw, sizes

Array = NDArray[np.float32]

LARGEST = 10_000_000
"""Superpixels times masked photos: of more, no photo is drawn again beside the page."""

LESSON = Lesson(
    know="You will know how a score is shared out fairly among the parts of a photo, and what it "
    "is measured from.",
    sentences=(
        "The photo is cut into superpixels, and photos that show some of them and hide the others "
        "are scored.",
        "A superpixel's Shapley value is what the score gains when it is shown as well, averaged "
        "over all orders in which the superpixels can be put in.",
        "A straight line through the scores of all masked photos has these values as its slopes, "
        "if each counts by the Shapley kernel, which gives most to those that show few or hide "
        "few, and if the line is held to two scores: the photo's, and that with all hidden.",
        "So the values add up to the difference of these two. With few superpixels all masked "
        "photos are scored, and the values are exact; with more some are drawn, and the standard "
        "error says how much chance is in each value.",
    ),
    formula=("{phi} makes {photos} {pi} \u00b7 ( {y}({z}) \u2212 {none} \u2212 {pieces} {phi} "
             "\u00b7 {z}_j )^2 smallest",
             "among those with {pieces} {phi} = {whole} \u2212 {none}"),
    symbols={
        "phi": Symbol("\u03c6_j", "the Shapley value of superpixel j: the map", "map"),
        "z": Symbol("z", "a masked photo: a 1 for each superpixel that is shown, else a 0",
                    "masked"),
        "pi": Symbol("\u03c0_z", "the Shapley kernel: how much a masked photo counts, by how many "
                     "superpixels it shows", "kernel"),
        "y": Symbol("y", "the score that is explained, of a masked photo"),
        "none": Symbol("y_0", "the score with all superpixels hidden", "baseline"),
        "whole": Symbol("y_1", "the score of the photo", "photo"),
        "pieces": Symbol("\u03a3_j", "the sum over all superpixels"),
        "photos": Symbol("\u03a3_z", "the sum over the masked photos"),
    },
    presets=(
        Preset("Nine pieces, all ways", {"segmentation": "grid", "segments": 9, "samples": 1000},
               "Watch how many masked photos it takes: each way to show some of the pieces is "
               "asked, and the values are exact."),
        Preset("Until two halves agree", {"stop_at": 0.7},
               "Watch after how many masked photos it ends, if it does: two halves of them then "
               "order the superpixels much alike."),
        Preset("Hidden in black", {"hide": "black"},
               "Watch the score with all hidden, from which the values are counted: it is another, "
               "so another difference is shared out."),
    ),
    experiments=(
        Experiment(
            "KernelSHAP and LIME",
            "Both fit a straight line to masked photos of the same superpixels. LIME counts those "
            "near the whole photo most; KernelSHAP counts those near either end, and is held to "
            "both.",
            (Trial("KernelSHAP", {}), Trial("LIME", {"hide": "grey"}, Lime)),
            "Compare the strongest pieces. KernelSHAP's values add up to the photo's score less "
            "that with all hidden; LIME's weights need not.",
        ),
    ),
    traps=(
        Experiment(
            "What hides is part of the question",
            "The values share out the photo's score less that with all hidden. Another way to hide "
            "is another photo to count from.",
            tuple(Trial(f"Hidden: {name}", {"hide": name, "samples": 500})
                  for name in ("grey", "black", "blur")),
            "Compare the pieces of the background: where they change sides, the map tells of what "
            "hides as much as of the photo.",
        ),
    ),
)  # fmt: skip


@lesson(KernelSHAP, LESSON)
def worked(explanation: Explanation, view: Array) -> Worked:
    """Write out, for each place, the value of its superpixel and what all add up to."""
    grain = explanation.grain
    if not isinstance(grain, Superpixels) or len(grain.weights) < 2:
        raise Unfit("grain")
    count = len(grain.weights)
    scores = np.asarray(held(explanation, "scores", "f", (None,)), np.float64)
    errors = held(explanation, "standard_errors", "f", (count,))
    method = method_of(explanation, KernelSHAP)
    none, whole = told(explanation, "hidden_score"), told(explanation, "score")
    if method.samples * count > LARGEST:
        raise Unfit("samples")
    asked = draw(method.seed, method.samples, count)
    if not ENDS < len(scores) <= len(asked.bits):
        raise Unfit("scores")
    asked = asked.first(len(scores))
    sight = (view.shape[0], view.shape[1])
    size, sides = size_of(sight), places(sight, 24)
    signed, (_, top) = render.is_signed(explanation), render.scale(explanation)
    hidden = render.pixels(superpixels.hidden(method.hide, view, grain.labels))
    some = pieces(view, hidden, grain.labels)
    at = min(asked.known, len(scores) - 1)
    cut = lined(some.photo, grain.labels)
    number, shown = explanation.target.number, int(asked.bits[at].sum())
    largest = max(abs(none), abs(whole), float(np.abs(grain.weights).max()))

    def say(value: float) -> str:
        return beside(value, largest)

    parts = (
        Part("photo", stage.fitted(cut, size, smooth=False),
             f"The photo in {count} superpixels: the {number} is {say(whole)}"),
        Part("baseline", some.seen(np.zeros(count, bool), size),
             f"All hidden: the {number} is {say(none)}", pointed=False),
        Part("masked", some.seen(asked.bits[at], size),
             f"A masked photo, {shown} of {count} shown: the {number} is {say(float(scores[at]))}",
             pointed=False),
        Part("kernel", bars(np.asarray(sizes(count), np.float32), size),
             f"What all photos that show 1, 2, up to {count - 1} superpixels count together",
             pointed=False),
        Part("map", stage.coloured(explanation.attribution, size, signed=signed, vmax=top),
             "The Shapley values: the map"),
    )  # fmt: skip
    lines = []
    for row in range(sides[0]):
        for column in range(sides[1]):
            own = int(grain.labels[centre(sight, sides, row, column)])
            sure = f"its standard error is {say(float(errors[own]))}" if asked.drawn else "exactly"
            lines.append(
                f"Superpixel {own}: \u03c6 = {say(float(grain.weights[own]))}, {sure}. All {count} "
                f"add up to {say(float(grain.weights.sum()))}: the {number} of the photo, "
                f"{say(whole)}, less that with all hidden, {say(none)}"
            )
    return Worked(parts=parts, rows=sides[0], columns=sides[1], lines=tuple(lines))
