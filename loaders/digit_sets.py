"""The published sets of small pictures: where they lie, what they hash to, and how they are read.

They are fetched by the trusted side and read in a worker, as any file of a reader's own.
"""

from __future__ import annotations

import dataclasses
import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loaders import samples as own
from xai_core.errors import LoadError
from xai_core.training.digits import CLASSES, SIDE
from xai_core.training.samples import Samples

Pixels = NDArray[np.uint8]

BUILT_IN = "The built-in data are 5,000 real MNIST digits, and work without a network."
LEARNED, HELD = 60_000, 10_000
"""Pictures that the publishers give to learn from, and those to try on."""


@dataclasses.dataclass(frozen=True)
class Published:
    """A file that lies with its publisher; see `workers.fetch.Remote`."""

    title: str
    url: str
    checksum: str
    bytes: int
    otherwise: str = BUILT_IN


@dataclasses.dataclass(frozen=True)
class DigitSet:
    """A set in one file or in four: pictures and classes to learn from, and the same to try on."""

    name: str
    title: str
    files: tuple[Published, ...]
    classes: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """How large its files are together."""
        return sum(each.bytes for each in self.files)


_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
_ZALANDO = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion"
_FASHION = (
    ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26_421_880),
    ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", 29_515),
    ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", 4_422_102),
    ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", 5_148),
)
SETS = (
    DigitSet(
        "mnist",
        "The whole MNIST",
        (
            Published(
                "The whole MNIST",
                f"{_KERAS}/mnist.npz",
                "sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
                11_490_434,
            ),
        ),
        CLASSES,
    ),
    DigitSet(
        "fashion",
        "The whole Fashion-MNIST",
        tuple(
            Published(f"Fashion-MNIST ({name})", f"{_ZALANDO}/{name}", f"md5:{digits}", size)
            for name, digits, size in _FASHION
        ),
        (
            "T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
            "Ankle boot",
        ),
    ),
)  # fmt: skip


def find(name: str) -> DigitSet:
    """Return the set of that name. Raises KeyError."""
    return {each.name: each for each in SETS}[name]


def read(name: str, paths: Sequence[Path]) -> Samples:
    """Return a set out of its files, its own held-out pictures last. Raises LoadError."""
    found = find(name)
    if len(paths) != len(found.files):
        raise LoadError(f"{found.title} is made of {len(found.files)} files, got {len(paths)}.")
    parts = _npz(found, paths[0]) if len(paths) == 1 else _packed(found, paths)
    x, y, held_x, held_y = parts
    sides = (LEARNED, SIDE, SIDE), (LEARNED,), (HELD, SIDE, SIDE), (HELD,)
    if tuple(each.shape for each in parts) != sides or max(y.max(), held_y.max()) > 9:
        raise LoadError(f"{found.title} is not what its publisher describes: its sides differ.")
    return Samples(
        x=np.concatenate([x, held_x]).reshape(-1, SIDE * SIDE),
        y=np.concatenate([y, held_y]).astype(np.int64),
        classes=found.classes,
        sides=(SIDE, SIDE),
        word=found.title.removeprefix("The "),
        held=HELD,
    )


def _npz(found: DigitSet, path: Path) -> list[Pixels]:
    try:
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
            parts = {part.filename: part for part in archive.infolist()}
            return [
                _bytes(own.array(archive, parts[f"{name}.npy"], found.title), found)
                for name in ("x_train", "y_train", "x_test", "y_test")
            ]
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise LoadError(f"{found.title} cannot be read ({type(error).__name__}).") from None


def _packed(found: DigitSet, paths: Sequence[Path]) -> list[Pixels]:
    """Read the files of LeCun's format: a magic number, the sides, and the bytes, all gzipped."""
    made = []
    for path, pictures in zip(paths, (True, False, True, False), strict=True):
        most = (LEARNED * SIDE * SIDE if pictures else LEARNED) + 16
        try:
            undo = zlib.decompressobj(wbits=31)
            data = undo.decompress(path.read_bytes(), most + 1)
        except zlib.error:
            raise LoadError(f"{path.name} of {found.title} is damaged.") from None
        axes = data[3] if len(data) > 16 else 0
        head = 4 + 4 * axes
        sides = [int.from_bytes(data[at : at + 4], "big") for at in range(4, head, 4)]
        if axes != (3 if pictures else 1) or int(np.prod(sides, dtype=object)) != len(data) - head:
            raise LoadError(f"{path.name} of {found.title} is not as long as it says.")
        made.append(np.frombuffer(data, np.uint8, offset=head).reshape(sides))
    return made


def _bytes(array: NDArray[np.generic], found: DigitSet) -> Pixels:
    if array.dtype.kind not in "ui":
        raise LoadError(f"{found.title} holds {array.dtype} in the place of bytes.")
    return array.astype(np.uint8)
