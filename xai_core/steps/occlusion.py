"""Occlusion as a film: the patch travels, the score's curve grows, the map fills."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from xai_core import render, stage
from xai_core.errors import ParamError
from xai_core.explainers.occlusion import Occlusion
from xai_core.explanation import Explanation
from xai_core.film import Film, Frame, Step, Unfit, held, steps, told
from xai_core.perturb import Patches
from xai_core.report import amount, place_of

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]

MOST = 60
"""Frames at the most, whatever the number of patches."""
SECONDS = 0.18
NOTE = "What the model gives with the patch hidden; dashed: with nothing hidden"
CLOSE = 1e-3
"""How far the map may lie from what the scores give, as a share of its largest value."""


@dataclasses.dataclass
class _Size:
    input_size: tuple[int, int]


@steps(Occlusion)
def film(explanation: Explanation, view: Array) -> Film:
    """Draw the patch after every few steps, with the map and the scores so far."""
    method, patches, scores, whole = checked(explanation, view)
    photo, hidden = render.pixels(view), render.pixels(method.hidden(view))
    size, number = stage.frame_size((view.shape[0], view.shape[1])), explanation.target.number
    signed, (_, top) = render.is_signed(explanation), render.scale(explanation)
    ends = np.unique(np.linspace(0, len(patches) - 1, min(MOST - 1, len(patches))).round())
    drops = np.zeros(view.shape[:2], np.float64)
    covered = np.zeros(view.shape[:2], np.int64)
    frames, done = [], 0
    for index in ends.astype(int).tolist():
        for each in range(done, index + 1):
            drops[patches.window(each)] += whole - scores[each]
            covered[patches.window(each)] += 1
        done = index + 1
        now = stage.coloured(method.joined(drops, covered), size, signed=signed, vmax=top)
        unknown = stage.fitted((covered == 0).astype(np.uint8) * 255, size, smooth=False) > 0
        drawn = stage.Stage(
            [
                (hiding(photo, hidden, patches, index, size), "One patch is hidden"),
                (stage.hatched(now, unknown), "The map so far"),
            ]
        )
        drawn.curve(scores, done, whole)
        drawn.note(NOTE)
        score = float(scores[index])
        said = f"Patch {done:,} of {len(patches):,}: {_changed(score, whole, number)}."
        frames.append(Frame(drawn.done(), said))
    made = method.joined(drops, covered)
    if not np.allclose(made, explanation.attribution, atol=CLOSE * max(top, 1e-12)):
        raise Unfit("attribution")
    last = _last(photo, hidden, patches, scores, whole, explanation, size)
    return Film(
        title="A patch travels over the photo",
        frames=(*frames, last),
        seconds=SECONDS,
        still=last,
        steps=_told(method, patches, scores, whole, number),
    )


def checked(explanation: Explanation, view: Array) -> tuple[Occlusion, Patches, Array, float]:
    """Return the method, its patches, their scores and the whole photo's. Raises Unfit."""
    size = (view.shape[0], view.shape[1])
    try:
        method = Occlusion(**dict(explanation.parameters), engine=explanation.engine)
        patches = method.patches(_Size(size))
    except (ParamError, TypeError) as error:
        raise Unfit("parameters") from error
    scores = held(explanation, "scores", "f", (len(patches),))
    corners = held(explanation, "corners", "iu", (len(patches), 2))
    if not np.array_equal(corners, patches.corners):
        raise Unfit("corners")
    return method, patches, np.asarray(scores, np.float32), told(explanation, "score")


def hiding(
    photo: Pixels, hidden: Pixels, patches: Patches, index: int, size: tuple[int, int]
) -> Pixels:
    """Draw the photo with one patch hidden and outlined."""
    rows, columns = patches.window(index)
    shown = photo.copy()
    shown[rows, columns] = hidden[rows, columns]
    down, across = size[0] / photo.shape[0], size[1] / photo.shape[1]
    box = (
        round(rows.start * down), round(columns.start * across),
        round(rows.stop * down), round(columns.stop * across),
    )  # fmt: skip
    return stage.outlined(stage.fitted(shown, size), box, stage.ACCENT)


def _last(
    photo: Pixels,
    hidden: Pixels,
    patches: Patches,
    scores: Array,
    whole: float,
    explanation: Explanation,
    size: tuple[int, int],
) -> Frame:
    """Draw the whole map and curve, and the patch that costs most."""
    lowest = int(np.argmin(scores))
    signed, (_, top) = render.is_signed(explanation), render.scale(explanation)
    drawn = stage.Stage(
        [
            (hiding(photo, hidden, patches, lowest, size), "The patch that costs most"),
            (stage.coloured(explanation.attribution, size, signed=signed, vmax=top), "The map"),
        ]
    )
    drawn.curve(scores, len(scores), whole, at=lowest)
    drawn.note(NOTE)
    where = np.zeros(photo.shape[:2], bool)
    where[patches.window(lowest)] = True
    said = (
        f"All {len(patches):,} patches: with the one {place_of(where)} hidden, "
        f"{_changed(float(scores[lowest]), whole, explanation.target.number)}: no other leaves it "
        "lower."
    )
    return Frame(drawn.done(), said)


def _changed(score: float, whole: float, number: str) -> str:
    """Say how a score differs from the whole photo's."""
    if score == whole:
        return f"the {number} stays at {amount(whole)}"
    verb = "falls" if score < whole else "rises"
    fall = amount(abs(score - whole))
    return f"the {number}, {amount(whole)} for the whole photo, {verb} by {fall}"


def _told(
    method: Occlusion, patches: Patches, scores: Array, whole: float, number: str
) -> tuple[Step, ...]:
    lower = int((scores < whole).sum())
    joined = "the mean of" if method.overlap == "mean" else "the sum of"
    return (
        Step(f"1. For the whole photo the {number} is {amount(whole)}."),
        Step(
            f"2. A patch of {method.patch_height} x {method.patch_width} pixels hides one place "
            f"after another, {len(patches):,} in all; the {number} falls for {lower:,} of them."
        ),
        Step(f"3. Each pixel gets {joined} the falls of the patches that hid it."),
    )
