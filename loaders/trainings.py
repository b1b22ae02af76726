"""The recordings of trainings that ship with Vitrine, each one file without a pickle.

They are written by `assets/make_trainings.py`. Weights are kept in 8 bits a value with a scale for
each unit: what a page shows of them is that near to what was trained.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders import catalogue
from xai_core import plain
from xai_core.training.recording import EACH, Recording

FOLDER = catalogue.ASSETS / "recordings" / "trainings"
PACE = "pace.json"
"""How fast trainings went where they were measured, by `assets/make_pace.py`."""
_SAID, _SCALE = "said", "scale of "


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Shipped:
    """A recording, of whatever kind, the values that it was trained with, and what made it."""

    name: str
    recording: Any
    values: dict[str, Any]
    versions: dict[str, str]


def write(path: Path, shipped: Shipped) -> None:
    """Write one."""
    data, arrays = shipped.recording.to_wire()
    kept: dict[str, NDArray[Any]] = {}
    for name, array in arrays.items():
        large = array.ndim == 2 and array.dtype == np.float32 and array.size > 1 << 12
        if large and not name.startswith(f"arrays.{EACH}"):  # weights alone
            scale = np.abs(array).max(1, keepdims=True) / 127
            scale[scale == 0] = 1
            kept |= {name: np.rint(array / scale).astype(np.int8), f"{_SCALE}{name}": scale}
        else:
            kept[name] = array
    said = {"data": data, "values": shipped.values, "versions": shipped.versions}
    kept[_SAID] = np.frombuffer(json.dumps(said).encode(), np.uint8)
    np.savez_compressed(path, **kept)  # type: ignore[arg-type]


@functools.cache
def pace(kind: str) -> tuple[float, ...]:
    """Return the seconds that each part of a `Work` took where they were measured."""
    said = json.loads((FOLDER / PACE).read_text(encoding="utf-8"))
    return tuple(float(each) for each in said[kind])


@functools.cache
def shipped(name: str, kind: type[Recording] = Recording) -> Shipped | None:
    """Return the recording of that name, which is of that kind, or None."""
    path = FOLDER / f"{name}.npz"
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as file:
        arrays = {each: file[each] for each in file.files}
    said = json.loads(arrays.pop(_SAID).tobytes())
    for scale in [each for each in arrays if each.startswith(_SCALE)]:
        own = scale.removeprefix(_SCALE)
        arrays[own] = (arrays[own] * arrays.pop(scale)).astype(np.float32)
    return Shipped(
        name=name,
        recording=plain.unpack(kind, said["data"], arrays),
        values=said["values"],
        versions=said["versions"],
    )
