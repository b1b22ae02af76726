"""How a map came about, drawn and encoded: pictures for the player, and a file to take away."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import encode, film, reel
from xai_core.card import Card
from xai_core.errors import UnsupportedModel
from xai_core.explanation import Explanation
from xai_core.result import Result
from xai_core.task import Bench, Progress, Shape, Task, task

FILE = 64 << 20
"""Most bytes of a film as one file."""
HEADS: dict[encode.Kind, tuple[bytes, bytes]] = {
    "webp": (b"RIFF", b"WEBP"),
    "gif": (b"GIF89a", b""),
    "webm": (b"\x1aE\xdf\xa3", b""),
}
"""What a file of each kind begins with, and has after eight bytes."""


def drawn(explanation: Explanation, view: NDArray[np.float32]) -> film.Film:
    """Return a run's film. Raises UnsupportedModel where there is nothing to draw it from."""
    made = film.film_of(explanation, view)
    if made is None:
        raise UnsupportedModel(
            f"The engine {explanation.engine} hands out nothing of its inner work that could be "
            "drawn."
        )
    return made


@task
class DrawFilm(Task):
    """Draws how a map of a view, float32 `[h, w, 3]`, came about."""

    worker = "plain"
    returns = reel.Reel
    text: ClassVar[int] = 128 << 10
    _gives: ClassVar[Mapping[str, Shape]] = MappingProxyType(
        {
            "frames.*": Shape("|u1", ("",), most=24 << 20),
            "still.file": Shape("|u1", ("",), most=1 << 20),
            "steps.*": Shape("|u1", ("",), most=8 << 20),
        }
    )

    explanation: Explanation
    view: NDArray[np.float32]

    def limit(self, card: Card | None) -> float:
        """Return 60 s."""
        return 60.0

    def late(self, limit: float) -> str:
        """Say what it was that took too long."""
        return f"The film was not drawn within {limit:g} s, and was stopped. Open it again later."

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the pictures, of any number of bytes within bounds."""
        return self._gives

    def run(self, bench: Bench, progress: Progress) -> reel.Reel:
        """Return the film. Raises UnsupportedModel where the run holds nothing to draw."""
        return reel.encoded(drawn(self.explanation, self.view), progress)


class FilmTask(Task):
    """Base of tasks that make one file of a film, to take away: uint8 `[n]` under `file`."""

    worker = "plain"
    kind: encode.Kind

    def limit(self, card: Card | None) -> float:
        """Return 120 s."""
        return 120.0

    def late(self, limit: float) -> str:
        """Say what it was that took too long."""
        return f"The film was not written within {limit:g} s. Take it as another kind of file."

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the file, of any number of bytes within bounds."""
        return {"arrays.file": Shape("|u1", ("",), most=FILE)}

    def check(self, result: Result, card: Card | None) -> None:
        """Raise ValueError for a file of another kind."""
        data = result.arrays["file"][:12].tobytes()
        first, later = HEADS[self.kind]
        if not data.startswith(first) or not data[8:].startswith(later):
            raise ValueError(f"a file that is no {self.kind}")

    @staticmethod
    def file(data: bytes) -> Result:
        """Return a file's bytes as the result."""
        return Result(arrays={"file": np.frombuffer(data, np.uint8)})


@task
class FilmFile(FilmTask):
    """Makes one file of a film, to take away; uint8 `[n]` under `file`."""

    explanation: Explanation
    view: NDArray[np.float32]
    kind: encode.Kind

    def run(self, bench: Bench, progress: Progress) -> Result:
        """Return it. Raises UnsupportedModel, and ParamError where a build lacks the kind."""
        return self.file(encode.animated(drawn(self.explanation, self.view), self.kind))
