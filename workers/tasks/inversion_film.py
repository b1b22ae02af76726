"""Pictures that grew step by step, drawn for the player, and as a file to take away."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from workers.tasks.film import FilmTask
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
class GrowthFile(FilmTask):
    """Makes one file of how pictures grew; uint8 `[n]` under `file`."""

    growth: Growth
    kind: encode.Kind

    def run(self, bench: Bench, progress: Progress) -> Result:
        """Return it. Raises ParamError where a build lacks the kind."""
        return self.file(encode.animated(film(self.growth), self.kind))
