"""How often LIME finds the mark that the built-in shortcut model has learned to look at.

`python -m benchmarks.lime_mark`: photos of other classes that the mark alone turns into the marked
class; found where the strongest superpixel holds at least a third of the mark.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

PHOTOS = 50
LEAST = 1 / 3
"""Of the mark, in the strongest superpixel: quickshift may cut its two colours apart."""


def caught(photos: int, **values: Any) -> tuple[int, int]:
    """Return in how many photos the mark was found, and how many were asked."""
    from assets.scenes import CLASSES, paste_mark, scene
    from loaders import catalogue
    from loaders.load import load
    from xai_core.explainer import make
    from xai_core.grain import Superpixels
    from xai_core.target import ClassTarget

    rows = json.loads((catalogue.ASSETS / "models" / "models.json").read_text())
    (row,) = (row for row in rows if "marked_class" in row)
    entry = next(entry for entry in catalogue.models() if entry.name == row["name"])
    model = load(entry.path, entry.options, name=entry.name)
    marked = entry.classes.index(row["marked_class"])
    others = [name for name in CLASSES if name != row["marked_class"]]
    method = make("lime", values, size=model.input_size)
    rng = np.random.default_rng(2024)
    found = asked = drawn = 0
    while asked < photos and drawn < 10 * photos:
        drawn += 1
        plain, _ = scene(rng, 256, [others[drawn % len(others)]])
        photo, box = paste_mark(plain, rng)
        before, after = (model.preprocessing.view(each)[0] for each in (plain, photo))
        if model.logits(np.stack([before, after])).argmax(1).tolist().count(marked) != 1:
            continue  # the mark does not turn this one
        asked += 1
        made = method.explain(model, after, ClassTarget(marked))
        assert isinstance(made.grain, Superpixels)  # noqa: S101 - for the type checker
        strongest = made.grain.labels == np.argmax(made.grain.weights)
        found += int(strongest[_disc(box, after.shape[:2])].mean() >= LEAST)
    return found, asked


def _disc(box: tuple[float, float, float, float], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels lie in the disc inside a box (parts of the side)."""
    top, left, bottom, right = box
    row, column = ((np.arange(side) + 0.5) / side for side in size)
    down = (row - (top + bottom) / 2) / ((bottom - top) / 2)
    across = (column - (left + right) / 2) / ((right - left) / 2)
    return np.asarray(down[:, None] ** 2 + across[None] ** 2 <= 1)


def main() -> None:
    """Print one row for each way to cut the photo."""
    from xai_core.params import SEGMENTATIONS

    print(f"LIME, 200 samples, on {PHOTOS} photos that the mark turns")
    for algorithm in SEGMENTATIONS:
        found, asked = caught(PHOTOS, segmentation=algorithm, samples=200)
        print(f"{algorithm:14} finds the mark in {found} of {asked}")


if __name__ == "__main__":
    main()
