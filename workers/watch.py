"""A mother's watch on one worker: what it holds and uses, read from outside, whatever it says.

Memory, disk, threads, processor time without an order, and a leader that is gone. Whoever takes
more than its share is killed, and the reason goes to the client.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from pathlib import Path
from typing import NamedTuple

from workers import folders, groups

SCRATCH_CAP = 2 << 30
"""Bytes that a worker may keep in its scratch folder, whatever the number of files."""

THREADS = 256 + 8 * (os.cpu_count() or 1)
"""Threads of a worker. TensorFlow and torch start some tens, and a few for each processor."""

LONG = 1.0
"""Seconds after which an order lets others' go before."""

IDLE, IDLE_FOR = 3.0, 60.0
"""Seconds of processor time that a worker without an order may use, and in how many seconds."""


_HELD = re.compile(rb"^(?:RssAnon|RssShmem|VmSwap|HugetlbPages):\s*(\d+)", re.MULTILINE)
_TICKS = os.sysconf("SC_CLK_TCK")


class Looks(NamedTuple):
    """A process as the kernel tells it: its leader's state, processor seconds, threads."""

    state: str
    seconds: float
    threads: int


class Child:
    """A forked worker, as its mother sees it.

    `opens` says that its first order is a file to open, during which it stands behind others.
    """

    def __init__(
        self,
        pid: int,
        memory: int,
        scratch: Path,
        *,
        opens: bool = False,
        group: groups.Group | None = None,
    ) -> None:
        self.pid, self.memory, self.scratch, self.group = pid, memory, scratch, group
        self.reason, self._note = "", 0
        self._behind = self._opens = opens
        self._since: float | None = None
        self.looked = time.monotonic()
        self._idle: tuple[float, float] | None = None
        self._leaderless = False

    def heed(self, note: int) -> None:
        """Hear what the client noted of it last: odd while it has an order."""
        if note != self._note:
            self._note = note
            (self.work if note % 2 else self.rest)()

    def work(self) -> None:
        """Note that it has an order."""
        self._idle, self._since = None, time.monotonic()

    def rest(self) -> None:
        """Note that it has none any more: from now on its processor time is counted."""
        self._since, self._opens = None, False
        self._give_way()
        found = looks(self.pid)
        self._idle = (time.monotonic(), found.seconds) if found else None

    def watch(self) -> None:
        """Kill the child when it takes more than it may; never raises."""
        if self.reason:
            return
        self._give_way()
        try:
            reason = self._excess()
        except Exception:  # whatever one child thought of, the others' mother goes on
            reason = "scratch"
        if reason:
            self.kill(reason)

    def _excess(self) -> str:
        if resident(self.pid) > self.memory:
            return "memory"
        found = looks(self.pid)
        if found is not None:
            # Dead, and not reaped at the second look: other threads of it live on, unseen.
            gone = found.state in ("Z", "X")
            if gone and self._leaderless:
                return "leader"
            self._leaderless = gone
            if found.threads > THREADS:
                return "threads"
            if self._idle is not None and self._uses(*self._idle, found.seconds):
                return "idle"
        if time.monotonic() - self.looked > 1:
            held = folders.size(self.scratch)
            if held is not None:
                held += folders.unnamed(self.pid, self.scratch)
            self.looked = time.monotonic()
            if held is None or held > SCRATCH_CAP:
                return "scratch"
        return ""

    def _give_way(self) -> None:
        """Let it stand behind others while it opens a file or takes long, and beside them else."""
        lasts = self._since is not None and time.monotonic() - self._since > LONG
        behind = self._opens or lasts
        if behind != self._behind and groups.share(self.pid, behind, self.group):
            self._behind = behind

    def buried(self) -> None:
        """Note how it ended, where the kernel was faster than its mother."""
        if self.group is not None and self.group.full():
            self.reason = self.reason or "memory"

    def _uses(self, since: float, before: float, now: float) -> bool:
        if time.monotonic() - since > IDLE_FOR:
            self._idle = time.monotonic(), now
        return now - before > IDLE

    def kill(self, reason: str) -> None:
        """Kill the child; it is reaped later."""
        self.reason = self.reason or reason
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)


def looks(pid: int) -> Looks | None:
    """Return a process's looks; None for one that is gone, or without /proc."""
    try:
        # the command's name, in brackets, may itself hold spaces and brackets
        fields = told(pid, "stat").rpartition(b")")[2].split()
        seconds = (int(fields[11]) + int(fields[12])) / _TICKS
        return Looks(fields[0].decode(), seconds, int(fields[17]))
    except (OSError, ValueError, IndexError):
        return None


def resident(pid: int) -> int:
    """Return the bytes that a process holds for itself, files that it maps left out.

    What was moved out of RAM counts, too, or it could have that done to all that it holds.
    """
    try:
        return 1024 * sum(int(kilobytes) for kilobytes in _HELD.findall(told(pid, "status")))
    except OSError:
        return 0  # gone, or a system without /proc: the limit on address space is what is left


def told(pid: int, name: str) -> bytes:
    """Return what the kernel tells of a process under a name. Raises OSError.

    Ten times a second for each worker: without a Path, and without decoding.
    """
    with open(f"/proc/{pid}/{name}", "rb", buffering=0) as file:  # noqa: PTH123
        return file.read()
