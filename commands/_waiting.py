"""Waiting for a job, with lines of progress on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from workers.client import Job
from workers.incoming import text
from xai_core.report.numbers import counted


def passes(done: int, total: int) -> str:
    """Say how far a run is."""
    return f"{done:,} of {counted(total, 'pass', 'passes')}"


def bytes_of(done: int, total: int) -> str:
    """Say how far a download is."""
    return f"{text(done)} of {text(total)}"


def wait(job: Job, what: str, said: Callable[[int, int], str] = passes) -> Any:
    """Wait for a job and return its result, with a line a second where there is news.

    Raises what the job ended with.
    """
    shown = ""
    while True:
        seen = job.snapshot()
        if seen.state not in ("queued", "running"):
            return job.result()
        if seen.state == "queued" and seen.place > 1:
            line = f"{what}: place {seen.place} in the queue"
        elif seen.total > 1:
            left = f", {seen.left:.0f} s left" if seen.left is not None else ""
            line = f"{what}: {said(seen.done, seen.total)}{left}"
        else:
            line = what
        if line != shown:
            print(line, file=sys.stderr)
            shown = line
        until = time.monotonic() + 1
        while time.monotonic() < until and job.snapshot().state in ("queued", "running"):
            time.sleep(0.02)
