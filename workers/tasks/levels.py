"""What the levels of a detector's backbone hold of a photo, and the film of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import reel
from xai_core.card import Card
from xai_core.detection.levels import SHOWN, Levels, film, summed_up
from xai_core.model import Detects, ShowsLayers
from xai_core.task import Bench, Progress, Shape, Task, task

SIDE = 512
"""The longest side of a level's map."""


@task
class LookAtLevels(Task):
    """Reads every level of a detector's backbone on a photo, uint8 `[H, W, 3]`."""

    needs: ClassVar[tuple[type, ...]] = (Detects, ShowsLayers)
    returns = Levels

    pixels: NDArray[np.uint8]

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shapes of the maps."""
        return {"maps.*": Shape("<f4", ("", "", ""), most=(1 + SHOWN) * SIDE * SIDE)}

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for levels that the detector has not."""
        names = list(result.maps)
        if not names or set(result.numbers) != set(names) or set(result.channels) != set(names):
            raise ValueError("levels of different names")
        known = {} if card is None else {layer.name: layer for layer in card.layers}
        for name in names:
            maps, numbers = result.maps[name], result.numbers[name]
            good = len(maps) == 1 + len(numbers) and np.isfinite(maps).all() and maps.size
            if not good or (card is not None and name not in known):
                raise ValueError("a level that is none")
            if not all(0 <= number < result.channels[name] for number in numbers):
                raise ValueError("a channel that is none")

    def run(self, bench: Bench, progress: Progress) -> Levels:
        """Return them. All levels together, which is one layer more, is left out."""
        model = bench.model
        view, _ = model.preprocessing.view(self.pixels)
        rows = [row for row in model.layers() if row.kind == "level"]
        made = {}
        for number, row in enumerate(rows):
            made[row.name] = summed_up(model.activations(view[None], row.name)[0])
            progress(number + 1, len(rows))
        return Levels(
            maps={name: maps for name, (maps, _) in made.items()},
            numbers={name: numbers for name, (_, numbers) in made.items()},
            channels={row.name: row.channels for row in rows},
        )


@task
class DrawLevels(Task):
    """Draws the levels of a view, float32 `[h, w, 3]`, for the player."""

    worker = "plain"
    returns = reel.Reel
    text: ClassVar[int] = 128 << 10
    _gives: ClassVar[Mapping[str, Shape]] = MappingProxyType(
        {
            "frames.*": Shape("|u1", ("",), most=8 << 20),
            "still.file": Shape("|u1", ("",), most=1 << 20),
            "steps.*": Shape("|u1", ("",), most=8 << 20),
        }
    )

    levels: Levels
    view: NDArray[np.float32]

    def limit(self, card: Card | None) -> float:
        """Return 60 s."""
        return 60.0

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the pictures, of any number of bytes within bounds."""
        return self._gives

    def run(self, bench: Bench, progress: Progress) -> reel.Reel:
        """Return the film."""
        return reel.encoded(film(self.levels, self.view), progress)
