"""One file of which something has to be assumed, its truth, and how the loader did."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from loaders.load import load
from loaders.options import Options
from xai_core.errors import VitrineError
from xai_core.model import About

Array = NDArray[np.float64]
Outcome = Literal["right", "warned", "refused", "silent"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

CLOSE = 0.01
"""How far a probability may be from the true one."""

ALIKE = 0.95
"""How well a map must agree with the true one (Pearson's correlation)."""

_rng = np.random.default_rng(5)
PHOTO: NDArray[np.uint8] = (
    np.kron(_rng.random((8, 8, 3)), np.ones((28, 28, 1))) * 255
).astype(np.uint8)  # fmt: skip
"""A photo of 224 x 224 in coarse squares, so that resizing keeps it."""


class Truth(NamedTuple):
    """What is true of a file: its probabilities for `PHOTO`, its class names, a layer's map.

    `doubtful` says that the file's answers mean nothing, so that only a warning is right.
    """

    path: Path
    options: Options
    chances: Array | None = None
    labels: tuple[str, ...] = ()
    layer: str = ""
    cam: Array | None = None
    doubtful: bool = False


@dataclasses.dataclass(frozen=True)
class Case:
    """Something that had to be assumed of a file; `write` makes the file in a folder."""

    about: tuple[About, ...]
    name: str
    write: Callable[[Path], Truth]


CASES: dict[str, list[Case]] = {"torch": [], "keras": [], "onnx": []}


def case(framework: str, name: str, *about: About) -> Callable[[Callable[[Path], Truth]], Any]:
    """Register what writes a file."""

    def keep(write: Callable[[Path], Truth]) -> Callable[[Path], Truth]:
        CASES[framework].append(Case(about, name, write))
        return write

    return keep


def view(size: int | tuple[int, int], *, grey: bool = False) -> NDArray[np.float32]:
    """Return `PHOTO` stretched to a size, float32 `[h, w, 3 or 1]` in 0..1."""
    height, width = (size, size) if isinstance(size, int) else size
    photo = Image.fromarray(PHOTO).resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(photo, np.float32) / 255
    luminance = np.array([[0.299], [0.587], [0.114]], np.float32)
    return np.asarray(pixels @ luminance if grey else pixels, np.float32)


def softmax(scores: Any) -> Array:
    """Return the probabilities of scores `[classes]`."""
    values = np.asarray(scores, np.float64)
    exp = np.exp(values - values.max())
    return np.asarray(exp / exp.sum(), np.float64)


def pair(chance: float) -> Array:
    """Return the probabilities of two classes by that of the second."""
    return np.array([1 - chance, chance])


def judged(case: Case, folder: Path) -> tuple[Outcome, str]:
    """Write a file and load it; say how it went, and why where it was not right."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = case.write(folder)
    os.environ["VITRINE_SANDBOX"] = "holds"  # these files are ours
    try:
        model: Any = load(truth.path, truth.options, name=truth.path.name)
        why = _wrong(model, truth)
    except VitrineError as error:
        return "refused", str(error)
    if not why and not truth.doubtful:
        return "right", ""
    said = [
        finding.message
        for finding in model.findings
        if finding.level == "warning" and finding.about in case.about
    ]
    if said:
        return ("right" if truth.doubtful else "warned"), f"{why} | {said[0]}"
    return "silent", why or "no warning"


def _wrong(model: Any, truth: Truth) -> str:
    """Return what is not as it should be, or nothing."""
    if truth.labels and model.labels != truth.labels:
        return f"named {model.labels[:3]}"
    if truth.chances is not None:
        seen = model.preprocessing.view(PHOTO)[0]
        logits = np.asarray(model.logits(seen[None]), np.float32)
        found = model.head.probabilities(logits)[0]
        if found.shape != truth.chances.shape:
            return f"{len(found)} classes for {len(truth.chances)}"
        if float(np.abs(found - truth.chances).max()) > CLOSE:
            return f"{np.round(found[:4], 3)} for {np.round(truth.chances[:4], 3)}"
    if truth.cam is not None:
        return _unlike(model, truth)
    return ""


def _unlike(model: Any, truth: Truth) -> str:
    from xai_core.explainer import make
    from xai_core.target import ClassTarget

    method = make("grad-cam", {"layer": truth.layer}, size=model.input_size)
    seen = model.preprocessing.view(PHOTO)[0]
    best = int(model.logits(seen[None])[0].argmax())
    found = method.explain(model, seen, ClassTarget(best)).attribution
    grown = Image.fromarray(np.asarray(truth.cam, np.float32)).resize(
        found.shape[::-1], Image.Resampling.BILINEAR
    )
    likeness = float(np.corrcoef(found.ravel(), np.asarray(grown).ravel())[0, 1])
    return "" if likeness > ALIKE else f"a map's correlation of {likeness:.2f}"
