"""A film as it is served: each picture a WebP file, with its words. Nothing here decodes one.

It crosses the wall, so all of it is bounded by these classes, whoever made it.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xai_core import encode
from xai_core.film import FRAMES, SIDE, Film, Frame, Table
from xai_core.result import Result, frozen

WORDS = 1000
"""Most letters of a caption or a sentence."""
STEPS, PICTURES, CELLS = 16, 64, 400
"""Most steps that are told, pictures in them, and cells of a table."""


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """A still of at most `SIDE` by `SIDE` pixels: a WebP file, uint8 `[n]`, and its words.

    Raises ValueError for any other file.
    """

    file: NDArray[np.uint8]
    caption: str

    def __post_init__(self) -> None:
        if self.file.dtype != np.uint8 or self.file.ndim != 1:
            raise ValueError("a picture that is no file")
        object.__setattr__(self, "file", frozen(self.file))
        if max(self.size) > SIDE:
            raise ValueError(f"a picture of {self.size[0]} x {self.size[1]} pixels")
        _short(self.caption)

    @property
    def size(self) -> tuple[int, int]:
        """Its height and width, as its head says."""
        return encode.webp_size(self.data)

    @property
    def data(self) -> bytes:
        """The file's bytes."""
        return self.file.tobytes()


@dataclasses.dataclass(frozen=True, eq=False)
class Told:
    """One step to be read: a sentence, pictures of its own, and a table where it helps."""

    sentence: str
    pictures: tuple[Picture, ...] = ()
    table: Table | None = None

    def __post_init__(self) -> None:
        _short(self.sentence)
        if self.table is not None:
            cells = [*self.table.head, *(cell for row in self.table.rows for cell in row)]
            if len(cells) > CELLS:
                raise ValueError(f"a table of {len(cells)} cells")
            for cell in cells:
                _short(cell)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Reel(Result):
    """A film for the player: frames of one size, `seconds` for each, and a still in their place.

    Raises ValueError for what no film is.
    """

    title: str
    frames: tuple[Picture, ...]
    seconds: float
    still: Picture
    steps: tuple[Told, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _short(self.title)
        if not 1 <= len(self.frames) <= FRAMES or not 0.02 <= self.seconds <= 10:
            raise ValueError(f"a film of {len(self.frames)} frames of {self.seconds} s")
        if len({frame.size for frame in self.frames}) > 1:
            raise ValueError("frames of several sizes")
        pictures = sum(len(step.pictures) for step in self.steps)
        if len(self.steps) > STEPS or pictures > PICTURES:
            raise ValueError(f"a film of {len(self.steps)} steps with {pictures} pictures")


def _short(words: str) -> None:
    if len(words) > WORDS:
        raise ValueError(f"a sentence of {len(words)} letters")


class Count(Protocol):
    """Told after each picture."""

    def __call__(self, done: int, total: int) -> None:
        """Note that `done` of `total` are made."""


def encoded(film: Film, count: Count, *, quality: int = encode.QUALITY, method: int = 2) -> Reel:
    """Encode a film's pictures, `method` from 0 (quick) to 6 (small)."""
    total = len(film.frames) + 1 + sum(len(step.pictures) for step in film.steps)
    made = 0

    def picture(frame: Frame) -> Picture:
        nonlocal made
        data = encode.webp(frame.picture, quality=quality, method=method)
        made += 1
        count(made, total)
        return Picture(np.frombuffer(data, np.uint8), frame.caption)

    return Reel(
        title=film.title,
        frames=tuple(picture(frame) for frame in film.frames),
        seconds=film.seconds,
        still=picture(film.still),
        steps=tuple(
            Told(step.sentence, tuple(picture(frame) for frame in step.pictures), step.table)
            for step in film.steps
        ),
    )
