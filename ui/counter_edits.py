"""What a reader does to a photo by hand: the edits one after another, to undo and to do again."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ui import counter_runs
from ui.desk import Desk
from ui.held import Model, Photo
from ui.slots import Work
from ui.under_way import sentence
from workers.tasks.try_edit import TryEdit
from xai_core.errors import VitrineError
from xai_core.probes import edits
from xai_core.probes._augmented import reduced
from xai_core.probes._edited import Edited
from xai_core.probes.edit_words import Edit
from xai_core.probes.edits import Act, Drawn

if TYPE_CHECKING:
    from workers.client import Snapshot

Pixels = NDArray[np.uint8]
SLOT = "counter-edit"
CLIP = "counter-clip"
MOST = 40
"""Edits of one photo that are kept."""


@dataclasses.dataclass(frozen=True, eq=False)
class Clip:
    """A part that is taken along to another photo.

    `source` is the photo that has it: the one that was taken from as it is, or as it was edited.
    """

    photo: Photo
    pixels: Pixels
    drawn: Drawn
    source: Photo

    @property
    def share(self) -> float:
        """The share of its photo."""
        return float(self.drawn.area(self.pixels.shape[:2]).mean())


@dataclasses.dataclass(eq=False)
class Step:
    """One edit: the task that asks about it, the photo that it gave, and what a model said.

    `model` was asked last; `made` is its answer, or `note` says why there is none. `source` is the
    photo out of which a part was pasted in.
    """

    task: TryEdit
    words: str
    after: Pixels
    model: Model
    source: Photo | None = None
    made: Edited | None = None
    note: str = ""
    kept: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def word(self) -> str:
        """Write it as the command line takes it."""
        source = "" if self.source is None else self.source.word
        return Edit(self.task.act, self.task.drawn, self.task.fill, source).word

    @property
    def share(self) -> float:
        """The share of the photo out of which the part was drawn."""
        return float(self.task.drawn.area(self.task.pixels.shape[:2]).mean())

    def control(self) -> Pixels:
        """Return the first of its controls."""
        if "control" not in self.kept:
            place = counter_runs.place(self.model, self.task.before)
            self.kept["control"] = next(self.task.controls(place))
        made: Pixels = self.kept["control"]
        return made


@dataclasses.dataclass(eq=False)
class Edits:
    """The edits of one photo; `at` of them are done, the others were undone.

    `part` is drawn by now. A new `turn` says that the browser must take it as it is here.
    """

    photo: Photo
    base: Pixels
    steps: list[Step] = dataclasses.field(default_factory=list)
    at: int = 0
    part: Drawn | None = None
    by: tuple[int, int] = (0, 0)
    turn: int = 0
    note: str = ""

    @property
    def now(self) -> Pixels:
        """The photo as it is by now."""
        return self.steps[self.at - 1].after if self.at else self.base

    @property
    def step(self) -> Step | None:
        """The last edit that is done."""
        return self.steps[self.at - 1] if self.at else None

    @property
    def whole(self) -> bool:
        """Whether the first edit ever is still kept."""
        return not self.at or np.array_equal(self.steps[0].task.before, self.base)

    @property
    def words(self) -> str:
        """Say what was done to the photo."""
        done = [each.words for each in self.steps[: self.at]]
        return ", ".join(done) if len(done) < 3 else f"{len(done)} edits"


def of(desk: Desk, photo: Photo) -> Edits:
    """Return the edits of a photo; those of another one are gone."""
    held: Edits | None = desk.results.get(SLOT)
    if held is None or held.photo.id != photo.id:
        desk.slots.cancel(SLOT)
        held = desk.results[SLOT] = Edits(photo, reduced(photo.pixels))
    return held


def clip(desk: Desk, photo: Photo) -> Clip | None:
    """Return the part that was taken along from another photo."""
    held: Clip | None = desk.results.get(CLIP)
    return held if held is not None and held.photo.id != photo.id else None


def do(desk: Desk, model: Model, found: Edits, act: Act, fill: str) -> None:
    """Do something with what is drawn, or paste what was taken along, and ask the model."""

    def change() -> None:
        found.note = ""
        taken = clip(desk, found.photo)
        try:
            if taken is not None:
                drawn = dataclasses.replace(taken.drawn, by=found.by)
                task = TryEdit(pixels=taken.pixels, drawn=drawn, act="paste", into=found.now)
                words = edits.words(drawn, "paste", taken.pixels.shape[:2], found.photo.name)
                words = f"{words.split(' of the photo')[0]} of {taken.photo.name} pasted in"
            elif found.part is not None:
                task = TryEdit(pixels=found.now, drawn=found.part, act=act, fill=fill)
                words = edits.words(found.part, act, found.now.shape[:2])
            else:
                return
            next(task.controls(counter_runs.place(model, found.now)))  # what is none is refused
            source = None if taken is None else taken.source
            step = Step(task, words, task.edited(), model, source)
        except VitrineError as error:
            found.note = str(error)
            return
        found.steps[found.at :] = [step]
        del found.steps[:-MOST]
        found.at = len(found.steps)
        _afresh(desk, found)
        desk.results.pop(CLIP, None)
        _ask(desk, step, model)

    desk.change(change)


def ask(desk: Desk, step: Step, model: Model) -> None:
    """Ask a model about an edit, in the place of what was said of it."""
    desk.change(lambda: _ask(desk, step, model))


def _ask(desk: Desk, step: Step, model: Model) -> None:
    desk.slots.cancel(SLOT)
    step.model, step.made, step.note = model, None, ""
    step.kept.clear()
    try:
        job = model.handle.run(step.task)
    except VitrineError as error:
        step.note = str(error)
        return

    def done(made: Edited) -> None:
        step.made = made

    def failed(now: Snapshot) -> None:
        step.note = sentence(now, "It ended without an answer.")

    desk.slots.put(SLOT, Work(step, job, done, failed))


def _afresh(desk: Desk, found: Edits) -> None:
    """Begin with nothing drawn."""
    found.part, found.by, found.note, found.turn = None, (0, 0), "", found.turn + 1


def go(desk: Desk, found: Edits, at: int) -> None:
    """Undo or do again, until `at` edits are done."""

    def change() -> None:
        desk.slots.cancel(SLOT)
        found.at = min(max(at, 0), len(found.steps))
        _afresh(desk, found)

    desk.change(change)


def draw(desk: Desk, found: Edits, part: Drawn | None, note: str = "") -> None:
    """Keep what was drawn."""

    def change() -> None:
        found.part, found.note = part, note

    desk.change(change)


def drag(desk: Desk, found: Edits, by: tuple[int, int]) -> None:
    """Keep how far a part of another photo was dragged on this one."""

    def change() -> None:
        found.by = by

    desk.change(change)


def take(desk: Desk, found: Edits) -> None:
    """Take what is drawn along to another photo."""
    part = found.part
    if part is None:
        return

    def change() -> None:
        plain, source = dataclasses.replace(part, by=(0, 0)), found.photo
        if found.at:
            source = counter_runs.named(found.photo, found.words, found.now)
        desk.results[CLIP] = Clip(found.photo, found.now, plain, source)

    desk.change(change)


def drop(desk: Desk, found: Edits) -> None:
    """Let go of what was taken along."""

    def change() -> None:
        desk.results.pop(CLIP, None)
        _afresh(desk, found)

    desk.change(change)
