"""Tells of a detector's export what its answers are, and reads those that are known.

One file a family: each module of this folder has a tuple DECODERS, and a new one is found unasked.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import UnsupportedModel
from xai_core.model import Detections

Answers = Mapping[str, NDArray[Any]]
"""What a network says of one photo: arrays by name, in its own order."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decoder:
    """A layout of answers. `tells` says in words what they are, or None where they are another's.

    `read` makes boxes of them, in the pixels of what the network took, with classes counted from
    0; a layout without it is named, and refused. Those of a lower `place` are asked first.
    """

    name: str
    tells: Callable[[Answers], str | None]
    read: Callable[[Answers], Detections] | None = None
    place: int = 50


@functools.cache
def decoders() -> tuple[Decoder, ...]:
    """List every layout, in the order in which they are asked."""
    found: list[Decoder] = []
    for module in pkgutil.iter_modules(__path__):
        found += importlib.import_module(f"{__name__}.{module.name}").DECODERS
    return tuple(sorted(found, key=lambda each: (each.place, each.name)))


def find(answers: Answers) -> Decoder | None:
    """Return the layout that reads these answers, or None where they are no known detector's.

    Raises UnsupportedModel, with their shapes, where they are known and not read.
    """
    for decoder in decoders():
        words = decoder.tells(answers)
        if words is None:
            continue
        if decoder.read is not None:
            return decoder
        raise UnsupportedModel(
            f"The network answers with {shown(answers)}: {words}. Such answers are not read here "
            "yet. What is read: exports of torchvision's detectors, which give boxes, labels and "
            "scores, and the state dicts of these detectors."
        )
    return None


def shown(answers: Answers) -> str:
    """Return the answers' shapes in words, the first four."""
    shapes = [str(list(np.shape(value))) for value in list(answers.values())[:4]]
    return ", ".join(shapes) + (", ..." if len(answers) > 4 else "")


def floats(answers: Answers) -> list[NDArray[Any]]:
    """Return the answers that are no whole numbers."""
    return [value for value in answers.values() if value.dtype.kind == "f"]
