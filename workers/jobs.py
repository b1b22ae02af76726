"""A job: one run behind the wall, from the order to its result."""

from __future__ import annotations

import collections
import dataclasses
import secrets
import threading
import time
import traceback
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from workers.process import Stopped
from xai_core.errors import JobError, ParamError, VitrineError
from xai_core.task import Command

if TYPE_CHECKING:
    from workers.queue import Queue

Array = NDArray[np.float32]
Arrays = Mapping[str, NDArray[Any]]
PAUSE_LIMIT = 1800.0
"""Seconds that a run may be paused in all; then it goes on by itself."""

State = Literal["queued", "running", "done", "failed", "cancelled"]


class StillRunning(JobError, TimeoutError):
    """The wait for a result ran out; the job goes on."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A job at one moment.

    `place` is 1 for the next in the queue and 0 outside it; `done` of `total` steps; `seconds`
    since it started to run; `left` is a guess of the seconds to go, None where there is no ground
    for one; `partial` is the map so far, float32 `[h, w]`, and `arrays` what else the run shows of
    itself. `doing` says in two or three words what it is at before the method itself begins
    ("loading the model"), and is empty then. `paused` says that it waits for a command.
    """

    state: State
    place: int = 0
    done: int = 0
    total: int = 0
    seconds: float = 0.0
    left: float | None = None
    partial: Array | None = None
    arrays: Arrays = dataclasses.field(default_factory=dict)
    doing: str = ""
    paused: bool = False
    error: VitrineError | None = None


class Job:
    """One run, from the order to its result. Every method may be called from any thread.

    `lane` is what only one job at a time may use (a worker); None for nothing. `owner` is whose
    turn in the queue it takes; None for nobody's. `commands` are those
    that it takes while it runs. Its clock stands still while it is paused.
    """

    def __init__(
        self,
        work: Callable[[Job], Any],
        *,
        lane: Hashable = None,
        time_limit: float = 600.0,
        quick: bool = False,
        first: bool = False,
        commands: tuple[Command, ...] = (),
        owner: Hashable = None,
    ) -> None:
        self.id, self.owner = secrets.token_hex(8), owner
        self.lane, self.quick, self.first, self.commands = lane, quick, first, commands
        self._work, self._limit = work, time_limit
        self._late = ""
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._cancelled = False
        self._queue: Queue | None = None
        self._state: State = "queued"
        self._value: Any = None
        self._error: VitrineError | None = None
        self._started = self._ended = self._counting = self._from = 0.0
        self._told = 0.0
        self._done = self._total = self._first = 0
        self._partial: Array | None = None
        self._arrays: Arrays = MappingProxyType({})
        self._doing = ""
        self._asked: collections.deque[Command] = collections.deque(maxlen=100)
        self._begun = False
        self._paused_at: float | None = None
        self._stood = 0.0

    def snapshot(self) -> Snapshot:
        """Return how it stands now."""
        place = self._queue.place(self) if self._queue and self._state == "queued" else 0
        with self._lock:
            now = self._ended or self._now()
            return Snapshot(
                state=self._state,
                place=place if self._state == "queued" else 0,
                done=self._done,
                total=self._total,
                seconds=now - self._started if self._started else 0.0,
                left=self._left(now),
                partial=self._partial,
                arrays=self._arrays,
                paused=self._paused_at is not None,
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

    def command(self, name: Command) -> None:
        """Tell it to pause, go on, make one step, or stop and keep what there is.

        Raises ParamError where its task does not take that command.
        """
        if name not in self.commands:
            taken = ", ".join(self.commands) or "none"
            raise ParamError(f"A command to this run must be one of: {taken}; got {name[:40]!r}")
        if not self.over:
            self._asked.append(name)

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

    def orders(self) -> tuple[Command, ...]:
        """Return the commands to pass on now; a pause stops the clock and gives up the place.

        One that is to go on waits for a place first, before those who are new. While its worker is
        made ready there are none: they are for the task itself.
        """
        passed: list[Command] = []
        if not self._begun:
            return ()
        if self._paused_at is not None and self._standing() > PAUSE_LIMIT:
            self._asked.append("go on")
        while self._asked:
            name = self._asked[0]
            if name in ("go on", "stop") and self._paused_at is not None and not self._back():
                break
            self._asked.popleft()
            passed.append(name)
            if name in ("pause", "step"):
                self._stand()
        return tuple(passed)

    def _stand(self) -> None:
        with self._lock:
            if self._paused_at is None:
                self._paused_at = time.monotonic()
        if self._queue:
            self._queue.leave(self)

    def _back(self) -> bool:
        if self._queue and not self._queue.come_back(self):
            return False
        with self._lock:
            self._stood = self._standing()
            self._paused_at = None
        return True

    def _standing(self) -> float:
        """Return the seconds that it has been paused in all."""
        now = 0.0 if self._paused_at is None else time.monotonic() - self._paused_at
        return self._stood + now

    def _now(self) -> float:
        return time.monotonic() - self._standing()

    def progress(
        self, done: int, total: int, partial: Array | None = None, arrays: Arrays | None = None
    ) -> None:
        """Note how far it is, the map so far and what else there is to show."""
        with self._lock:
            self._told = self._now()
            if not self._counting:
                self._counting, self._first = self._told, done
            self._done, self._total = done, total
            if partial is not None:
                partial.setflags(write=False)
                self._partial = partial
            if arrays:
                for array in arrays.values():
                    array.setflags(write=False)
                self._arrays = MappingProxyType(dict(arrays))

    def say(self, doing: str) -> None:
        """Note what it is at, before the method itself begins."""
        self._doing = doing

    def begin(self) -> None:
        """Count the time per step from now: the task itself begins."""
        with self._lock:
            self._doing, self._counting, self._begun = "", self._now(), True

    def allow(self, limit: float, late: str = "") -> None:
        """Count what it may take from now: `limit` seconds, and `late` is said after that."""
        with self._lock:
            self._limit, self._late, self._from = limit, late, self._now()

    # For the queue

    def enter(self, queue: Queue) -> None:
        """Remember the queue."""
        self._queue = queue

    def run(self) -> None:
        """Do the work, and note how it ended; never raises."""
        with self._lock:
            self._state = "running"
            self._started = self._from = self._now()
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
                    self._late
                    or f"The run took longer than its limit of {self._limit:g} s, and was stopped. "
                    "Choose fewer samples, a larger step, or a smaller model."
                ),
            )

    def _end(self, state: State, *, value: Any = None, error: VitrineError | None = None) -> None:
        with self._lock:
            self._state, self._value, self._error = state, value, error
            self._ended = self._now()
            self._paused_at = None
            # What the work refers to (photos, models) must not live as long as the job is kept.
            self._work = _nothing
        self._over.set()

    def _out_of_time(self) -> bool:
        return bool(self._started) and self._now() - self._from > self._limit

    def _left(self, now: float) -> float | None:
        if self._state != "running" or not self._first < self._done <= self._total:
            return None
        pace = (self._told - self._counting) / (self._done - self._first)
        return max(0.0, pace * (self._total - self._done) - (now - self._told))


def _nothing(job: Job) -> None:
    return None
