"""A rectangle that a reader marks on the photo, and how much of a map lies in it."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from xai_core import report
from xai_core.errors import ParamError
from xai_core.explanation import Explanation
from xai_core.grain import Superpixels

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Region:
    """Whole pixels of the upload: `photo[top:bottom, left:right]`."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def read(cls, box: object, photo: tuple[int, int]) -> Region:
        """Return the region that a browser names as [top, left, bottom, right].

        `photo` is the upload's (height, width). Raises ParamError for anything that is not four
        whole numbers with at least a pixel between them, inside the photo.
        """
        if not isinstance(box, list) or len(box) != 4 or not all(map(_whole, box)):
            raise ParamError("A region is four whole numbers: top, left, bottom and right")
        top, left, bottom, right = map(int, box)
        height, width = photo
        if not (0 <= top < bottom <= height and 0 <= left < right <= width):
            raise ParamError(f"A region lies inside the photo of {height} x {width} pixels")
        return cls(top, left, bottom, right)

    @property
    def box(self) -> list[int]:
        """The region as `read` takes it."""
        return [self.top, self.left, self.bottom, self.right]


def _whole(value: object) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


def facts(explanation: Explanation, region: Region) -> dict[str, float]:
    """Measure what of a map lies in a region.

    Returns
    -------
    dict
        `evidence`: the share of the positive values' sum that lies inside, 0 where there are
        none; `against`: the same of the negative values; `area`: the share that the region has of
        what the model sees of the photo; `seen`: the share of the region that the model sees. A
        pixel of the map that is partly inside counts by the part. A map that was made of parts
        is measured as `report.facts` measures it: each part's weight lies evenly on its pixels.
    """
    geometry = explanation.placed
    top, left, bottom, right = geometry.box
    values = _weights(explanation)
    rows = _inside(region.top, region.bottom, top, bottom, values.shape[0])
    columns = _inside(region.left, region.right, left, right, values.shape[1])

    def share(values: Array) -> float:
        total = values.sum()
        return float(rows @ values @ columns / total) if total > 0 else 0.0

    shown = geometry.shown
    common = _area(
        (max(region.top, shown[0]), max(region.left, shown[1]),
         min(region.bottom, shown[2]), min(region.right, shown[3]))
    )  # fmt: skip
    return {
        "evidence": share(np.maximum(values, 0)),
        "against": share(np.maximum(-values, 0)),
        "area": common / _area(shown) if common else 0.0,
        "seen": common / _area((region.top, region.left, region.bottom, region.right)),
    }


def _weights(explanation: Explanation) -> Array:
    """Return what each pixel of the map weighs."""
    grain = explanation.grain
    if not isinstance(grain, Superpixels):
        return np.asarray(explanation.attribution, np.float64)
    labels, weights = grain.labels, grain.weights
    sizes = np.bincount(labels.ravel(), minlength=len(weights))
    return np.asarray((weights / np.maximum(sizes, 1))[labels], np.float64)


def _inside(first: float, last: float, start: float, end: float, cells: int) -> Array:
    """Return how much of each cell between `start` and `end` lies between `first` and `last`."""
    low, high = ((at - start) / (end - start) * cells for at in (first, last))
    edges = np.arange(cells, dtype=np.float64)
    covered = np.minimum(high, edges + 1) - np.maximum(low, edges)
    return np.asarray(np.clip(covered, 0, 1), np.float64)


def _area(box: tuple[float, float, float, float]) -> float:
    top, left, bottom, right = box
    return max(bottom - top, 0.0) * max(right - left, 0.0)


def sentences(explanation: Explanation, region: Region, asked: str) -> list[str]:
    """Say how much of the evidence a region holds. `asked` is what `report.question` returns."""
    found, whole = facts(explanation, region), report.facts(explanation)
    if found["area"] == 0:
        return ["The model does not see the marked region."]
    where = "the photo" if whole["seen"] > 0.95 else "what the model sees of the photo"
    size = f"{report.percent(found['area'])} of {where}"
    of = report.evidence(explanation, asked)
    no = of.replace("the evidence", "no evidence").replace("what", "nothing that")
    if whole["half_area"] == 0:
        said = [f"The marked region is {size}, and the map holds {no}."]
    else:
        said = [
            f"The marked region holds {_share(found['evidence'])} of {of} on "
            f"{size}{_times(found['evidence'] / found['area'])}."
        ]
    if whole["against"] > 0:
        said.append(
            f"Of what speaks against, it holds {_share(found['against'])}"
            f"{_times(found['against'] / found['area'])}."
        )
    if found["seen"] < 0.995:
        said.append(f"The model does not see {report.percent(1 - found['seen'])} of the region.")
    return said


def _share(share: float) -> str:
    return report.percent(share) if share > 0 else "none"


def _times(times: float) -> str:
    """Say how dense the evidence is: 1 is as much as the region's size would have it."""
    if times == 0:
        return ""
    if 0.95 <= times < 1.05:
        return ", just its share"
    return f", {report.amount(times)} times its share"
