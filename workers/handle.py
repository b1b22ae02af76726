"""A worker that is held, as pages and the command line hold it: tasks run in it by name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from workers import kinds
from workers.jobs import Job
from workers.lane import Lane
from workers.process import Stopped, Worker
from workers.queue import Queue
from xai_core import plain
from xai_core.card import Card
from xai_core.errors import JobError, ParamError
from xai_core.result import Result
from xai_core.task import Task, named

State = Literal["loading", "ready", "failed", "reloading", "closed"]


class Behind(Protocol):
    """As much of the wall as a handle needs."""

    queue: Queue
    time_limit: float

    def spawn(self, kind: str, read: Sequence[Path], job: Job) -> Worker:
        """Fork a worker."""

    def allow(self, job: Job, task: Task, card: Card | None) -> None:
        """Give a job the time that a task may take."""

    def alone(self, job: Job, task: Task, read: Sequence[Path], folder: Path) -> Result:
        """Have one task done by a worker that ends with it."""

    def make_room(self, lane: Lane) -> None:
        """Put what is idle to rest."""


class Keeper(Protocol):
    """As much of a session as a handle needs."""

    folder: Path

    def forget(self, handle: Handle) -> None:
        """Drop a handle that is closed."""


class Handle:
    """A worker of a kind. `loading` is the job that makes it ready.

    `opening` is a task that is run in it first, and again whenever the worker had to be made anew:
    after a death, or after others needed its memory. What other tasks left in it is gone then.
    """

    card: Card | None = None

    def __init__(
        self,
        wall: Behind,
        session: Keeper,
        kind: str,
        opening: Task | None = None,
        read: Sequence[Path] = (),
    ) -> None:
        self._wall, self._session = wall, session
        self._kind, self._opening, self._read = kind, opening, tuple(read)
        self._lock = threading.Lock()
        self._closed = False
        self._jobs: list[Job] = []
        self._own = Lane(self, "own", restored=self._restored)
        self.loading: Job = self._submit(self._own, self._load)

    _restored = False

    @property
    def state(self) -> State:
        """Whether it can be used."""
        if self._closed:
            return "closed"
        if self._own.failure is not None:
            return "failed"
        if not self._own.loaded:
            return "loading"
        return "reloading" if self._own.reloading else "ready"

    def run(self, task: Task | str, /, **fields: Any) -> Job:
        """Run a task, given itself or by its name and fields; the result is what it returns.

        Raises ParamError for one that is not known, has other fields, or wants another worker.
        """
        asked = _made(task, fields)
        lane = self._lane_of(asked)

        def work(job: Job) -> Result:
            return self._noted(asked, lane.call(job, asked))

        return self._submit(lane, work, task=asked)

    def close(self) -> None:
        """Stop its runs and end its workers. Files stay until the session is closed."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            jobs, self._jobs = self._jobs, []
        for job in jobs:
            job.cancel()
        for lane in self._lanes():
            lane.close()
        self._session.forget(self)

    # For the lanes

    @property
    def folder(self) -> Path:
        """Where files of results go: its session's own."""
        return self._session.folder

    def make_room(self, lane: Lane) -> None:
        """Put others to rest where memory is short."""
        self._wall.make_room(lane)

    def allow(self, job: Job, task: Task) -> None:
        """Give a job the time that a task may take."""
        self._wall.allow(job, task, self.card)

    def load(self, job: Job, role: str) -> Worker:
        """Return a new worker in which the opening task was run.

        Raises JobError where that took too long.
        """
        self._prepare(job)
        kind = self._kind if role == "own" else role
        worker = self._wall.spawn(kind, self._readable(), job)
        if self._opening is None:
            return worker
        job.say("loading the model" if self._restored else "making ready")
        self._wall.allow(job, self._opening, None)
        try:
            self._opened(worker.call(self._opening, job, None, self.folder), worker, role)
        except Stopped:
            worker.kill()
            if job.cancelled:
                raise
            limit = min(self._opening.limit(None), self._wall.time_limit)
            said = self._opening.late(limit) or f"It was not ready within {limit:g} s."
            raise JobError(said) from None
        except BaseException:
            worker.kill()
            raise
        return worker

    def reload_later(self, lane: Lane) -> None:
        """Make a worker again in the background, before whatever waits."""
        if not self._closed:
            self._submit(lane, lambda job: lane.ready(job), first=True)

    # For what is held

    def _prepare(self, job: Job) -> None:
        """Do what must come before a worker is forked."""

    def _readable(self) -> Sequence[Path]:
        """List what its workers may read."""
        return self._read

    def _opened(self, result: Result, worker: Worker, role: str) -> None:
        """Note what the opening task gave."""

    def _noted(self, task: Task, result: Result) -> Result:
        """Note what a task gave, and return it as it is to be seen."""
        return result

    def _load(self, job: Job) -> Any:
        self._own.ready(job)

    def _lanes(self) -> Sequence[Lane]:
        return (self._own,)

    def _lane_of(self, task: Task) -> Lane:
        """Return the lane that a task belongs on. Raises ParamError."""
        if self._kind and task.wants() not in kinds.kind(self._kind).serves:
            raise ParamError(
                f"{type(task).__name__} wants a worker of the kind {task.wants()!r}, and this one "
                f"is of the kind {self._kind!r}"
            )
        return self._own

    def _submit(
        self,
        lane: Lane,
        work: Callable[[Job], Any],
        *,
        task: Task | None = None,
        first: bool = False,
    ) -> Job:
        job = Job(
            work,
            lane=lane,
            time_limit=self._wall.time_limit,
            first=first,
            quick=task is not None and task.quick,
            commands=() if task is None else task.commands,
            owner=id(self._session),
        )
        with self._lock:
            if self._closed:
                job.enter(self._wall.queue)
                job.refuse("The model is closed. Open it again.")
                return job
            self._jobs = [other for other in self._jobs if not other.over] + [job]
        return self._wall.queue.submit(job)


def _made(task: Task | str, fields: dict[str, Any]) -> Task:
    if isinstance(task, Task):
        if fields:
            raise ParamError(f"{type(task).__name__} was made already; give no fields besides")
        return checked(task)
    try:
        return checked(named(task)(**fields))
    except TypeError as error:
        raise ParamError(f"The task {task[:60]!r} cannot be made so: {error}") from None


def checked(task: Task) -> Task:
    """Return a task whose fields are what it declares. Raises ParamError for others."""
    try:
        data, arrays = plain.pack(task)
        plain.unpack(type(task), data, arrays)
    except (TypeError, ValueError) as error:
        name = type(task).__name__
        raise ParamError(f"{name} was given what it does not declare: {error}") from None
    return task
