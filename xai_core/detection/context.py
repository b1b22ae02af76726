"""How much of a map lies in a box, and how much about it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xai_core.explanation import Explanation
from xai_core.report.numbers import percent
from xai_core.target import BoxTarget


def within(target: BoxTarget, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels of a view have their middle in the box, bool `[h, w]`."""
    top, left, bottom, right = target.box
    rows, columns = (np.arange(side) + 0.5 for side in size)
    return np.asarray(
        np.outer((rows >= top) & (rows <= bottom), (columns >= left) & (columns <= right)), np.bool_
    )


def facts(explanation: Explanation, target: BoxTarget) -> dict[str, float]:
    """Measure a map against its box.

    Returns
    -------
    dict
        `inside`: the share of the positive values that lies in the box, 0..1; `area`: the box's
        share of the view; `peak`: 1 where the strongest pixel lies in it, else 0. All 0 where the
        map holds nothing positive, but for the area.
    """
    box = within(target, explanation.view)
    positive = np.maximum(np.asarray(explanation.attribution, np.float64), 0)
    total = float(positive.sum())
    return {
        "inside": float(positive[box].sum()) / total if total > 0 else 0.0,
        "area": float(box.mean()),
        "peak": float(total > 0 and positive[box].max(initial=0) >= positive.max()),
    }


def sentences(explanation: Explanation, target: BoxTarget) -> list[str]:
    """Say how much of the evidence lies outside of the box, beside how much of the photo does."""
    found = facts(explanation, target)
    if not np.any(explanation.attribution > 0):
        return []
    outside, rest = percent(1 - found["inside"]), percent(1 - found["area"])
    said = [f"{outside} of the evidence lies outside of the box, and so does {rest} of the photo."]
    if not found["peak"]:
        said.append("The strongest place lies outside, too: the detector may go by what stands "
                    "beside the object.")  # fmt: skip
    return said
