"""A hold on a process that its number alone is not: numbers are given again, a pidfd is not."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import weakref


def take(pid: int) -> int | None:
    """Return a descriptor of a child that is not reaped yet; None where the system has none."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


class Grip:
    """The owner of such a descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._close = weakref.finalize(self, os.close, fd)

    def kill(self, patience: float) -> bool:
        """Kill the process, and wait for its end up to `patience` seconds; say whether it came."""
        if not self._close.alive:
            return True
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._fd, signal.SIGKILL)
        return self.ended(patience)

    def ended(self, patience: float) -> bool:
        """Say whether the process has ended, or does within `patience` seconds."""
        if not self._close.alive:
            return True
        ended = select.poll()
        ended.register(self._fd, select.POLLIN)
        return bool(ended.poll(patience * 1000))
