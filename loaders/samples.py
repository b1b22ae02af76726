"""A reader's own samples: an NPZ with x and y, or small pictures in a folder a class, as a ZIP."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import LoadError
from xai_core.training.samples import Samples

PACKED, UNPACKED, EACH = 64 << 20, 256 << 20, 96 << 20
"""Most bytes of a file, of all that is in it, and of one part of it."""
MOST = 20_000
"""Pictures of a ZIP."""
SIDE = 28
"""Pictures that differ in size, or are larger than 64 x 64, are made so large."""
LARGEST = 64
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")


def pictured(name: str) -> bool:
    """Say whether a file is named as a picture that is read, and is not hidden."""
    path = PurePosixPath(name)
    hidden = any(each.startswith((".", "__")) for each in path.parts)
    return not hidden and path.suffix.lower() in PICTURES


def packed(parts: Iterable[tuple[str, bytes]], called: str) -> bytes:
    """Return the files of a folder, by their paths in it, as the ZIP that `read` takes.

    Their order does not depend on the order in which they come. Nothing of them is opened. Raises
    LoadError for more than is read.
    """
    found, size = [], 0
    for name, data in parts:
        found.append((name, data))
        size += len(data) + 2 * len(name) + 100  # what a ZIP adds
        if size > PACKED or len(found) > MOST:
            raise LoadError(
                f"{called} has more than {PACKED >> 20} MB or {MOST:,} pictures. Choose fewer or "
                "smaller ones."
            )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in sorted(found):
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def read(data: bytes, called: str) -> Samples:
    """Return the samples of a file. Raises LoadError, and ParamError for what is too large."""
    if len(data) > PACKED:
        raise LoadError(f"{called} has {len(data) >> 20} MB; at most {PACKED >> 20} MB are read.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = [part for part in archive.infolist() if not part.is_dir()]
            if sum(part.file_size for part in parts) > UNPACKED or len(parts) > 2 * MOST:
                raise LoadError(
                    f"{called} unpacks to more than {UNPACKED >> 20} MB or {2 * MOST:,} files. "
                    "Send fewer or smaller ones."
                )
            if any(part.filename.endswith(".npy") for part in parts):
                return _arrays(archive, parts, called)
            return _pictures(archive, parts, called)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise LoadError(
            f"{called} is no NPZ and no ZIP that can be read ({type(error).__name__}). Send an NPZ "
            "with x and y, or a ZIP of pictures in a folder for each class."
        ) from None


def _whole(archive: zipfile.ZipFile, part: zipfile.ZipInfo, called: str) -> bytes:
    """Read one part, and no more of it than it says and may have."""
    if part.file_size > EACH:
        raise LoadError(f"{part.filename[:60]!r} in {called} has more than {EACH >> 20} MB.")
    with archive.open(part) as file:
        data = file.read(part.file_size + 1)
    if len(data) != part.file_size:
        raise LoadError(f"{part.filename[:60]!r} in {called} is not as long as it says.")
    return data


def array(archive: zipfile.ZipFile, part: zipfile.ZipInfo, called: str) -> NDArray[np.generic]:
    """Return one array of an NPZ, read without a pickle. Raises LoadError."""
    return _array(_whole(archive, part, called), part.filename[:60], called)


# -- NPZ ------------------------------------------------------------------------------------------


def _array(data: bytes, name: str, called: str) -> NDArray[np.generic]:
    """Read one array without a pickle; its head is compared with its length first."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        head = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if head is None:
            raise ValueError("a format of its own")
        shape, _, dtype = head(file)
        size = int(np.prod([int(side) for side in shape], dtype=object)) * dtype.itemsize
        if dtype.hasobject or size != len(data) - file.tell():
            raise ValueError("an array of another length")
        file.seek(0)
        made: NDArray[np.generic] = np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, TypeError, EOFError) as error:
        raise LoadError(
            f"The array {name!r} in {called} cannot be read ({str(error)[:80]}). Save plain "
            "numbers with numpy.savez(file, x=x, y=y)."
        ) from None
    return made


