"""What a model says of a photo changed in several ways, and how far its evidence moved."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from xai_core.agreement import Agreement, agreement
from xai_core.explanation import Explanation
from xai_core.probes._places import Places, back
from xai_core.question import Question
from xai_core.region import Region
from xai_core.result import Result

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]
LONGEST = 1024
"""The longest side of a photo that is changed: larger ones are reduced to it first."""

AS_IS = ""
"""The name of the first cell: the photo as it is."""


@dataclasses.dataclass(frozen=True)
class Change:
    """A change by its name, and its strength."""

    name: str
    strength: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """A changed photo's answer: the classes' scores float32 `[classes]`, and the map.

    `problem` says why there is none.
    """

    change: Change
    probabilities: Array | None = None
    logits: Array | None = None
    explanation: Explanation | None = None
    problem: str = ""

    @property
    def first(self) -> int | None:
        """The class with the highest score."""
        return None if self.logits is None else int(self.logits.argmax())


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Augmented(Result):
    """The cells in the order in which they were asked, the photo as it is first.

    There are fewer than were asked for where it was stopped.
    """

    question: Question
    cells: tuple[Cell, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Strengths(Result):
    """What a model says as changes grow stronger.

    `names` are the changes; `strengths` float64, `firsts` int32 and `chances` float32
    `[changes, steps]` the strengths, the class with the highest score and the probability of class
    `index`; `done` int32 `[changes]` how many steps of each were asked. `whole` is the class that
    the photo as it is gets, with `chance` for class `index`.
    """

    names: tuple[str, ...]
    index: int
    whole: int
    chance: float
    strengths: NDArray[np.float64]
    firsts: NDArray[np.int32]
    chances: Array
    done: NDArray[np.int32]
    between: NDArray[np.float64]
    turned: NDArray[np.int32]

    def flip(self, name: str) -> tuple[float, float] | None:
        """Return the last strength without and the first one with another answer, or None."""
        row = self.names.index(name)
        if self.turned[row] < 0:
            return None
        return float(self.between[row, 0]), float(self.between[row, 1])

    def step(self, row: int) -> tuple[float, float] | None:
        """Return the same of the steps alone, before they were halved."""
        firsts = self.firsts[row, : self.done[row]]
        other = np.flatnonzero(firsts != self.whole)
        if not len(other):
            return None
        at = int(other[0])
        before = float(self.strengths[row, at - 1]) if at else 0.0
        return before, float(self.strengths[row, at])


def reduced(photo: Pixels) -> Pixels:
    """Return a photo uint8 `[H, W, 3]`, no side of it longer than `LONGEST`."""
    if max(photo.shape[:2]) <= LONGEST:
        return photo
    from PIL import Image

    image = Image.fromarray(photo)
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.array(image)


def small(photo: Pixels, box: Region | None) -> tuple[Pixels, Region | None]:
    """Return the photo that is changed, and a box of the photo that was given, in its pixels."""
    made = reduced(photo)
    if box is None or made is photo:
        return made, box
    by = [made.shape[axis] / photo.shape[axis] for axis in (0, 1)]
    top, left = int(box.top * by[0]), int(box.left * by[1])
    bottom = max(top + 1, round(box.bottom * by[0]))
    return made, Region(top, left, bottom, max(left + 1, round(box.right * by[1])))


@dataclasses.dataclass(frozen=True, eq=False)
class Returned:
    """A changed photo's map in the frame of the photo's own view, float32 `[h, w]`.

    `known` bool `[h, w]` says where there is one: the changed photo shows that place and the model
    sees it. `found` is how far it agrees with the photo's own map there, None where neither shows
    anything in common.
    """

    attribution: Array
    known: NDArray[np.bool_]
    found: Agreement | None

    @property
    def seen(self) -> float:
        """The share of the photo's view that the changed photo still shows, 0..1."""
        return float(self.known.mean())


def returned(own: Explanation, other: Explanation, places: Places) -> Returned:
    """Bring a changed photo's map back, and compare it with the photo's own where both have one."""
    made = back(other.attribution, own.placed, other.placed, places)
    known = np.isfinite(made)
    brought = np.where(known, made, np.float32(0))
    if not known.any():
        return Returned(brought, known, None)
    first = dataclasses.replace(own, attribution=np.where(known, own.attribution, np.float32(0)))
    second = dataclasses.replace(first, attribution=brought, signed=other.signed)
    return Returned(brought, known, agreement(first, second))
