"""A photo with a part painted over, and what that does to the boxes that a detector finds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xai_core.detection.boxes import Step
from xai_core.model import Detections
from xai_core.report.numbers import counted, percent
from xai_core.target import overlaps, quoted

Where = Literal["inside", "around", "outside"]
Fill = Literal["mean", "blur", "grey", "black"]
SAME = 0.5
"""Two boxes of one class that overlap by this much are the same object."""

MOVED = 0.8
"""One that overlaps its old self by less than this has moved."""

SLIGHT = 0.01
"""A change of a score that is not worth a sentence."""

FINE = 192
"""Pixels of the shorter side at which a photo is blurred, or somewhat more."""

RIM = 0.25
"""How far the surroundings of a box reach, as a share of its sides."""

WHERE: dict[Where, str] = {
    "inside": "the box itself",
    "around": "what stands around the box",
    "outside": "everything but the box",
}
FILLS: dict[Fill, str] = {
    "mean": "the photo\u2019s mean colour",
    "blur": "a blur",
    "grey": "grey",
    "black": "black",
}


def painted(
    pixels: NDArray[np.uint8], box: NDArray[np.float32], where: Where, fill: Fill
) -> NDArray[np.uint8]:
    """Return a photo uint8 `[H, W, 3]` with a part painted over.

    `box` is (top, left, bottom, right) in its pixels: `inside` is the box, `around` the rim of a
    quarter of its sides about it, `outside` all but the box.
    """
    covered = area(pixels.shape[:2], box, where)
    made = pixels.copy()
    made[covered] = _cover(pixels, fill)[covered]
    return made


def area(size: tuple[int, ...], box: NDArray[np.float32], where: Where) -> NDArray[np.bool_]:
    """Return which pixels of a photo are painted over, bool `[H, W]`."""
    inside = _rectangle(size, box)
    if where == "inside":
        return inside
    if where == "outside":
        return ~inside
    tall, wide = (box[2] - box[0]) * RIM, (box[3] - box[1]) * RIM
    return _rectangle(size, box + np.array([-tall, -wide, tall, wide], np.float32)) & ~inside


def _rectangle(size: tuple[int, ...], box: NDArray[np.float32]) -> NDArray[np.bool_]:
    top, left = (max(0, int(np.floor(side))) for side in box[:2])
    bottom, right = (int(np.ceil(side)) for side in box[2:])
    made = np.zeros(size[:2], np.bool_)
    made[top:bottom, left:right] = True
    return made


def _cover(pixels: NDArray[np.uint8], fill: Fill) -> NDArray[np.uint8]:
    if fill == "blur":
        return _blurred(pixels)
    level = {"grey": 128.0, "black": 0.0}.get(fill)
    colour = pixels.mean((0, 1)) if level is None else np.full(3, level)
    return np.broadcast_to(np.round(colour).astype(np.uint8), pixels.shape)


def _blurred(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a photo blurred by an eighth of its shorter side.

    A large one is made smaller first: nothing as fine as that survives the blur, and a filter that
    is as wide takes minutes.
    """
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    height, width = pixels.shape[:2]
    less = max(1, min(height, width) // FINE)
    small = Image.fromarray(pixels).resize(
        (max(1, width // less), max(1, height // less)), Image.Resampling.BOX
    )
    sigma = min(small.size) / 8
    soft = gaussian_filter(np.asarray(small, np.float32), (sigma, sigma, 0), mode="nearest")
    made = Image.fromarray(np.asarray(np.clip(np.round(soft), 0, 255), np.uint8))
    return np.asarray(made.resize((width, height), Image.Resampling.BILINEAR), np.uint8)


def words(asked: str, where: Where, fill: Fill) -> str:
    """Say what was painted over, 'the box itself of “star” in its box, with grey'."""
    return f"{asked}: {WHERE[where]} under {FILLS[fill]}"


@dataclasses.dataclass(frozen=True)
class Difference:
    """Which boxes stayed, moved, vanished and appeared, as places in before and after.

    `same` and `moved` are pairs (before, after).
    """

    same: tuple[tuple[int, int], ...]
    moved: tuple[tuple[int, int], ...]
    vanished: tuple[int, ...]
    appeared: tuple[int, ...]


def difference(before: Detections, after: Detections) -> Difference:
    """Match boxes of one class by their overlap, the best pair first; at least half must agree."""
    over = (
        np.stack([overlaps(box.tolist(), after.boxes) for box in before.boxes])
        if len(before.boxes)
        else np.zeros((0, len(after.boxes)), np.float32)
    )
    over = over * (before.labels[:, None] == after.labels[None, :])
    pairs: list[tuple[int, int]] = []
    while over.size and over.max() >= SAME:
        one, other = (int(at) for at in np.unravel_index(over.argmax(), over.shape))
        pairs.append((one, other))
        over[one], over[:, other] = 0, 0
    found = {
        pair: float(overlaps(before.boxes[pair[0]].tolist(), after.boxes[pair[1]][None])[0])
        for pair in pairs
    }
    left = {one for one, _ in pairs}
    there = {other for _, other in pairs}
    return Difference(
        same=tuple(pair for pair in pairs if found[pair] >= MOVED),
        moved=tuple(pair for pair in pairs if found[pair] < MOVED),
        vanished=tuple(at for at in range(len(before.boxes)) if at not in left),
        appeared=tuple(at for at in range(len(after.boxes)) if at not in there),
    )


def sentences(before: Detections, after: Detections, labels: tuple[str, ...]) -> list[str]:
    """Say which boxes vanished, moved and appeared, and whose score changed most."""
    found = difference(before, after)
    said = []
    if found.vanished:
        names = ", ".join(quoted(labels[before.labels[at]]) for at in found.vanished)
        said.append(f"Gone: {names}.")
    if found.appeared:
        names = ", ".join(
            f"{quoted(labels[after.labels[at]])} with {percent(float(after.scores[at]))}"
            for at in found.appeared
        )
        said.append(f"New: {names}.")
    if found.moved:
        names = ", ".join(quoted(labels[before.labels[at]]) for at, _ in found.moved)
        said.append(f"Moved: {names}.")
    stayed = (*found.same, *found.moved)
    if not said and stayed:
        said.append(f"{counted(len(stayed), 'box', 'boxes')} stayed, and none came or went.")
    if stayed:
        one, other = max(
            stayed, key=lambda pair: abs(float(after.scores[pair[1]] - before.scores[pair[0]]))
        )
        was, is_now = float(before.scores[one]), float(after.scores[other])
        if abs(is_now - was) < SLIGHT:
            said.append("The scores of those that stayed hardly changed.")
        else:
            said.append(
                f"Of those that stayed, {quoted(labels[before.labels[one]])} changed most: from "
                f"{percent(was)} to {percent(is_now)}."
            )
    return said or ["Nothing was found before, and nothing after."]


def step_words(step: Step, found: Detections, labels: Sequence[str]) -> str:
    """Say what stays in a step of suppression, and what it takes with it."""
    name, score = labels[found.labels[step.best]], percent(float(found.scores[step.best]))
    stays = f"{quoted(name)} with {score} stays"
    if not step.dropped:
        return f"{stays}. No other candidate of its class overlaps it so far."
    most = percent(float(found.scores[list(step.dropped)].max()))
    count = len(step.dropped)
    return (
        f"{stays}, and {counted(count, 'candidate')} of its class that "
        f"{'overlaps' if count == 1 else 'overlap'} it {'goes' if count == 1 else 'go'}, the best "
        f"of them with {most}."
    )
