"""A photo's file into its pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from loaders.images import MAX_SIDE, decode
from xai_core.card import Card
from xai_core.result import Result
from xai_core.task import Bench, Progress, Shape, Task, task


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Photo(Result):
    """A photo, uint8 `[H, W, 3]`; the notes say what was done to it."""

    pixels: NDArray[np.uint8]
    format: str


@task
class Decode(Task):
    """Decodes a photo."""

    worker = "plain"
    returns = Photo
    quick = True
    text: ClassVar[int] = 16 << 10
    _gives: ClassVar[Mapping[str, Shape]] = MappingProxyType(
        {"pixels": Shape("|u1", ("H", "W", 3), most=3 * MAX_SIDE**2)}
    )

    data: NDArray[np.uint8]

    def limit(self, card: Card | None) -> float:
        """Return 30 s."""
        return 30.0

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the pixels' shape."""
        return self._gives

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for a photo without pixels, and for a name that is none."""
        if not result.pixels.size or len(result.format) > 40:
            raise ValueError("a photo that is none")

    def run(self, bench: Bench, progress: Progress) -> Photo:
        """Return it. Raises ImageError."""
        made = decode(self.data.tobytes())
        return Photo(pixels=made.pixels, format=made.format, notes=tuple(made.notes))
