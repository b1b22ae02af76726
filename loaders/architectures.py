"""Which torchvision classifier a state dict belongs to, told by its names and shapes alone."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TABLE = Path(__file__).resolve().parents[1] / "assets" / "architectures.json"
BODIES = TABLE.with_name("torchvision_bodies.json.gz")
HEADS = ("fc", "classifier", "heads", "head")
# Auxiliary heads serve training only; a vision transformer's positions depend on the photo's size;
# BatchNorm's batch counters came with PyTorch 0.4.1: none of them tells architectures apart.
_APART = ("AuxLogits.", "aux1.", "aux2.")
_LOOSE = ("num_batches_tracked", "pos_embedding")

Shapes = Mapping[str, tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class Body:
    """A classifier without its head: its children, and its tensors, each in their order."""

    children: tuple[str, ...]
    shapes: Shapes


def is_body(key: str, head: str) -> bool:
    """Say whether a tensor belongs to the body, that is neither to the head nor to training."""
    return not key.startswith((head + ".", *_APART)) and not key.endswith("num_batches_tracked")


def body_digest(shapes: Shapes, head: str) -> str:
    """Return a digest of the body's tensor names and shapes."""
    rows = sorted(
        f"{key} {'any' if key.endswith(_LOOSE) else list(shape)}"
        for key, shape in shapes.items()
        if is_body(key, head)
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:24]


@functools.cache
def table() -> dict[str, dict[str, Any]]:
    """Read the table of torchvision's classifiers, by name."""
    rows: dict[str, dict[str, Any]] = json.loads(TABLE.read_text())
    return rows


@functools.cache
def bodies() -> dict[str, Body]:
    """Read the names and shapes of the bodies' tensors, by architecture."""
    rows = json.loads(gzip.decompress(BODIES.read_bytes()))
    return {
        name: Body(
            children=tuple(row["children"]),
            shapes={key: tuple(shape) for key, shape in row["shapes"].items()},
        )
        for name, row in rows.items()
    }


def recognise(shapes: Shapes) -> str | None:
    """Return the name of the architecture whose body has just these tensors, or None."""
    digests = {head: body_digest(shapes, head) for head in HEADS}
    for name, row in table().items():
        if row["digest"] == digests[row["head"]]:
            return name
    return None
