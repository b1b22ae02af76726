"""Teachable Machine: its ZIP of `keras_model.h5` and `labels.txt`, and its network by its layers.

It trains a head of two Dense layers on a MobileNet, of photos cut to a square and scaled to -1..1.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loaders.keras.archive import FREE, MAX_RATIO
from loaders.preprocessing import Preprocessing, preset
from loaders.texts import NotText, decode_text
from xai_core.errors import LoadError

MODEL, LABELS = "keras_model.h5", "labels.txt"
WHERE = "Teachable Machine's labels.txt"
_MAX_LABELS = 1 << 20
_MAX_CLASSES, _MAX_LINE = 10_000, 1_000
_LINE = re.compile(r"(\d{1,5})[ \t]+(\S.*)")
_OF_MOBILENET = {"Conv1", "Conv_1", "out_relu", "block_16_project"}


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[tuple[Path, list[str] | None]]:
    """Yield the model's file and the classes' names out of Teachable Machine's ZIP.

    Nothing else of it is read, and the model is written under a name of ours. Raises LoadError.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / MODEL
        try:
            with zipfile.ZipFile(path) as archive:
                model = _only(archive, MODEL)
                if model is None:
                    raise LoadError(f"This ZIP holds no {MODEL}. Export it again.")
                if model.file_size > max(FREE, MAX_RATIO * path.stat().st_size):
                    raise LoadError(
                        f"The {MODEL} in this ZIP would unpack to {model.file_size:,} bytes, which "
                        "no trained network does: it was made to exhaust the memory."
                    )
                with archive.open(model) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
                names = _names(archive)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise LoadError(
                "This ZIP is damaged: a part of it cannot be unpacked. Download it again."
            ) from error
        except RuntimeError as error:  # zipfile's word for an encrypted member
            raise LoadError("This ZIP is encrypted. Save it without a password.") from error
        yield target, names


def _is(member: str, name: str) -> bool:
    """Say whether a member has a name, at the top or in one folder."""
    return member == name or (member.count("/") == 1 and member.endswith(f"/{name}"))


def _only(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo | None:
    found = [member for member in archive.infolist() if _is(member.filename, name)]
    return found[0] if len(found) == 1 else None


def _names(archive: zipfile.ZipFile) -> list[str] | None:
    member = _only(archive, LABELS)
    if member is None or member.file_size > _MAX_LABELS:
        return None
    with archive.open(member) as file:
        data = file.read(_MAX_LABELS)
    try:
        return labels(decode_text(data))
    except NotText:
        return None


def labels(text: str) -> list[str] | None:
    """Return the names of '0 cats', '1 dogs' without their numbers, or None for other text."""
    lines = [line.strip() for line in text.lstrip("\ufeff").splitlines() if line.strip()]
    if len(lines) > _MAX_CLASSES or any(len(line) > _MAX_LINE for line in lines):
        return None
    rows = [_LINE.fullmatch(line) for line in lines]
    found = [match[2] for match in rows if match is not None]
    numbers = [int(match[1]) for match in rows if match is not None]
    return found if numbers == list(range(len(lines))) and found else None


def preprocessing(model: Any) -> Preprocessing | None:
    """Return how Teachable Machine prepares photos where its layers show that it made the model.

    A Sequential of two: a MobileNet with its mean, and 100 units with a softmax without bias.
    """
    parts = [part for part in getattr(model, "layers", ()) if type(part).__name__ != "InputLayer"]
    if [type(part).__name__ for part in parts] != ["Sequential", "Sequential"]:
        return None
    body, head = parts
    dense = [layer for layer in head.layers if type(layer).__name__ == "Dense"]
    if [layer.units for layer in dense][:1] != [100] or len(dense) != 2 or dense[1].use_bias:
        return None
    names = {layer.name for part in body.layers for layer in getattr(part, "layers", (part,))}
    if not names >= _OF_MOBILENET:
        return None
    height, width = tuple(model.inputs[0].shape)[1:3]
    if not height or not width:
        return None
    size = (int(height), int(width))
    why = "as Teachable Machine prepares photos, which made this network by its layers"
    return preset("symmetric", size, fit="crop", resize=min(size), interpolation="lanczos", why=why)
