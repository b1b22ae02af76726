"""The queue that jobs wait in: a turn each, no more threads than cores but for one visitor's."""

from __future__ import annotations

import collections
import threading
import time

from workers.jobs import Job
from workers.watch import LONG

QUICK = 3
"""Quick jobs that run at once at the most, all but one of them longer than they were to be."""


class Queue:
    """Runs jobs on at most `slots` threads of work at a time; owners take turns.

    An owner is a visitor; one with many jobs waits behind one with fewer, and each owner's jobs run
    in the order in which they came. Where one owner has all slots, or a job has had one for `LONG`
    (it shares its core then, and stands behind), one more is there for others: nobody waits for
    the end of somebody else's ten minutes.

    A job whose lane is in use is passed over until the lane is free. Quick jobs (a photo to
    decode, a file to look at: well under a second) have one slot of their own, so that a visitor
    with a new photo does not wait for somebody else's ten minutes; one that proves to be none
    makes room for others' in the same way, up to `QUICK` together. A job that is paused gives its
    slot up; when it goes on, the next slot that is free is its own.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._lock = threading.Lock()
        self._waiting: list[Job] = []
        self._running: list[Job] = []
        self._paused: set[Job] = set()
        self._returning: list[Job] = []
        self._since: dict[Job, float] = {}
        self._bell: threading.Timer | None = None
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
            return self._ordered().index(job) + 1 if job in self._waiting else 0

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
            if self._bell is not None:
                self._bell.cancel()
            waiting, running = list(self._waiting), list(self._running)
        for job in (*waiting, *running):
            job.cancel()
        return running

    def leave(self, job: Job) -> None:
        """Give up a running job's slot, until it comes back."""
        with self._lock:
            if job in self._running:
                self._paused.add(job)
                self._returning = [each for each in self._returning if each is not job]
        self._dispatch()

    def come_back(self, job: Job) -> bool:
        """Take a slot again; False where none is free yet, and then the next one is the job's."""
        with self._lock:
            if job not in self._paused:
                return True
            if job not in self._returning:
                self._returning.append(job)
            if self._taken() >= self.slots or self._returning[0] is not job:
                return False
            self._returning.pop(0)
            self._paused.discard(job)
            return True

    def _taken(self) -> int:
        return sum(not job.quick and job not in self._paused for job in self._running)

    def _dispatch(self) -> None:
        with self._lock:
            while job := self._next():
                self._waiting.remove(job)
                self._running.append(job)
                self._since[job] = time.monotonic()
                name = f"job-{job.id}"
                threading.Thread(target=self._run, args=(job,), name=name, daemon=True).start()
            self._set_bell()

    def _next(self) -> Job | None:
        busy = {job.lane for job in self._running if job.lane is not None}
        free = {True: 1 - len(self._quick()), False: self.slots - self._taken()}
        free[False] -= len(self._returning)
        owners = {True: self._quick_owners(), False: self._busy_owners()}
        for job in self._ordered():
            busy_owners = owners[job.quick]
            beside = busy_owners is not None and job.owner not in busy_owners
            if (free[job.quick] > 0 or beside) and job.lane not in busy:
                return job
            if job.lane is not None:
                busy.add(job.lane)  # those behind it on the same lane keep their order
        return None

    def _ordered(self) -> list[Job]:
        """Return who waits, the next one first."""
        turns: collections.Counter[object] = collections.Counter(
            job.owner for job in self._working()
        )
        ranked: list[tuple[bool, int, int, Job]] = []
        for job in self._waiting:
            turn = turns[job.owner] if job.owner is not None else 0
            turns[job.owner] += 1
            ranked.append((not job.first, turn, len(ranked), job))
        return [job for *_, job in sorted(ranked, key=lambda each: each[:3])]

    def _working(self) -> list[Job]:
        return [job for job in self._running if not job.quick and job not in self._paused]

    def _quick(self) -> list[Job]:
        return [job for job in self._running if job.quick]

    def _quick_owners(self) -> set[object] | None:
        """Return beside whose quick jobs one more may run, of anybody else; None for nobody's."""
        running = self._quick()
        lasting = [job for job in running if self._lasts(job)]
        if not lasting or len(lasting) < len(running) or len(running) >= QUICK:
            return None
        return {job.owner for job in lasting}

    def _lasts(self, job: Job) -> bool:
        return time.monotonic() - self._since[job] >= LONG

    def _busy_owners(self) -> set[object] | None:
        """Return beside whose jobs one more may run, of anybody else; None for nobody's."""
        working = self._working()
        # there is a slot, or the one more is taken, or the next is a returning job's
        if len(working) != self.slots or self._returning:
            return None
        owners = {job.owner for job in working}
        lasting = {job.owner for job in working if self._lasts(job)}
        alone = owners if len(owners) == 1 and None not in owners else set()
        return alone | lasting or None

    def _set_bell(self) -> None:
        """See to it that who waits is looked at again when a job has become a long one."""
        now = time.monotonic()
        left = [LONG - (now - self._since[job]) for job in (*self._working(), *self._quick())]
        left = [each for each in left if each > 0]
        if left and self._waiting and self._bell is None and not self._closed:
            self._bell = threading.Timer(min(left) + 0.01, self._ring)
            self._bell.daemon = True
            self._bell.start()

    def _ring(self) -> None:
        with self._lock:
            self._bell = None
        self._dispatch()

    def _run(self, job: Job) -> None:
        try:
            job.run()
        finally:
            with self._lock:
                self._running.remove(job)
                del self._since[job]
                self._paused.discard(job)
                self._returning = [each for each in self._returning if each is not job]
            self._dispatch()
