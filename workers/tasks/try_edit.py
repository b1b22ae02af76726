"""What a model says of a photo once a drawn part of it is hidden, kept alone, moved or pasted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core.card import Card, Cost
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import Geometry, Predicts
from xai_core.params import number
from xai_core.probes._augmented import LONGEST
from xai_core.probes._edited import Edited
from xai_core.probes.edit_controls import control, drawn_shifts, touches
from xai_core.probes.edits import ACTS, Act, Drawn, edited
from xai_core.probes.fills import FILLS
from xai_core.region import Region
from xai_core.task import Bench, Progress, Shape, Task, task

Pixels = NDArray[np.uint8]
DRAWS = 5


@task
class TryEdit(Task):
    """Asks a model about a photo, uint8 `[H, W, 3]`, before and after an edit, and its controls.

    Neither side is longer than `LONGEST`. With `into` the part is pasted into that photo, and that
    one is what was there before. `seed` draws the controls.
    """

    needs = (Predicts,)
    returns = Edited
    text: ClassVar[int] = 64 << 10

    pixels: Pixels
    drawn: Drawn
    act: Act
    fill: str = FILLS[0]
    into: Pixels | None = None
    seed: int = 0
    draws: int = number(DRAWS, 1, 20, unit="draws", help="Regions as large in other places.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.act not in ACTS or self.fill not in FILLS:
            raise ParamError("An edit hides, keeps, moves or pastes, with a fill that is known")
        if self.into is not None and self.act != "paste":
            raise ParamError("Only a paste goes into another photo")
        for photo in (self.pixels, self.before):
            if max(photo.shape[:2]) > LONGEST:
                raise ParamError(f"A photo that is edited has sides of at most {LONGEST} px")

    @property
    def before(self) -> Pixels:
        """The photo that is changed."""
        return self.pixels if self.into is None else self.into

    def cost(self, card: Card | None = None) -> Cost:
        """Return a pass for each photo."""
        return Cost(forward=2 + self.draws)

    def limit(self, card: Card | None) -> float:
        """Return four times the estimate and ten minutes: filling large holes takes a while."""
        return 600.0 if card is None else 600.0 + 4 * card.pace.seconds(self.cost(card))

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shapes of the answers."""
        sides = (2 + self.draws, "classes")
        return {"logits": Shape("<f4", sides), "probabilities": Shape("<f4", sides)}

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for answers that are none."""
        chances = result.probabilities
        if not np.isfinite(result.logits).all() or not np.isfinite(chances).all():
            raise ValueError("scores that are none")
        if not ((chances >= 0) & (chances <= 1)).all():
            raise ValueError("probabilities that are none")

    def edited(self) -> Pixels:
        """Return the edited photo. Raises ParamError for an edit that is none."""
        return edited(self.pixels, self.drawn, self.act, fill=self.fill, into=self.into)

    def controls(self, geometry: Geometry) -> Iterator[Pixels]:
        """Return the controls one by one; `geometry` says what the model sees.

        Raises ParamError where it sees nothing of what was drawn.
        """
        window = window_of(geometry)
        touches(self.pixels, self.drawn, self.act, window, self.into)
        for shift in drawn_shifts(self._rolls(window), self.draws, self.seed):
            yield control(
                self.pixels, self.drawn, self.act, window, shift, fill=self.fill, into=self.into
            )

    def _rolls(self, window: Region) -> Region:
        """Return where a control's region is rolled: a paste takes it from anywhere."""
        height, width = self.pixels.shape[:2]
        return Region(0, 0, height, width) if self.act == "paste" else window

    def run(self, bench: Bench, progress: Progress) -> Edited:
        """Return what the model says."""
        model = bench.model
        before = self.before
        geometry = model.preprocessing.geometry((before.shape[0], before.shape[1]))
        rows = []
        for photo in self._photos(geometry):
            view, _ = model.preprocessing.view(photo)
            logits = np.asarray(model.logits(view[None]), np.float32)[0]
            if not np.isfinite(logits).all():
                raise UnsupportedModel(
                    "The model's answer to an edited photo is not a finite number: it overflows. "
                    "Check its pre-processing."
                )
            rows.append(logits)
            progress(len(rows), 2 + self.draws)
        logits = np.stack(rows)
        chances = np.asarray(model.head.probabilities(logits), np.float32)
        return Edited(logits=logits, probabilities=chances)

    def _photos(self, geometry: Geometry) -> Iterator[Pixels]:
        yield self.before
        yield self.edited()
        yield from self.controls(geometry)


def window_of(geometry: Geometry) -> Region:
    """Return the whole pixels of a photo that the model sees."""
    top, left, bottom, right = geometry.box
    height, width = geometry.photo
    up, start = (max(0, int(np.floor(each))) for each in (top, left))
    down, end = int(np.ceil(bottom)), int(np.ceil(right))
    return Region(up, start, min(height, max(down, up + 1)), min(width, max(end, start + 1)))
