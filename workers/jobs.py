"""Jobs and the queue they wait in: first come, first served, no more threads than cores."""

from __future__ import annotations

import dataclasses
import secrets
import threading
import time
import traceback
from collections.abc import Callable, Hashable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workers.process import Stopped
from xai_core.errors import JobError, VitrineError

Array = NDArray[np.float32]
State = Literal["queued", "running", "done", "failed", "cancelled"]


class StillRunning(JobError, TimeoutError):
    """The wait for a result ran out; the job goes on."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A job at one moment.

    `place` is 1 for the next in the queue and 0 outside it; `done` of `total` steps; `seconds`
    since it started to run; `left` is a guess of the seconds to go, None where there is no ground
    for one; `partial` is the map so far, float32 `[h, w]`. `doing` says in two or three words
    what it is at before the method itself begins ("loading the model"), and is empty then.
    """

    state: State
    place: int = 0
    done: int = 0
    total: int = 0
    seconds: float = 0.0
    left: float | None = None
    partial: Array | None = None
    doing: str = ""
    error: VitrineError | None = None


class Job:
    """One run, from the order to its result. Every method may be called from any thread.

    `lane` is what only one job at a time may use (a worker); None for nothing.
    """

    def __init__(
        self,
        work: Callable[[Job], Any],
        *,
        lane: Hashable = None,
        time_limit: float = 600.0,
        quick: bool = False,
        first: bool = False,
    ) -> None:
        self.id = secrets.token_hex(8)
        self.lane, self.quick, self.first = lane, quick, first
        self._work, self._limit = work, time_limit
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._cancelled = False
        self._queue: Queue | None = None
        self._state: State = "queued"
        self._value: Any = None
        self._error: VitrineError | None = None
        self._started = self._ended = self._counting = 0.0
        self._told = 0.0
        self._done = self._total = self._first = 0
        self._partial: Array | None = None
        self._doing = ""

    def snapshot(self) -> Snapshot:
        """Return how it stands now."""
        place = self._queue.place(self) if self._queue and self._state == "queued" else 0
        with self._lock:
            now = self._ended or time.monotonic()
            return Snapshot(
                state=self._state,
                place=place if self._state == "queued" else 0,
                done=self._done,
                total=self._total,
                seconds=now - self._started if self._started else 0.0,
                left=self._left(now),
                partial=self._partial,
                doing=self._doing if self._state == "running" else "",
                error=self._error,
            )

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the result. Raises its VitrineError, or StillRunning after `timeout` seconds."""
        if not self._over.wait(timeout):
            raise StillRunning(f"The run has not ended within {timeout:g} s, and goes on.")
        if self._error is not None:
            # A fresh traceback each time: the same error may be raised to many readers.
            raise self._error.with_traceback(None)
        return self._value

    def cancel(self) -> None:
        """Ask it to end; it does within two seconds. Nothing happens to one that has ended."""
        self._cancelled = True
        if self._queue and self._queue.withdraw(self):
            self._end("cancelled", error=JobError("The run was cancelled before it started."))

    @property
    def over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._over.is_set()

    def refuse(self, sentence: str) -> None:
        """End it before it began."""
        self._end("failed", error=JobError(sentence))

    # For the work itself

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked it to end."""
        return self._cancelled

    def should_stop(self) -> bool:
        """Say whether somebody cancelled it, or its time is over."""
        return self._cancelled or self._out_of_time()

    def progress(self, done: int, total: int, partial: Array | None = None) -> None:
        """Note how far it is."""
        with self._lock:
            self._told = time.monotonic()
            if not self._counting:
                self._counting, self._first = self._told, done
            self._done, self._total = done, total
            if partial is not None:
                partial.setflags(write=False)
                self._partial = partial

    def say(self, doing: str) -> None:
        """Note what it is at, before the method itself begins."""
        self._doing = doing

    def begin(self) -> None:
        """Count the time per step from now: the method itself begins."""
        with self._lock:
            self._doing, self._counting = "", time.monotonic()

    # For the queue

    def enter(self, queue: Queue) -> None:
        """Remember the queue."""
        self._queue = queue

    def run(self) -> None:
        """Do the work, and note how it ended; never raises."""
        with self._lock:
            self._state, self._started = "running", time.monotonic()
        try:
            value = self._work(self)
        except Stopped:
            self._end_stopped()
        except VitrineError as error:
            if self._cancelled:
                self._end_stopped()
            else:
                self._end("failed", error=error)
        except Exception as error:
            # A fault of ours: shown as one, with its traceback, instead of a job that never ends.
            failure = JobError(f"The run failed on this side ({type(error).__name__}: {error}).")
            failure.detail = traceback.format_exc()
            self._end("failed", error=failure)
        else:
            self._end("done", value=value)

    def _end_stopped(self) -> None:
        if self._cancelled:
            self._end("cancelled", error=JobError("The run was cancelled."))
        else:
            self._end(
                "failed",
                error=JobError(
                    f"The run took longer than its limit of {self._limit:g} s, and was stopped. "
                    "Choose fewer samples, a larger step, or a smaller model."
                ),
            )

    def _end(self, state: State, *, value: Any = None, error: VitrineError | None = None) -> None:
        with self._lock:
            self._state, self._value, self._error = state, value, error
            self._ended = time.monotonic()
            # What the work refers to (photos, models) must not live as long as the job is kept.
            self._work = _nothing
        self._over.set()

    def _out_of_time(self) -> bool:
        return bool(self._started) and time.monotonic() - self._started > self._limit

    def _left(self, now: float) -> float | None:
        if self._state != "running" or not self._first < self._done <= self._total:
            return None
        pace = (self._told - self._counting) / (self._done - self._first)
        return max(0.0, pace * (self._total - self._done) - (now - self._told))


