"""A lane: the one worker that a handle's tasks run in, made again whenever it is gone."""

from __future__ import annotations

import threading
import weakref
from pathlib import Path
from typing import Protocol

from workers.jobs import Job
from workers.process import Died, Stopped, Worker
from xai_core.card import Card
from xai_core.errors import JobError, VitrineError
from xai_core.result import Result
from xai_core.task import Task


class Owner(Protocol):
    """As much of a handle as its lane needs."""

    card: Card | None

    @property
    def folder(self) -> Path:
        """Where files of results go."""

    def make_room(self, lane: Lane) -> None:
        """Put others to rest where memory is short."""

    def allow(self, job: Job, task: Task) -> None:
        """Give a job the time that a task may take."""

    def load(self, job: Job, role: str) -> Worker:
        """Return a new worker that is ready for tasks."""

    def reload_later(self, lane: Lane) -> None:
        """Make it again in the background, before whatever waits."""


class Lane:
    """One worker that is held. One job at a time uses it.

    `role` is `own` for the worker of the handle's own kind, `both` for the one where the libraries
    run that need two frameworks. `restored` says that nothing is lost when it is made again.
    """

    def __init__(self, owner: Owner, role: str, *, restored: bool = True) -> None:
        # Weak: a closed model's card is freed at once, not when the collector finds the circle.
        self._owner: Owner = weakref.proxy(owner)
        self._role, self.restored = role, restored
        self._worker: Worker | None = None
        self._use = threading.Lock()
        self._resting = self._closed = False
        self.loaded = False
        self.failure: VitrineError | None = None

    @property
    def holds(self) -> bool:
        """Whether there is a worker now."""
        return self._worker is not None and self._worker.alive

    @property
    def reloading(self) -> bool:
        """Whether the next worker is on its way; one that died idle is made again when needed."""
        return self.loaded and not self._resting and self._worker is None

    def ready(self, job: Job) -> None:
        """See to it that there is a worker."""
        with self._use:
            self._ready(job)

    def call(self, job: Job, task: Task) -> Result:
        """Have one task done."""
        with self._use:
            worker = self._ready(job)
            self._owner.allow(job, task)
            job.begin()
            try:
                return worker.call(task, job, self._owner.card, self._owner.folder)
            except Died as died:
                if worker.idled:  # the news of it came after the order
                    raise self._refuse(worker) from None
                self._again()
                raise died.error() from None
            except Stopped as stopped:
                if stopped.killed:
                    self._again()
                raise

    def rest(self) -> bool:
        """End the worker to free its memory, until the next run; False where it is in use."""
        if not self._use.acquire(blocking=False):
            return False
        try:
            self._resting = True
            if self._worker is not None:
                self._worker.kill()
        finally:
            self._use.release()
        return True

    def close(self) -> None:
        """End the worker, in use or not."""
        self._closed = True
        if self._worker is not None:
            self._worker.kill()

    def _ready(self, job: Job) -> Worker:
        # A file that once failed to load, or took its worker along, is not tried again.
        if self.failure is not None:
            raise self.failure
        self._owner.make_room(self)
        if self._worker is not None and self._worker.alive:
            return self._worker
        if self._worker is not None and self._worker.misdeed:
            raise self._refuse(self._worker)
        if self._worker is not None:
            self._worker.kill()  # dead already, but its wire and its folder are still there
        try:
            worker = self._worker = self._owner.load(job, self._role)
        except Died as died:
            self.failure = died.error("The model could not be loaded. ")
            raise self.failure from None
        except VitrineError as error:
            self.failure = error
            raise
        except Stopped:
            first = not self.loaded and self._role == "own"
            if first or not job.cancelled:
                self.failure = JobError("The loading was stopped. Open the model again.")
            else:
                self._again()
            raise
        self.loaded, self._resting = True, False
        if self._closed:
            worker.kill()
            raise JobError("The model is closed. Open it again.")
        return worker

    def _refuse(self, worker: Worker) -> JobError:
        """Let a worker go whose file is not to be opened again, and return the sentence."""
        self.failure = error = JobError(f"{worker.misdeed} It is not opened again.")
        worker.kill()
        return error

    def _again(self) -> None:
        self._worker = None
        if not self._closed:
            self._owner.reload_later(self)
