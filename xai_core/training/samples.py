"""Samples of a reader's own: small pictures or vectors with classes, and how they are split."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError
from xai_core.report.numbers import counted
from xai_core.training.digits import PROBES, Data

LEAST, MOST = 40, 70_000
"""Samples."""
NUMBERS = 80 << 20
"""Most numbers of all samples together."""
INPUTS = 4096
"""Most numbers of one sample, as a grey picture of 64 x 64 has."""
CLASSES = 20
HELD = 0.2
"""The share that no training sees."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """`x` uint8 `[n, inputs]`, `y` int64 `[n]`, the classes' names; `sides` make `x` a picture.

    The last `held` are those that their publisher holds out; without them a share is. Raises
    ParamError for too few, too many, or too large ones.
    """

    x: NDArray[np.uint8]
    y: NDArray[np.int64]
    classes: tuple[str, ...]
    sides: tuple[int, int]
    word: str
    held: int = 0

    def __post_init__(self) -> None:
        count, inputs = self.x.shape
        if not LEAST <= count <= MOST:
            raise ParamError(
                f"{self.word} has {count:,} samples; a training takes from {LEAST} to {MOST:,}"
            )
        if count * inputs > NUMBERS:
            raise ParamError(
                f"{self.word} has {count * inputs / 1e6:,.0f} million numbers; a training takes up "
                f"to {NUMBERS / 1e6:.0f} million. Send fewer samples or smaller ones."
            )
        if not 0 <= self.held < count:
            raise ParamError(f"{self.word} cannot hold {self.held:,} of {count:,} samples out")
        if not 1 <= inputs <= INPUTS or self.sides[0] * self.sides[1] != inputs:
            raise ParamError(
                f"{self.word} has samples of {inputs:,} numbers; a training takes up to "
                f"{INPUTS:,}, as pictures of 64 x 64 have. Make them smaller."
            )
        if not 2 <= len(self.classes) <= CLASSES:
            found = counted(len(self.classes), "class", "classes")
            raise ParamError(
                f"{self.word} has {found}; a training takes from 2 to {CLASSES} classes"
            )
        counts = np.bincount(self.y, minlength=len(self.classes))
        if len(self.y) != count or len(counts) > len(self.classes) or self.y.min() < 0:
            raise ParamError(f"{self.word} must have a class for each sample")
        if counts.min() < 5:
            name, found = self.classes[int(counts.argmin())], counted(int(counts.min()), "sample")
            raise ParamError(f"{self.word} has {found} of {name!r}; each class needs at least 5")


def split(samples: Samples) -> Data:
    """Hold a fifth of each class back, and take up to ten of those as probes; always the same.

    Where a publisher holds some out, those are.
    """
    if samples.held:
        return _published(samples)
    order = np.random.default_rng(0).permutation(len(samples.y))
    learned, held, probes, so_far = [], [], [], 0
    for label in range(len(samples.classes)):
        own = order[samples.y[order] == label]
        count = max(1, round(HELD * len(own)))
        held.append(own[:count])
        learned.append(own[count:])
        probes.append(so_far + np.arange(min(PROBES, count)))
        so_far += count
    taken, back = np.sort(np.concatenate(learned)), np.concatenate(held)
    return Data(
        samples.x[taken],
        samples.y[taken],
        samples.x[back],
        samples.y[back],
        np.concatenate(probes),
        samples.classes,
        samples.sides,
        samples.word,
    )


def _published(samples: Samples) -> Data:
    """Hold out what the publisher does, class by class."""
    cut = len(samples.y) - samples.held
    order = cut + np.argsort(samples.y[cut:], kind="stable")
    held_y = samples.y[order]
    starts = np.searchsorted(held_y, np.arange(len(samples.classes)))
    ends = np.searchsorted(held_y, np.arange(len(samples.classes)), "right")
    probes = [
        np.arange(start, min(start + PROBES, end)) for start, end in zip(starts, ends, strict=True)
    ]
    return Data(
        samples.x[:cut],
        samples.y[:cut],
        samples.x[order],
        held_y,
        np.concatenate(probes),
        samples.classes,
        samples.sides,
        samples.word,
    )
