"""What a model says of a photo changed in several ways, with a map of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workers.tasks.explain import LEAST, MOST, Explain
from workers.tasks.predict import check_place
from xai_core.card import Card
from xai_core.errors import ImageError, JobError, ParamError, UnsupportedModel
from xai_core.hashes import hash_of
from xai_core.probes._augmented import AS_IS, Augmented, Cell, Change, small
from xai_core.probes.augmentations import Changed, changed
from xai_core.question import Question
from xai_core.region import Region
from xai_core.task import Arrays, Bench, Progress, Shape, Task, Wants, task

Pixels = NDArray[np.uint8]
MOST_CHANGES = 32
"""Changes of one grid."""


@task
class TryChanges(Task):
    """Answers a question about a photo, uint8 `[H, W, 3]`, as it is and changed in several ways.

    A photo whose side is longer than `LONGEST` is reduced first, for the photo as it is as well.
    `box` is what a shift moves, in the pixels of the photo that is given.
    """

    returns = Augmented
    commands = ("stop",)
    text: ClassVar[int] = 4 << 20

    pixels: Pixels
    question: Question
    changes: tuple[Change, ...]
    box: Region | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.question.made()
        if not 1 <= len(self.changes) <= MOST_CHANGES:
            raise ParamError(
                f"A grid has 1 to {MOST_CHANGES} changes, and this one would have "
                f"{len(self.changes)}"
            )
        dot = np.zeros((1, 1, 3), np.uint8)
        for change in self.changes:  # the name and the strength are checked
            changed(change.name, dot, 0.0)
            if change.strength:
                changed(change.name, np.zeros((16, 16, 3), np.uint8), change.strength)

    def wants(self) -> Wants:
        """Return what the question's engine wants."""
        return self.question.made().chosen().worker

    def limit(self, card: Card | None) -> float:
        """Return four times the estimate and a minute, from 10 minutes to 6 hours."""
        if card is None:
            return LEAST
        cost = self.question.made(card.input_size).cost(card)
        each = card.pace.seconds(cost) + card.pace.forward / 1000
        return min(MOST, max(LEAST, 4 * each * (len(self.changes) + 1) + 60))

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shapes of each cell's scores and of its explanation's arrays."""
        own = Explain(pixels=self.pixels, question=self.question).gives(card)
        made: dict[str, Shape] = {}
        for at in range(len(self.changes) + 1):
            for name in ("probabilities", "logits"):
                made[f"cells.{at}.{name}"] = Shape("<f4", ("classes",), optional=True)
            for name, shape in own.items():
                made[f"cells.{at}.explanation.{name}"] = dataclasses.replace(shape, optional=True)
        return made

    def shows(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shapes of what is known so far, in the order of the cells.

        `maps`, the class with the highest score (-1 where there is none), and its probability.
        """
        count = len(self.changes) + 1
        height, width = (1 << 10, 1 << 10) if card is None else card.input_size
        return {
            "maps": Shape("<f4", ("", "h", "w"), most=count * height * width),
            "firsts": Shape("<i4", ("",), most=count),
            "chances": Shape("<f4", ("",), most=count),
        }

    def all_changes(self) -> tuple[Change, ...]:
        """Return what each cell is, the photo as it is first."""
        return (Change(AS_IS), *self.changes)

    def photo(self, change: Change) -> Changed:
        """Return a cell's photo."""
        photo, box = small(self.pixels, self.box)
        if change.name == AS_IS:
            return Changed(photo)
        return changed(change.name, photo, change.strength, box=box, seed=self.seed)

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for other cells than were asked for, and answers that are none."""
        asked = self.all_changes()
        if not result.cells or len(result.cells) > len(asked):
            raise ValueError("other cells than were asked for")
        for cell, change in zip(result.cells, asked, strict=False):
            if cell.change != change:
                raise ValueError("a cell of another change")
            whole = (cell.logits, cell.probabilities, cell.explanation)
            if cell.problem and any(each is not None for each in whole):
                raise ValueError("an answer where there is a problem")
            if cell.problem:
                continue
            if any(each is None for each in whole):
                raise ValueError("a cell without an answer")
            chances = cell.probabilities
            good = np.isfinite(cell.logits).all() and np.isfinite(chances).all()
            if not good or not ((chances >= 0) & (chances <= 1)).all():
                raise ValueError("scores that are none")
            pixels = self.photo(change).pixels
            task = Explain(pixels=pixels, question=self.question)
            task.check(cell.explanation, card)
            check_place(cell.explanation.geometry, pixels, card)

    def run(self, bench: Bench, progress: Progress) -> Augmented:
        """Return the cells that were made until it was stopped."""
        asked = self.all_changes()
        cells: list[Cell] = []
        for at, change in enumerate(asked):
            try:
                cells.append(self._cell(bench, change, _Step(progress, at, len(asked))))
            except _Stopped:
                break
            progress(at + 1, len(asked), arrays=_so_far(cells, bench.model.input_size))
            if progress.stopping:
                break
        if not cells:
            raise JobError("It was stopped before the photo itself was answered.")
        return Augmented(question=self.question, cells=tuple(cells))

    def _cell(self, bench: Bench, change: Change, progress: Progress) -> Cell:
        model = bench.model
        try:
            pixels = self.photo(change).pixels
            view, geometry = model.preprocessing.view(pixels)
            logits = np.asarray(model.logits(view[None]), np.float32)
            if not np.isfinite(logits).all():
                raise UnsupportedModel("The model's answer to it is not a finite number.")
            method = self.question.made(model.input_size)
            made = method.explain(model, view, self.question.target, progress=progress)
        except (ImageError, ParamError, UnsupportedModel) as error:
            return Cell(change=change, problem=str(error))
        # behind the wall the client takes its own: a worker's word would not count
        image = "" if bench.sandbox else hash_of(pixels)
        return Cell(
            change=change,
            probabilities=model.head.probabilities(logits)[0],
            logits=logits[0],
            explanation=dataclasses.replace(
                made, geometry=geometry, model_hash=bench.hash, image_hash=image
            ),
        )


class _Stopped(Exception):
    """Ends a cell in the midst of it."""


class _Step:
    """Tells the progress of one cell as a part of all, and ends it where all is to stop."""

    def __init__(self, whole: Progress, at: int, count: int) -> None:
        self._whole, self._at, self._count = whole, at, count
        self.stopping = False

    def __call__(
        self,
        done: int,
        total: int,
        partial: NDArray[np.float32] | None = None,
        arrays: Arrays | None = None,
    ) -> None:
        """Note that `done` of `total` steps of this cell are made."""
        self._whole(self._at, self._count)
        if self._whole.stopping:
            raise _Stopped


def _so_far(cells: list[Cell], size: tuple[int, int]) -> dict[str, NDArray[Any]]:
    empty = np.zeros(size, np.float32)
    maps = [each.explanation.attribution if each.explanation else empty for each in cells]
    firsts = [-1 if each.first is None else each.first for each in cells]
    chances = [0 if each.probabilities is None else each.probabilities.max() for each in cells]
    return {
        "maps": np.stack(maps),
        "firsts": np.array(firsts, np.int32),
        "chances": np.array(chances, np.float32),
    }
