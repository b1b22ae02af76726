"""The work under way for one visitor: any task in a slot of its own, and what came of it.

All tabs of a browser share it, so whatever changes it takes its lock and is counted.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from ui.slots import Slots, Work
from xai_core.errors import VitrineError
from xai_core.task import Task

if TYPE_CHECKING:
    from workers.client import Job, Snapshot

P = ParamSpec("P")
R = TypeVar("R")
U = TypeVar("U", bound="UnderWay")


def alone(change: Callable[Concatenate[U, P], R]) -> Callable[Concatenate[U, P], R]:
    """Let one tab at a time make a change, and count the changes."""

    @functools.wraps(change)
    def wrapped(desk: U, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with desk.lock:
            moved = change(desk, *args, **kwargs)
            if moved is not False:
                desk.version += 1
            return moved

    return wrapped


class Runs(Protocol):
    """Whatever runs a task: a model's handle, a worker that is held, a session."""

    def run(self, task: Task, /) -> Job:
        """Begin it. Raises VitrineError."""


class UnderWay:
    """The slots of work, and what the tasks gave that were begun in one by `begin`.

    `version` changes with whatever a tab may show. `results` holds a slot's last result, `notes`
    why its last task gave none.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.version = 0
        self.slots = Slots()
        self.results: dict[str, Any] = {}
        self.notes: dict[str, str] = {}

    def job(self, slot: str) -> Job | None:
        """Return the job in a slot."""
        work = self.slots.work(slot)
        return None if work is None else work.job

    @alone
    def change(self, act: Callable[[], R]) -> R:
        """Do what changes something that the tabs share; return what it gives."""
        return act()

    @alone
    def begin(self, slot: str, by: Runs, task: Task, *, what: Any = None) -> None:
        """Run a task in a slot, in the place of what runs there; the last result stays until then.

        `what` it is for is shown while it runs.
        """
        self.slots.cancel(slot)
        self.notes.pop(slot, None)
        try:
            job = by.run(task)
        except VitrineError as error:
            self.notes[slot] = str(error)
            return

        def done(result: Any) -> None:
            self.results[slot] = result

        def failed(found: Snapshot) -> None:
            self.notes[slot] = sentence(found, "It ended without a result.")

        self.slots.put(slot, Work(what, job, done, failed))

    @alone
    def stop(self, slot: str) -> None:
        """End what runs in a slot; its last result stays."""
        if self.slots.cancel(slot):
            self.notes[slot] = "Cancelled."


def sentence(found: Snapshot, otherwise: str) -> str:
    """Say why a job gave nothing."""
    error = found.error
    return str(error) if error is not None and str(error) else otherwise
