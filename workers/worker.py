"""A worker: inside the sandbox it does one task after another, as they come over its own wire.

It answers each with progress, at most four times a second and where it stands, and then a result,
an error or "cancelled". Whenever a task reports progress it looks for commands: cancel, or those
that the task declares.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.protocol import ORDER_CAP, Body, Channel, Kind, ProtocolError
from workers.sandbox import State
from xai_core import plain, task
from xai_core.errors import JobError, VitrineError

Array = NDArray[np.float32]
PERIOD = 0.25
"""Seconds between two reports of progress."""

MOST_WORDS = 60_000
"""Bytes of JSON that the words about an error may take."""

CAPS: dict[Kind, int] = {"order": ORDER_CAP, "command": 1 << 10}


class Cancelled(BaseException):
    """Stops a task from inside its progress; no library's `except Exception` catches it."""


class Progress:
    """What a task calls after each step; it waits here while it is paused."""

    def __init__(self, channel: Channel, job: int, asked: task.Task) -> None:
        self.stopping = False
        self._channel, self._job, self._task = channel, job, asked
        self._told = -PERIOD
        self._looked = 0.0
        self._paused = self._step = False
        self._waiting: dict[str, Any] = {}
        self._shows = bool(asked.shows(None))

    def __call__(
        self, done: int, total: int, partial: Array | None = None, arrays: task.Arrays | None = None
    ) -> None:
        """Note how far it is. Raises Cancelled.

        What is to be shown and comes too fast goes with the next report. A step leads to the next
        call that shows something; those between count within it.
        """
        now = time.monotonic()
        if self._paused or now - self._looked > 0.01:
            self._looked = now
            self._listen()
        if partial is not None or arrays or not self._shows:
            self._step = False
        if partial is not None or arrays:
            self._waiting = dict(arrays or {})
            if partial is not None:
                self._waiting["partial"] = np.asarray(partial, np.float32)
            self._declared(self._waiting)
        if done >= total and self._told < 0 and not (self._waiting or self._paused):
            return  # its result is on the way, and tells more
        # one that stands says where
        if (self._paused and not self._step) or now - self._told >= PERIOD:
            self._told = now
            made, self._waiting = self._waiting, {}
            self._channel.send("progress", {"done": int(done), "total": int(total)}, made)
        while self._paused and not self._step:
            self._channel.readable(None)
            self._listen()

    def _declared(self, made: dict[str, Any]) -> None:
        known, shows = self._task.shows(None), f"{type(self._task).__name__}.shows"
        stars = [name for name in known if name.endswith("*")]
        for name, array in made.items():
            star = next((each for each in stars if name.startswith(each[:-1])), "")
            shape = known.get(name) or known.get(star)
            if shape is None:
                raise TypeError(f"{shows} does not declare {name!r}")
            have = np.asarray(array)
            if have.dtype.str != shape.dtype or have.ndim != len(shape.sides):
                raise TypeError(
                    f"{shows} declares {name!r} as {shape.dtype} {list(shape.sides)}, "
                    f"and not as {have.dtype.str} {list(have.shape)}"
                )

    def _listen(self) -> None:
        while self._channel.readable():
            _, body, _ = self._channel.receive(CAPS)
            if body.get("job") != self._job:
                continue
            match body.get("say"):
                case "cancel":
                    raise Cancelled
                case "pause":
                    self._paused, self._step = True, False
                case "step":
                    self._paused = self._step = True
                case "go on":
                    self._paused = False
                case "stop":
                    self._paused, self.stopping = False, True


def serve(sock: socket.socket, kind: str, threads: int, state: State, scratch: Path) -> None:
    """Do what is asked until the client hangs up."""
    channel = Channel(sock, inside=True)
    _use_threads(threads)
    bench = task.Bench(sandbox=dict(state), folder=scratch)
    channel.send("hello", {"kind": kind, "sandbox": dict(state)})
    with contextlib.suppress(EOFError):
        while True:
            what, order, arrays = channel.receive(CAPS)
            if what == "command":  # to a task that ended before it came
                continue
            answer = _obey(bench, channel, order, arrays)
            try:
                channel.send(*answer)
            except (ProtocolError, TypeError, ValueError) as error:
                channel.send("error", _failure(error))


def _obey(
    bench: task.Bench, channel: Channel, order: Body, arrays: dict[str, NDArray[Any]]
) -> tuple[Kind, Body, dict[str, NDArray[Any]]]:
    try:
        asked = plain.unpack(task.named(order["task"]), order["given"], arrays)
        asked.ready(bench)
        data, made = asked.run(bench, Progress(channel, order["job"], asked)).to_wire()
    except Cancelled:
        return "cancelled", {}, {}
    except EOFError:
        raise
    except Exception as error:
        return "error", _failure(error), {}
    return "result", data, made


def _failure(error: Exception) -> Body:
    detail = "".join(traceback.format_exception(error))[-20_000:]
    if isinstance(error, VitrineError):
        kind, message = type(error).__name__, str(error)
    else:
        kind, message = JobError.__name__, _sentence(error)
    body: Body = {"kind": kind, "message": message[:4000], "detail": detail}
    while len(json.dumps(body)) > MOST_WORDS:
        body["detail"] = body["detail"][len(body["detail"]) // 2 + 1 :]
    example = getattr(error, "example", ())
    return body | ({"example": list(example)} if example else {})


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