def _arrays(archive: zipfile.ZipFile, parts: list[zipfile.ZipInfo], called: str) -> Samples:
    names = {part.filename.removesuffix(".npy").lower(): part for part in parts}
    if not {"x", "y"} <= set(names):
        found = ", ".join(sorted(names))[:120]
        raise LoadError(f"{called} must hold the arrays x and y; it holds {found}.")
    x, y = (_array(_whole(archive, names[name], called), name, called) for name in ("x", "y"))
    if x.ndim < 2 or y.ndim != 1 or len(x) != len(y):
        raise LoadError(
            f"In {called} x must be a row for each sample and y a class for each; x is "
            f"{list(x.shape)} and y {list(y.shape)}."
        )
    pixels = _bytes(x, called)
    if pixels.ndim == 4 and pixels.shape[3] in (1, 3):
        pixels = np.rint(pixels.mean(3)).astype(np.uint8)
    if pixels.ndim > 3:
        raise LoadError(f"In {called} x has {x.ndim} axes; samples, height and width are read.")
    inputs = int(np.prod(pixels.shape[1:]))
    side = round(inputs**0.5)
    sides = (side, side) if side * side == inputs else (1, inputs)
    if pixels.ndim == 3:
        sides = (pixels.shape[1], pixels.shape[2])
    if y.dtype.kind not in "iubUS":
        raise LoadError(f"In {called} y must be whole numbers or names, and is {y.dtype}.")
    labels, index = np.unique(y, return_inverse=True)
    classes = tuple(str(each.decode() if isinstance(each, bytes) else each) for each in labels)
    return Samples(
        x=np.ascontiguousarray(pixels.reshape(len(x), -1)),
        y=index.astype(np.int64),
        classes=tuple(name[:40] for name in classes),
        sides=sides,
        word=called,
    )


def _bytes(x: NDArray[np.generic], called: str) -> NDArray[np.uint8]:
    """Return values as 0..255: those of 0..1 are spread, larger ones are taken as they are."""
    if x.dtype == np.uint8:
        return x.astype(np.uint8)
    if x.dtype.kind not in "iufb" or not x.size:
        raise LoadError(f"In {called} x must be numbers, and is {x.dtype}.")
    low, high = float(x.min()), float(x.max())
    if not np.isfinite([low, high]).all() or low < 0 or high > 255:
        raise LoadError(
            f"In {called} x has values from {low:.3g} to {high:.3g}; from 0 to 1 or from 0 to 255 "
            "are read. Scale it first."
        )
    spread = 255.0 if x.dtype.kind in "fb" and high <= 1 else 1.0
    made: NDArray[np.uint8] = np.rint(x.astype(np.float32) * spread).astype(np.uint8)
    return made


# -- pictures -------------------------------------------------------------------------------------


def _pictures(archive: zipfile.ZipFile, parts: list[zipfile.ZipInfo], called: str) -> Samples:
    from PIL import Image

    found: list[tuple[str, NDArray[np.uint8]]] = []
    for part in parts:
        path = PurePosixPath(part.filename)
        if not pictured(part.filename) or len(path.parts) < 2:
            continue
        if len(found) == MOST:
            raise LoadError(f"{called} has more than {MOST:,} pictures. Send fewer.")
        data = _whole(archive, part, called)
        try:
            with Image.open(io.BytesIO(data)) as image:
                if max(image.size) > 2048:
                    raise ValueError(f"{image.size[0]} x {image.size[1]} pixels")
                grey = image.convert("L")
                if max(grey.size) > LARGEST:
                    grey = grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
                found.append((path.parent.name[:40], np.asarray(grey)))
        except (ValueError, OSError, SyntaxError, TypeError, Image.DecompressionBombError) as error:
            raise LoadError(
                f"{part.filename[-80:]!r} in {called} cannot be read as a small picture "
                f"({str(error)[:80]}). Take it out and send the rest again."
            ) from None
    if not found:
        raise LoadError(
            f"{called} holds no picture in a folder of its own. Put PNG or JPEG files into a "
            "folder for each class, and those into one ZIP or folder."
        )
    if len({picture.shape for _, picture in found}) > 1:
        found = [
            (name, np.asarray(Image.fromarray(picture).resize((SIDE, SIDE))))
            for name, picture in found
        ]
    classes = tuple(sorted({name for name, _ in found}))
    place = {name: at for at, name in enumerate(classes)}
    x = np.stack([picture for _, picture in found])
    return Samples(
        x=x.reshape(len(x), -1),
        y=np.array([place[name] for name, _ in found], np.int64),
        classes=classes,
        sides=(x.shape[1], x.shape[2]),
        word=called,
    )
