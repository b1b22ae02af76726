"""One file to be asked: what it is, how it is written, and what is true of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loaders.options import Options
from loaders.preprocessing import Preprocessing

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]


class Key(NamedTuple):
    """Names a row of the tables. `writer` is what wrote the file, as `torch 2.15.0`."""

    section: str
    kind: str
    holds: str
    writer: str


class Truth(NamedTuple):
    """What the writer's own library says of one view.

    `scores` are float64 `[classes]`, up to a constant; `gradient` is that of class 1's score less
    class 0's by the view, float64 `[h, w, 3]`.
    """

    scores: Array
    gradient: Array


Oracle = Callable[[NDArray[np.float32], Preprocessing], Truth]
"""Answers for a view, float32 `[h, w, 3]`, and the pre-processing that it is to be given."""

PHOTO: Pixels = np.random.default_rng(0).integers(0, 256, (80, 100, 3), dtype=np.uint8)


@dataclasses.dataclass(frozen=True)
class Case:
    """A file: `write` makes it at a path and returns its oracle.

    `known` takes the part of a gradient `[h, w, 3]` that the oracle knows.
    """

    key: Key
    name: str
    write: Callable[[Path], Oracle]
    photo: Pixels = dataclasses.field(default_factory=lambda: PHOTO)
    options: Options = dataclasses.field(default_factory=Options)
    known: Callable[[Array], Array] = lambda gradient: gradient