def _nothing(job: Job) -> None:
    return None


class Queue:
    """Runs jobs on at most `slots` threads of work at a time, in the order in which they came.

    A job whose lane is in use is passed over until the lane is free. Quick jobs (a photo to
    decode, a file to look at: well under a second) have one slot of their own, so that a visitor
    with a new photo does not wait for somebody else's ten minutes.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._lock = threading.Lock()
        self._waiting: list[Job] = []
        self._running: list[Job] = []
        self._closed = False

    def submit(self, job: Job) -> Job:
        """Put a job into the queue; a `first` one goes before all others."""
        job.enter(self)
        with self._lock:
            if not self._closed:
                self._waiting.insert(0 if job.first else len(self._waiting), job)
        if self._closed:
            job.refuse("The wall is closed.")
        self._dispatch()
        return job

    def place(self, job: Job) -> int:
        """Return 1 for the next in the queue, 0 for a job that does not wait."""
        with self._lock:
            return self._waiting.index(job) + 1 if job in self._waiting else 0

    def withdraw(self, job: Job) -> bool:
        """Take a waiting job out; False where it no longer waits."""
        with self._lock:
            if job not in self._waiting:
                return False
            self._waiting.remove(job)
            return True

    def counts(self) -> dict[str, int]:
        """Return how many run, how many wait, and how many may run at once."""
        with self._lock:
            return {
                "running": len(self._running),
                "waiting": len(self._waiting),
                "slots": self.slots,
            }

    def close(self) -> list[Job]:
        """Cancel all, take no more, and return those that still run."""
        with self._lock:
            self._closed = True
            waiting, running = list(self._waiting), list(self._running)
        for job in (*waiting, *running):
            job.cancel()
        return running

    def _dispatch(self) -> None:
        with self._lock:
            while job := self._next():
                self._waiting.remove(job)
                self._running.append(job)
                name = f"job-{job.id}"
                threading.Thread(target=self._run, args=(job,), name=name, daemon=True).start()

    def _next(self) -> Job | None:
        busy = {job.lane for job in self._running if job.lane is not None}
        quick = sum(job.quick for job in self._running)
        free = {True: 1 - quick, False: self.slots - (len(self._running) - quick)}
        for job in self._waiting:
            if free[job.quick] > 0 and job.lane not in busy:
                return job
            if job.lane is not None:
                busy.add(job.lane)  # those behind it on the same lane keep their order
        return None

    def _run(self, job: Job) -> None:
        try:
            job.run()
        finally:
            with self._lock:
                self._running.remove(job)
            self._dispatch()
