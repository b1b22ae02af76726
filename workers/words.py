"""What workers say and how they end, as text: printable, of a bounded length, in sentences."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from workers.folders import plain_file
from xai_core.errors import BY_NAME, JobError, NeedsSource, VitrineError


def tail(log: Path, size: int = 20_000) -> str:
    """Return the end of what a worker's libraries printed."""
    try:
        # the folder was a hostile worker's own
        with plain_file(log) as file:
            file.seek(-min(size, file.seek(0, os.SEEK_END)), os.SEEK_END)
            lines = file.read(size).decode(errors="replace").split("\n")
        # The fault handler ends with every extension module's name, which tells nobody anything.
        kept = "\n".join(line for line in lines if not line.startswith("Extension modules:"))
        return plain_text(kept, size)
    except OSError:
        return ""


def error_of(body: dict[str, Any]) -> VitrineError:
    """Return the error that a worker speaks of."""
    name, message, detail = (
        each if isinstance(each, str) else ""
        for each in (body.get("kind"), body.get("message"), body.get("detail"))
    )
    kind = BY_NAME.get(name, JobError)
    error = kind(plain_text(message, 4000) or "The run failed and did not say why.")
    error.detail = plain_text(detail, 20_000)
    example = body.get("example")
    if isinstance(error, NeedsSource) and isinstance(example, list) and len(example) == 3:
        error.example = tuple(
            side if type(side) is int and 0 < side < 10_000 else 0 for side in example
        )
    return error


def plain_text(text: object, cap: int) -> str:
    """Return what a worker said as printable text of a bounded length."""
    whole = str(text or "")[:cap]
    if whole.isprintable():  # nearly all is: a card has thousands of names and sentences
        return whole
    return "".join(each for each in whole if each.isprintable() or each in "\n\u00a0")


MUTE = (
    "The worker stopped talking and went on, and was stopped. The model file may be hostile; if it "
    "is your own, run it again."
)
"""What is said of one that shut its wire and lived on."""

HOSTILE = ("threads", "idle", "leader", "scratch")
"""Reasons for a worker's end that no honest model gives."""


def obituary(code: int, why: str, memory: int) -> str:
    """Say why a worker ended, and what to do about it."""
    gib = f"{memory / (1 << 30):.3g} GiB"
    if why == "memory":
        return (
            f"The run needed more than the {gib} of memory that a worker may hold, and was "
            "stopped. Choose a smaller batch, fewer samples, or a smaller model."
        )
    if why == "scratch":
        return (
            "The worker filled its scratch folder, and was stopped. The model file may be hostile."
        )
    if why == "threads":
        return (
            "The worker started more threads than any model needs, and was stopped. The model file "
            "may be hostile."
        )
    if why == "idle":
        return (
            "The worker went on computing without an order, and was stopped. The model file may be "
            "hostile."
        )
    if why == "leader":
        return (
            "The worker's main thread ended while others went on, and it was stopped. The model "
            "file may be hostile."
        )
    if why == "mother":
        return "The process that the worker came from has ended, and took it along. Run it again."
    if why == "asked":
        return "The worker was stopped."
    if code == -signal.SIGKILL:
        return (
            "The system killed the worker, most likely because the machine ran out of memory. "
            "Close other models, or choose a smaller one."
        )
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        return (
            f"The worker crashed ({name}) inside the model's library. The file may be damaged, or "
            "made by a version that this one cannot read; save it again, or choose another method."
        )
    return f"The worker ended by itself (exit code {code}). {why}".strip()
