"""The recordings that ship with Vitrine: a method's film, with its words and what made it.

Each is `recordings/<method>.json` with an animated WebP and a still beside it, written by
`assets/make_recordings.py`.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from loaders import catalogue
from xai_core import encode
from xai_core.reel import Picture, Reel


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recording:
    """A film of one run: `model` and `photo` are built-in ones by name, `target` a class's name.

    `values` are all that were used, `versions` what it was made with.
    """

    method: str
    engine: str
    values: Mapping[str, Any]
    target: str
    model: str
    photo: str
    versions: Mapping[str, str]
    title: str
    seconds: float
    captions: tuple[str, ...]
    said: str
    path: Path

    def reel(self) -> Reel:
        """Read its pictures."""
        stills = encode.parted(self.path.with_suffix(".webp").read_bytes())
        still = self.path.with_name(f"{self.path.stem}-still.webp").read_bytes()
        return Reel(
            title=self.title,
            frames=tuple(map(_picture, stills, self.captions)),
            seconds=self.seconds,
            still=_picture(still, self.said),
        )


def _picture(data: bytes, caption: str) -> Picture:
    return Picture(np.frombuffer(data, np.uint8), caption)


@functools.cache
def recordings() -> dict[str, Recording]:
    """Return the recordings by method; their pictures are read later."""
    found = {}
    for path in sorted((catalogue.ASSETS / "recordings").glob("*.json")):
        said = json.loads(path.read_text(encoding="utf-8"))
        said["captions"] = tuple(said["captions"])
        found[said["method"]] = Recording(**said, path=path)
    return found


def write(folder: Path, reel: Reel, said: Mapping[str, Any]) -> None:
    """Write a film as a recording; `said` is what made it."""
    path = folder / f"{said['method']}.json"
    words = {
        "title": reel.title,
        "seconds": reel.seconds,
        "captions": [frame.caption for frame in reel.frames],
        "said": reel.still.caption,
    }
    text = json.dumps({**said, **words}, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    joined = encode.joined([frame.data for frame in reel.frames], reel.seconds)
    path.with_suffix(".webp").write_bytes(joined)
    path.with_name(f"{path.stem}-still.webp").write_bytes(reel.still.data)
