"""Adaptive masks as a film: coarse windows, then where the fine ones went and what they cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xai_core import render, stage
from xai_core.explainers.adaptive_masks import PLACES, AdaptiveMasks, Windows
from xai_core.explanation import Explanation
from xai_core.film import Film, Frame, Step, Unfit, held, method_of, steps, told
from xai_core.perturb import baseline
from xai_core.report import amount, place_of
from xai_core.report.numbers import counted

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]

SECONDS = 0.9
COARSE, FINE = 4, 12
"""Frames of coarse and of fine windows, at the most."""
STRONGEST = 5
"""The strongest fifth of the coarse windows' map is what the fine ones' places are held to."""
CLOSE = 1e-3
"""How far the map may lie from what the windows give, as a share of its largest value."""
NOTE = "What the model gives under each window; dashed: with nothing hidden"


@steps(AdaptiveMasks)
def film(explanation: Explanation, view: Array) -> Film:
    """Draw the photo under a window after every few, where those before it lay, and the map."""
    method, windows, whole = _checked(explanation, view)
    falls, wide = windows.falls[:, 0], method.coarse**2
    number, count = explanation.target.number, len(windows)
    size, hidden = stage.frame_size(windows.size), baseline(method.fill, view)
    signed, (_, top) = render.is_signed(explanation), render.scale(explanation)
    scores = np.asarray(whole - falls, np.float32)
    mask = np.empty((1, *windows.size), np.float32)
    frames = []
    for end in _ends(wide, count):
        windows.write(mask, end - 1)
        so_far = method.drawn(windows, end, 0)
        under = render.pixels(view * mask[0][..., None] + hidden * (1 - mask[0][..., None]))
        drawn = stage.Stage(
            [
                (_marked(stage.fitted(under, size), windows, end, wide), "A window hides"),
                (stage.coloured(so_far, size, signed=signed, vmax=top), "The map so far"),
            ]
        )
        drawn.curve(scores, end, whole)
        drawn.note(NOTE)
        kind = "coarse" if end <= wide else "fine"
        frames.append(
            Frame(
                drawn.done(),
                f"Window {end:,} of {count:,}, a {kind} one {_place(1 - mask[0])}: the {number} "
                f"{_moves(float(falls[end - 1]))}.",
            )
        )
    if not np.allclose(so_far, explanation.attribution, atol=CLOSE * max(top, 1e-12)):
        raise Unfit("attribution")
    fine = f" and {counted(count - wide, 'fine one')}" if count > wide else ""
    still = Frame(
        frames[-1].picture,
        f"{counted(wide, 'coarse window')}{fine}, and the map of what they cost.",
    )
    return Film(
        title="Windows go where they tell most",
        frames=tuple(frames),
        seconds=SECONDS,
        still=still,
        steps=_told(windows, whole, wide, number),
    )


def _checked(explanation: Explanation, view: Array) -> tuple[AdaptiveMasks, Windows, float]:
    """Return the method, its windows as they were placed, and the photo's score. Raises Unfit."""
    method = method_of(explanation, AdaptiveMasks)
    windows = Windows((view.shape[0], view.shape[1]), method.passes - 1, method.coarse, 1)
    falls = held(explanation, "falls", "f", (len(windows),))
    places = np.asarray(held(explanation, "windows", "f", (len(windows), 3)), np.float64)
    if places.min() < 0 or places.max() > 1 or places[:, 2].min() <= 0:
        raise Unfit("windows")
    windows.placed(places[:, :2], places[:, 2])
    windows.tell(slice(0, len(windows)), np.asarray(falls, np.float64)[:, None])
    return method, windows, told(explanation, "score")


def _ends(wide: int, count: int) -> list[int]:
    """Return after which windows there is a frame, the last of each kind among them."""
    coarse = np.linspace(1, wide, min(COARSE, wide))
    fine = np.linspace(wide + 1, count, min(FINE, count - wide))
    ends: list[int] = np.unique(np.concatenate([coarse, fine]).round().astype(int)).tolist()
    return ends


def _marked(picture: Pixels, windows: Windows, end: int, wide: int) -> Pixels:
    """Draw a dot where each window so far lay, coarse ones quiet, and a ring round the last."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    height, width = picture.shape[:2]
    middles = windows.at[:end] * (height, width)
    for at, (down, across) in enumerate(middles.tolist()):
        colour = stage.QUIET if at < wide else stage.ACCENT
        pen.ellipse((across - 3, down - 3, across + 3, down + 3), colour, (0, 0, 0))
    down, across = middles[-1].tolist()
    half = 1.177 * float(windows.width[end - 1])  # where it hides half
    ring = (
        across - half * width, down - half * height, across + half * width, down + half * height
    )  # fmt: skip
    pen.ellipse(ring, outline=stage.INK, width=2)
    return np.asarray(image)


def _place(hides: Array) -> str:
    return place_of(hides >= min(0.5, float(hides.max())))


def _moves(fall: float) -> str:
    if fall == 0:
        return "stays as it is"
    return f"{'falls' if fall > 0 else 'rises'} by {amount(abs(fall))}"


def _told(windows: Windows, whole: float, wide: int, number: str) -> tuple[Step, ...]:
    falls = windows.falls[:, 0]
    most = int(np.argmax(falls[:wide]))
    mask = np.empty((1, *windows.size), np.float32)
    windows.write(mask, most)
    said = [
        f"For the whole photo the {number} is {amount(whole)}.",
        f"{counted(wide, 'coarse window')} hide it bit by bit, in a mixed order. Under the one "
        f"that costs most, {_place(1 - mask[0])}, it {_moves(float(falls[most]))}.",
        *_fine(windows, wide),
        "Each place gets the mean fall, weighed by how much each window hid of it and by how small "
        "it is.",
    ]
    return tuple(Step(f"{at}. {sentence}") for at, sentence in enumerate(said, 1))


def _fine(windows: Windows, wide: int) -> list[str]:
    """Say how many of the fine windows lie where the coarse ones' map is strongest."""
    spots = np.minimum((windows.at[wide:] * PLACES).astype(int), PLACES - 1)
    if not len(spots):
        return []
    strong = windows.map(wide, 0, (PLACES, PLACES))
    within = strong[spots[:, 0], spots[:, 1]] >= np.quantile(strong, 1 - 1 / STRONGEST)
    return [
        f"Fine windows, {len(spots):,} of them, go where the map so far is strong and few have "
        f"been, a round at a time. {int(within.sum()):,} lie in the strongest fifth of the coarse "
        "windows' map; spread evenly, a fifth of them would."
    ]
