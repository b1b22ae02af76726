"""A layer over the epochs of a training as one moving picture, to take away."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from workers.tasks.film import FILE, HEADS
from xai_core import encode
from xai_core.card import Card
from xai_core.errors import ParamError
from xai_core.result import Result
from xai_core.task import Bench, Progress, Shape, Task, task
from xai_core.training import heat_film
from xai_core.training.recording import Frames

SECONDS = 0.12
"""How long an epoch stays."""


@task
class TrainingFilm(Task):
    """Draws `frames`, an epoch each, as a file of a kind; uint8 `[n]` under `file`.

    What is said with them is `heat_film.pictures`'.
    """

    worker = "plain"
    text: ClassVar[int] = 4 << 10
    _gives: ClassVar[Mapping[str, Shape]] = MappingProxyType(
        {"arrays.file": Shape("|u1", ("",), most=FILE)}
    )

    frames: Frames
    heading: str
    white: float
    labels: tuple[str, ...]
    kind: encode.Kind
    curves: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    word: str = "epoch"
    first: int = 0
    order: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check what is drawn by. Raises ParamError."""
        super().__post_init__()
        if not self.white > 0:
            raise ParamError(f"TrainingFilm.white must be above 0, got {self.white}")
        if self.order and sorted(self.order) != list(range(self.frames.sides[1])):
            raise ParamError("TrainingFilm.order must name each column once")

    def limit(self, card: Card | None) -> float:
        """Return 120 s."""
        return 120.0

    def late(self, limit: float) -> str:
        """Say what it was that took too long."""
        return f"The film was not written within {limit:g} s. Take it as another kind of file."

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the file, of any number of bytes within bounds."""
        return self._gives

    def check(self, result: Result, card: Card | None) -> None:
        """Raise ValueError for a file of another kind."""
        data = result.arrays["file"][:12].tobytes()
        first, later = HEADS[self.kind]
        if not data.startswith(first) or not data[8:].startswith(later):
            raise ValueError(f"a file that is no {self.kind}")

    def run(self, bench: Bench, progress: Progress) -> Result:
        """Return it. Raises ParamError where a build lacks the kind."""
        drawn = heat_film.pictures(
            self.frames,
            title=self.heading,
            white=self.white,
            labels=self.labels,
            curves=self.curves,
            first=self.first,
            word=self.word,
            order=self.order or None,
        )
        data = encode.moving(drawn, SECONDS, self.kind)
        return Result(arrays={"file": np.frombuffer(data, np.uint8)})
