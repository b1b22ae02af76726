"""Occlusion taught: one patch hidden after another, and what each place gets of the falls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xai_core import render, stage
from xai_core.card import Card
from xai_core.explainers.occlusion import Occlusion
from xai_core.explanation import Explanation
from xai_core.film import Unfit, told
from xai_core.lesson import (
    Experiment,
    Lesson,
    Part,
    Preset,
    Sized,
    Symbol,
    Trial,
    Worked,
    centre,
    lesson,
    places,
    previewed,
    size_of,
)
from xai_core.report import amount, percent
from xai_core.report.numbers import counted
from xai_core.steps.occlusion import checked, hiding

Array = NDArray[np.float32]

LISTED = 6
"""Patches whose falls a line writes out."""


def sizes(card: Card) -> tuple[Trial, ...]:
    """Return a small and a large patch for a model's view."""
    side = min(card.input_size)
    found = []
    for patch, stride in ((max(2, side // 20), max(2, side // 20)),
                          (max(3, side * 3 // 8), max(2, side // 10))):  # fmt: skip
        values = {"patch_height": patch, "patch_width": patch,
                  "stride_height": stride, "stride_width": stride}  # fmt: skip
        found.append(Trial(f"A patch of {patch} pixels", values))
    return tuple(found)


LESSON = Lesson(
    know="You will know what it costs the model to lose a place, and why the patch's size decides "
    "what you see.",
    sentences=(
        "The model scores the whole photo once.",
        "A patch hides a place, with grey unless another fill is set, the model scores what is "
        "left, and the patch moves on by its stride over the whole photo.",
        "Where the score falls, the model has lost something that spoke for the class; where it "
        "rises, something that spoke against it.",
        "Each pixel gets the mean fall over all patches that hid it, or their sum where that is "
        "set.",
    ),
    formula=("{M} = mean over the patches {p} that hide a pixel of ( {y}({x}) \u2212 {y}({xp}) )",),
    symbols={
        "M": Symbol("M", "the map: how far the score falls when a pixel's surroundings are hidden",
                    "map"),
        "p": Symbol("p", "a patch, at one of its places", "patch"),
        "y": Symbol("y", "the score that is explained: the class's logit, or what was chosen"),
        "x": Symbol("x", "the photo", "photo"),
        "xp": Symbol("x_p", "the photo with the patch p hidden", "patch"),
    },
    presets=(
        Preset("Fine", {"patch_height": 12, "patch_width": 12, "stride_height": 4,
                        "stride_width": 4},
               "Watch the number of passes: a small patch with a short stride asks many times."),
        Preset("Coarse", {"patch_height": 32, "patch_width": 32, "stride_height": 16,
                          "stride_width": 16},
               "Watch how far the evidence spreads: each fall counts for every pixel that its "
               "patch hid."),
        Preset("Blurred, not grey", {"fill": "blur"},
               "Watch whether the map changes: a grey patch is itself something new to the model."),
    ),
    traps=(
        Experiment(
            "Too small a patch, or too large a one",
            "A patch that is smaller than what the model looks at may leave enough of it in sight "
            "for the score hardly to fall; one that is larger smears the fall over all that it "
            "hides.",
            sizes,
            "Compare how wide the strongest place is in each, and how far the score falls there.",
        ),
    ),
)  # fmt: skip


@previewed(Occlusion, "One of the patches", "Another place")
def patch(method: Occlusion, view: Array, number: int) -> tuple[tuple[Part, ...], str]:
    """Draw the photo with a patch of the run to come, the middle one first."""
    size = (view.shape[0], view.shape[1])
    patches = method.patches(Sized(size))
    away = np.abs(2 * patches.corners + patches.patch - np.array(size)).sum(1)
    others = np.random.default_rng(0).permutation(len(patches))
    index = int(away.argmin()) if number == 0 else int(others[number % len(patches)])
    drawn = np.empty((1, *view.shape), np.float32)
    patches.apply(view, method.hidden(view), drawn, index)
    share = method.patch_height * method.patch_width / (size[0] * size[1])
    sentence = (
        f"Patch {index + 1:,} of the {len(patches):,} that are hidden one after the other. It is "
        f"{method.patch_height} x {method.patch_width} of the view's {size[0]} x {size[1]} pixels, "
        f"{percent(share)} of it, and moves on by {method.stride_height} down and "
        f"{method.stride_width} across."
    )
    return (
        Part("patch", render.pixels(drawn[0]), "What the model would be asked about"),
    ), sentence


@lesson(Occlusion, LESSON)
def worked(explanation: Explanation, view: Array) -> Worked:
    """Write each place of the map out as the mean, or the sum, of the falls that it is."""
    method, patches, scores, whole = checked(explanation, view)
    sight = (view.shape[0], view.shape[1])
    falls = whole - np.asarray(scores, np.float64)
    photo, hidden = render.pixels(view), render.pixels(method.hidden(view))
    size, sides = size_of(sight), places(sight, 16)
    signed, (_, top) = render.is_signed(explanation), render.scale(explanation)
    lowest, number = int(np.argmin(scores)), explanation.target.number
    parts = (
        Part("photo", stage.fitted(photo, size), f"The photo: the {number} is {amount(whole)}"),
        Part("patch", hiding(photo, hidden, patches, lowest, size),
             f"With this patch hidden the {number} is lowest: {amount(float(scores[lowest]))}",
             pointed=False),
        Part("map", stage.coloured(explanation.attribution, size, signed=signed, vmax=top),
             "The map"),
    )  # fmt: skip
    corners = np.asarray(patches.corners)
    lines = []
    for row in range(sides[0]):
        for column in range(sides[1]):
            down, across = centre(sight, sides, row, column)
            over = (
                (corners[:, 0] <= down) & (down < corners[:, 0] + method.patch_height)
                & (corners[:, 1] <= across) & (across < corners[:, 1] + method.patch_width)
            )  # fmt: skip
            lines.append(_line(down, across, falls[over], number, method.overlap == "mean"))
    made = float(explanation.attribution[centre(sight, sides, 0, 0)])
    if not np.isfinite(made) or told(explanation, "score") != whole:
        raise Unfit("score")
    return Worked(parts=parts, rows=sides[0], columns=sides[1], lines=tuple(lines))


def _line(down: int, across: int, falls: NDArray[np.float64], number: str, mean: bool) -> str:
    place = f"Pixel in row {down}, column {across}"
    if not len(falls):
        return f"{place}: no patch hides it"
    listed = " + ".join(amount(float(fall)) for fall in falls[:LISTED])
    more = f" + {len(falls) - LISTED} more" if len(falls) > LISTED else ""
    made = float(falls.mean() if mean else falls.sum())
    how = f" divided by {len(falls)}" if mean and len(falls) > 1 else ""
    over = counted(len(falls), "patch hides", "patches hide")
    return (
        f"{place}: {over} it, and the {number} falls by {listed}{more};{how} that is {amount(made)}"
    )
