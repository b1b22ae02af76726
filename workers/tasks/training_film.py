"""A layer over the epochs of a training as one moving picture, to take away."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from workers.tasks.film import FilmTask
from xai_core import encode
from xai_core.errors import ParamError
from xai_core.result import Result
from xai_core.task import Bench, Progress, task
from xai_core.training import heat_film
from xai_core.training.recording import Frames

SECONDS = 0.12
"""How long an epoch stays."""


@task
class TrainingFilm(FilmTask):
    """Draws `frames`, an epoch each, as a file of a kind; uint8 `[n]` under `file`.

    What is said with them is `heat_film.pictures`'.
    """

    text: ClassVar[int] = 4 << 10

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
        return self.file(encode.moving(drawn, SECONDS, self.kind))
