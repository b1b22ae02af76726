"""The files of tests/data/older: older versions wrote them, and said what they say of one photo."""

from __future__ import annotations

import functools
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.formats.case import Array, Case, Key, Oracle, Pixels, Truth
from loaders.options import Options
from loaders.preprocessing import Preprocessing

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "data" / "older"
SIDE, STEP = 64, 16
"""The photo's side, and the distance of the pixels whose gradient was kept."""


def photo(channels: int) -> Pixels:
    """Return the writers' photo; a grey one with its one channel three times."""
    row, column, colour = np.mgrid[:SIDE, :SIDE, :channels]
    pixels = ((3 * row * row + 7 * column + row * column + 50 * colour) % 256).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pixels, (SIDE, SIDE, 3)))


def thinned(gradient: Array, channels: int) -> Array:
    """Return a gradient by the view at the pixels that were kept, `[16, channels]`."""
    kept = gradient[::STEP, ::STEP].reshape(-1, 3)
    return kept if channels == 3 else kept.sum(1, keepdims=True)


def cases() -> Iterator[Case]:
    """Yield every file that an older version wrote."""
    for archive in sorted(FOLDER.glob("*.zip"), key=_by_version):
        with zipfile.ZipFile(archive) as opened:
            answers = json.loads(opened.read("answers.json"))
        for name, row in answers["files"].items():
            key = Key("kinds", row["kind"], row["holds"], answers["writer"])
            channels = len(row["gradient"][0])
            # A network of torchvision's own was asked with ImageNet's scaling.
            how = "imagenet" if "torchvision" in row["holds"] else "unit"
            if "own scaling" in row["holds"]:
                how = "auto"  # it is found, or the scores are others
            options = Options(size=(SIDE, SIDE), preprocessing=how, fit="stretch")
            write = functools.partial(_write, archive, name, row)
            known = functools.partial(thinned, channels=channels)
            yield Case(key, name, write, photo(channels), options, known)


def _by_version(path: Path) -> tuple[str, list[int]]:
    name, _, version = path.stem.rpartition("-")
    return name, [int(part) for part in version.split(".")]


def _write(archive: Path, name: str, row: dict[str, Any], path: Path) -> Oracle:
    with zipfile.ZipFile(archive) as opened:
        path.write_bytes(opened.read(name))

    def answer(view: NDArray[np.float32], preprocessing: Preprocessing) -> Truth:
        return Truth(np.array(row["scores"]), np.array(row["gradient"]))

    return answer
