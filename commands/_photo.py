"""A photo that a command works on, and what the model says of it."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from commands._opened import Opened
from commands._waiting import wait
from loaders import catalogue
from xai_core.errors import ImageError, ParamError
from xai_core.model import Finding

if TYPE_CHECKING:
    from workers.tasks.predict import Prediction


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """A photo, uint8 `[H, W, 3]`, and the model's answer; `findings` are of model and photo."""

    pixels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    scores: NDArray[np.float32]
    findings: tuple[Finding, ...]


def flags(parser: argparse.ArgumentParser) -> None:
    """Add IMAGE."""
    parser.add_argument("image", metavar="IMAGE", help="a file, or the name of a built-in photo")


def decoded(model: Opened, name: str) -> tuple[NDArray[np.uint8], tuple[Finding, ...]]:
    """Decode a photo, uint8 `[H, W, 3]`, and say what was done to it."""
    made = wait(model.session.decode(_bytes(name)), "photo")
    return made.pixels, tuple(Finding("info", note, "photo") for note in made.notes)


def seen(model: Opened, name: str) -> Seen:
    """Decode a photo and ask the model about it."""
    pixels, notes = decoded(model, name)
    said: Prediction = wait(model.handle.predict(pixels), "predicting")
    return Seen(
        pixels=pixels,
        probabilities=said.probabilities,
        scores=said.logits,
        findings=(*model.card.findings, *notes, *said.findings),
    )


def view(model: Opened, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what the model gets of a photo, float32 `[h, w, 3]` in 0..1."""
    from loaders.preprocessing import Preprocessing

    return Preprocessing.from_json(model.card.preprocessing).view(pixels)[0]


def _bytes(name: str) -> bytes:
    path = Path(name)
    if not path.is_file():
        samples = (*catalogue.photos(), *catalogue.crowds())
        sample = next((photo for photo in samples if photo.name == name), None)
        if sample is None:
            names = ", ".join(photo.name for photo in samples)
            raise ImageError(f"No file {name!r}, and no built-in photo of that name ({names})")
        path = sample.path
    return path.read_bytes()


def index_of(word: str | None, labels: Sequence[str], flag: str) -> int | None:
    """Return the class that a number or a name stands for. Raises ParamError."""
    if word is None:
        return None
    if word in labels:
        return labels.index(word)
    if word.isascii() and word.isdigit() and int(word) < len(labels):
        return int(word)
    raise ParamError(
        f"--{flag} must be a class name or a number from 0 to {len(labels) - 1}, got {word!r}"
    )
