"""Pictures that grew step by step, drawn for the player, and as a file to take away."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from workers.tasks.film import FILE, HEADS
from xai_core import encode, reel
from xai_core.card import Card
from xai_core.probes.inversion_film import Growth, film
from xai_core.result import Result
from xai_core.task import Bench, Progress, Shape, Task, task


@task
class DrawGrowth(Task):
    """Draws how pictures grew."""

    worker = "plain"
    returns = reel.Reel
    text: ClassVar[int] = 128 << 10
    _gives: ClassVar[Mapping[str, Shape]] = MappingProxyType(
        {
            "frames.*": Shape("|u1", ("",), most=24 << 20),
            "still.file": Shape("|u1", ("",), most=1 << 20),
        }
    )

    growth: Growth

    def limit(self, card: Card | None) -> float:
        """Return 60 s."""
        return 60.0

    def late(self, limit: float) -> str:
        """Say what it was that took too long."""
        return f"The film was not drawn within {limit:g} s, and was stopped. Run it again later."

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the pictures, of any number of bytes within bounds."""
        return self._gives

    def run(self, bench: Bench, progress: Progress) -> reel.Reel:
        """Return the film."""
        return reel.encoded(film(self.growth), progress)


@task
class GrowthFile(Task):
    """Makes one file of how pictures grew; uint8 `[n]` under `file`."""

    worker = "plain"
    _gives: ClassVar[Mapping[str, Shape]] = MappingProxyType(
        {"arrays.file": Shape("|u1", ("",), most=FILE)}
    )

    growth: Growth
    kind: encode.Kind

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
        data = encode.animated(film(self.growth), self.kind)
        return Result(arrays={"file": np.frombuffer(data, np.uint8)})
