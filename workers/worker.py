"""A worker: inside the sandbox it serves one model, or one photo, over its own wire.

It answers each order with progress, at most four times a second, and then a result, an error
or "cancelled". A cancel order is looked for whenever a method reports progress.
"""

from __future__ import annotations

import contextlib
import importlib
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers import tasks
from workers.protocol import Channel, ProtocolError
from workers.sandbox import State
from xai_core.errors import JobError, VitrineError

Array = NDArray[np.float32]
PERIOD = 0.25
"""Seconds between two reports of progress."""


class Cancelled(BaseException):
    """Stops a method from inside its progress; no library's `except Exception` catches it."""


class _Progress:
    """What a method calls after each step."""

    def __init__(self, channel: Channel, job: int) -> None:
        self._channel, self._job = channel, job
        self._told = -PERIOD
        self._looked = 0.0

    stopping = False

    def __call__(
        self,
        done: int,
        total: int,
        partial: Array | None = None,
        arrays: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        now = time.monotonic()
        if now - self._looked > 0.01:
            self._looked = now
            self._listen()
        if now - self._told < PERIOD:
            return
        self._told = now
        arrays = {} if partial is None else {"partial": np.asarray(partial, np.float32)}
        event = {"event": "progress", "done": int(done), "total": int(total)}
        self._channel.send(event, arrays)

    def _listen(self) -> None:
        while self._channel.readable():
            order, _ = self._channel.receive()
            if order["op"] == "cancel" and order["job"] == self._job:
                raise Cancelled


def serve(sock: socket.socket, kind: str, threads: int, operations: str, state: State) -> None:
    """Obey orders until the client hangs up."""
    channel = Channel(sock)
    known = dict(tasks.OPERATIONS)
    if operations:
        known.update(importlib.import_module(operations).OPERATIONS)
    _use_threads(threads)
    bench = tasks.Bench(sandbox=dict(state))
    channel.send({"event": "hello", "kind": kind, "sandbox": dict(state)})
    with contextlib.suppress(EOFError):
        while True:
            order, arrays = channel.receive()
            if order["op"] == "cancel":  # of a job that ended before the order came
                continue
            answer, made = _obey(known, bench, order, arrays, _Progress(channel, order["job"]))
            try:
                channel.send(answer, made)
            except (ProtocolError, TypeError) as error:
                channel.send(_failure(error))


def _obey(
    known: dict[str, tasks.Operation],
    bench: tasks.Bench,
    order: dict[str, Any],
    arrays: dict[str, NDArray[Any]],
    progress: _Progress,
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    try:
        answer, made = known[order["op"]](bench, order["given"], arrays, progress)
    except Cancelled:
        return {"event": "cancelled"}, {}
    except EOFError:
        raise
    except Exception as error:
        return _failure(error), {}
    return {"event": "result", "answer": answer}, made


def _failure(error: Exception) -> dict[str, Any]:
    detail = "".join(traceback.format_exception(error))[-20_000:]
    if isinstance(error, VitrineError):
        kind, message = type(error).__name__, str(error)
    else:
        kind, message = JobError.__name__, _sentence(error)
    event = {"event": "error", "kind": kind, "message": message[:4000], "detail": detail}
    example = getattr(error, "example", ())
    return event | ({"example": list(example)} if example else {})


def _sentence(error: Exception) -> str:
    name = type(error).__name__
    text = " ".join(str(error).split())[:300]
    short = isinstance(error, MemoryError) or "allocate memory" in text or "bad_alloc" in text
    if short:
        return (
            "There was not enough memory for this run. Choose a smaller batch or patch count, a "
            "smaller photo size, or a smaller model."
        )
    return f"The run failed inside the model or its library ({name}: {text or 'no message'})."


def _use_threads(threads: int) -> None:
    # After the fork: a pool of threads that was started before it would not survive it.
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
    if tensorflow := sys.modules.get("tensorflow"):
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
