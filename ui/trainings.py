"""What one visitor has trained of one kind of network: the runs, and the worker that keeps states.

It lies on the desk, so that a page can be left and come back to.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ui import pace
from ui.desk import Desk
from ui.slots import Work as Slot
from ui.under_way import sentence
from xai_core.errors import ParamError, VitrineError
from xai_core.task import Task
from xai_core.training.course import Turn
from xai_core.training.pace import Work
from xai_core.training.recording import Recording

if TYPE_CHECKING:
    from workers.client import Handle, Job, Snapshot

MOST = 6
"""Runs that are kept; the oldest that is not shown goes first."""
SIDES = 2
"""Runs that are shown side by side."""
KIND = "torch"
_SLOT = "training:"
_ids = itertools.count(1)
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One training: its values, the turns that it took, what was seen, how it is called.

    `shipped` names the recording where it came with Vitrine. `shown` is worked out once. `data` are
    a reader's own.
    """

    settings: Any
    recording: Recording
    title: str
    turns: tuple[Turn, ...] = ()
    shipped: str = ""
    data: Any = None
    id: int = dataclasses.field(default_factory=lambda: next(_ids))
    shown: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def called(self) -> str:
        """What tells it from others; a recording says that it is one."""
        return f"{self.title}, a recording" if self.shipped else self.title

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return what is worked out of it once, under a name that says all that it comes from."""
        if name not in self.shown:
            self.shown[name] = make()
        found: T = self.shown[name]
        return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """A training that is under way: its values, its turns, the run that it branched off."""

    settings: Any
    title: str
    turns: tuple[Turn, ...] = ()
    parent: Run | None = None
    data: Any = None

    @property
    def first(self) -> int:
        """The first epoch that it is recorded at."""
        return self.turns[-1].after + 1 if self.turns and self.whole is False else 0

    @property
    def whole(self) -> bool:
        """Whether it is recorded from the start, its parent having been made elsewhere."""
        return self.parent is not None and bool(self.parent.shipped)


class Trainings:
    """The runs of one kind; `sides` are those that are shown, the first on the left."""

    def __init__(self, name: str) -> None:
        self.name, self.slot = name, f"{_SLOT}{name}"
        self.runs: list[Run] = []
        self.sides: list[int] = []
        self.picked: dict[str, Any] | None = None
        self.branch: tuple[int, int] | None = None
        self.note = ""
        self._handle: Handle | None = None
        self._numbers = itertools.count(1)

    def number(self) -> int:
        """Return the number of the next run."""
        return next(self._numbers)

    def find(self, id: int) -> Run | None:
        """Return the run of that id."""
        return next((run for run in self.runs if run.id == id), None)

    @property
    def shown(self) -> list[Run]:
        """The runs that are shown."""
        return [run for run in map(self.find, self.sides) if run is not None]

    def show(self, *runs: Run) -> None:
        """Show these, and keep them."""
        for run in runs:
            if run not in self.runs:
                self.runs.append(run)
        self.sides = [run.id for run in runs][:SIDES]
        hidden = [each for each in self.runs if each.id not in self.sides]
        for old in sorted(hidden, key=lambda each: not each.shipped):  # those can be had again
            if len(self.runs) > MOST:
                self.runs.remove(old)

    def recording(self, name: str, make: Callable[[], Run | None]) -> Run | None:
        """Return the recording of that name that ships; `make` makes it the first time."""
        found = next((run for run in self.runs if run.shipped == name), None)
        return found or make()

    def handle(self, desk: Desk) -> Handle:
        """Return the worker that trains, one a visitor, so that its states are there to branch."""
        if self._handle is None or self._handle.state in ("closed", "failed"):
            self._handle = desk.session.hold(KIND)
        return self._handle

    def job(self, desk: Desk) -> Job | None:
        """Return the training under way."""
        return desk.job(self.slot)


def of(desk: Desk, name: str, start: Callable[[Trainings], None] | None = None) -> Trainings:
    """Return what a visitor has trained of a kind; `start` fills it the first time."""
    key = f"{_SLOT}{name}"
    if key not in desk.results:

        def fill() -> None:
            if key not in desk.results:
                made = Trainings(name)
                if start is not None:
                    start(made)
                desk.results[key] = made

        desk.change(fill)
    found: Trainings = desk.results[key]
    return found


def begin(desk: Desk, held: Trainings, task: Task, asked: Asked, work: Work | None = None) -> None:
    """Train; what comes of it is shown, beside the run that it branched off.

    `work` is what it does, from which the next ones are told how long they take.
    """

    def act() -> None:
        desk.slots.cancel(held.slot)
        held.note = ""
        try:
            job = held.handle(desk).run(task)
        except VitrineError as error:
            held.note = str(error)
            return

        def done(recording: Recording) -> None:
            if work is not None and not asked.turns:
                share = len(recording) / asked.settings.epochs
                pace.note(held.name, work, job.snapshot().seconds, share)
            _done(held, asked, recording)

        desk.slots.put(held.slot, Slot(asked, job, done, functools.partial(_failed, held)))

    desk.change(act)


def _done(held: Trainings, asked: Asked, recording: Recording) -> None:
    parent = asked.parent
    if parent is not None and recording.first:
        recording = recording.after(parent.recording)
    run = Run(
        settings=asked.settings,
        recording=recording,
        title=asked.title,
        turns=asked.turns,
        data=asked.data,
    )
    held.show(*([parent, run] if parent is not None else [run]))
    held.picked = held.branch = None
    held.note = " ".join(recording.notes)


def _failed(held: Trainings, found: Snapshot) -> None:
    held.note = sentence(found, "The training ended without a result.")


def past(after: int, run: Run) -> ParamError:
    """Return the error for a branch that leaves where its run has not been."""
    return ParamError(
        f"{run.title} ends with epoch {run.recording.last}, and cannot be left after epoch "
        f"{after}. Choose an earlier one."
    )
