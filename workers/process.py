"""The client's handles of the processes behind the wall: mothers, and the workers they fork."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers import spool
from workers.control import Control
from workers.grip import Grip
from workers.mother import LOG
from workers.protocol import Channel, ProtocolError
from workers.sandbox import ROOT
from xai_core.errors import BY_NAME, JobError, NeedsSource, VitrineError

Array = NDArray[np.float32]
Arrays = Mapping[str, NDArray[Any]]
OnProgress = Callable[[int, int, Array | None], None]
Stop = Callable[[], bool]

GRACE = 1.0
"""Seconds that a worker has to stop when asked, before it is killed."""

CAPS = {"result": 512 << 20, "progress": 32 << 20}
"""Bytes of arrays that a message of a worker's may bring, by its kind; none for the others."""

READY_LIMIT = 180.0
"""Seconds that a mother may take to import her frameworks."""

BIRTH_LIMIT = 30.0
"""Seconds that a worker may take from the order to its first word."""

LAST_WORD = 8.0
"""Seconds that a mother may take to say how a worker ended: she may be at an import."""


class Stopped(Exception):
    """The run was asked to stop, and has; `killed` says whether the worker went with it."""

    def __init__(self, killed: bool) -> None:
        super().__init__()
        self.killed = killed


class Died(Exception):
    """The worker ended in the middle of a run; the text is a sentence that says why.

    `detail` is the end of what its libraries printed.
    """

    def __init__(self, sentence: str, detail: str = "") -> None:
        super().__init__(sentence)
        self.detail = detail

    def error(self, before: str = "") -> JobError:
        """Return it as the error of a job."""
        error = JobError(before + str(self))
        error.detail = self.detail
        return error


class Mother:
    """One mother process of a kind: started at once, ready after her imports."""

    def __init__(self, kind: str, wall: Path, threads: int, operations: str = "") -> None:
        self.kind, self._wall = kind, wall
        self.state = "starting"
        self.seconds: float | None = None
        self.offered: dict[str, Any] | None = None
        self.failure = ""
        self._settled = threading.Event()
        self._workers: dict[int, Worker] = {}
        self._numbers = itertools.count(1)
        ours, hers = socket.socketpair()
        with hers:
            self._log = wall / f"mother-{kind}.log"
            home = spool.make_folder(wall, f"mother-{kind}-")
            with self._log.open("wb") as log:
                self.process = subprocess.Popen(
                    [
                        sys.executable,
                        *("-m", "workers.mother", kind),
                        *("--control", str(hers.fileno()), "--wall", str(wall)),
                        *("--threads", str(threads), "--operations", operations),
                    ],
                    cwd=ROOT,
                    env=_environment(home, threads),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[hers.fileno()],
                    start_new_session=True,  # Ctrl-C in the terminal is for the client alone
                )
        self._control = Control(ours)
        self._reader = threading.Thread(target=self._read, name=f"mother-{kind}", daemon=True)
        self._reader.start()

    def wait_ready(self, stop: Stop) -> None:
        """Wait for her imports. Raises JobError where she failed, Stopped when `stop` says so."""
        limit = time.monotonic() + READY_LIMIT
        while not self._settled.wait(0.05):
            if stop():
                raise Stopped(killed=False)
            if time.monotonic() > limit:
                self.close()
        if self.state != "ready":
            raise JobError(
                f"The process that runs {self.kind} models could not start: "
                f"{self.failure or 'it ended during its imports'}"
            )

    def spawn(self, *, read: Sequence[Path], memory: int, stop: Stop) -> Worker:
        """Fork a worker that may read `read`, and wait for its first word."""
        self.wait_ready(stop)
        ours, theirs = socket.socketpair()
        scratch = spool.make_folder(self._wall, "scratch-")
        worker = Worker(self, next(self._numbers), Channel(ours), scratch, memory)
        self._workers[worker.number] = worker
        order = {
            "op": "spawn",
            "id": worker.number,
            "read": [str(path) for path in read],
            "scratch": str(scratch),
            "memory": memory,
        }
        with theirs:
            try:
                self._control.send(order, theirs.fileno())
            except OSError:
                worker.ended(0, "mother")
        worker.greet(stop)
        return worker

    def kill(self, number: int) -> None:
        """Have one worker killed."""
        try:
            self._control.send({"op": "kill", "id": number})
        except OSError:
            self.close()

    def close(self) -> None:
        """End her and all her children."""
        if self.state != "failed":
            self.state = "stopped"
        try:
            self._control.send({"op": "bye"})  # she ends her children first
            self.process.wait(2 if self._settled.is_set() else 0)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()  # the kernel ends them with her
        self.process.wait()
        if self._reader is not threading.current_thread():
            self._reader.join(5)

    def _read(self) -> None:
        try:
            while True:
                for event, fds in self._control.receive():
                    self._hear(event, [Grip(fd) for fd in fds])
        except (EOFError, OSError, ValueError):
            pass
        if self.state in ("starting", "ready"):
            self.state = "failed"
            self.failure = self.failure or self._last_words()
        self.process.kill()
        self.process.wait()
        self._control.close()
        for worker in list(self._workers.values()):
            worker.ended(0, "mother")
        self._settled.set()

    def _hear(self, event: dict[str, Any], grips: list[Grip]) -> None:
        match event["event"]:
            case "ready":
                self.seconds, self.offered = event["seconds"], event["sandbox"]
                self.state = "ready"
                self._settled.set()
            case "failed":
                self.failure = event["why"]
            case "born":
                if worker := self._workers.get(event["id"]):
                    worker.born(event["pid"], grips)
            case "gone":
                if worker := self._workers.get(event["id"]):
                    worker.ended(event["code"], event["why"])

    def forget(self, number: int) -> None:
        """Drop a worker that ended."""
        self._workers.pop(number, None)

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").split("\n")
        except OSError:
            return ""
        return next((line[:300] for line in reversed(lines) if line.strip()), "")


class Worker:
    """One worker process: takes one order at a time."""

    def __init__(
        self, mother: Mother, number: int, channel: Channel, scratch: Path, memory: int
    ) -> None:
        self._mother, self.number, self._channel = mother, number, channel
        self._scratch, self._memory = scratch, memory
        self.pid: int | None = None
        self._grip: Grip | None = None
        self.sandbox: dict[str, Any] = {}
        self._gone = threading.Event()
        self._why, self._code = "", 0
        self._orders = itertools.count(1)

    @property
    def alive(self) -> bool:
        """Whether it still can take an order, as far as is known."""
        return not self._gone.is_set()

    def greet(self, stop: Stop) -> None:
        """Wait for its first word, which says what holds it."""
        limit = time.monotonic() + BIRTH_LIMIT

        def tick() -> None:
            if stop():
                raise Stopped(killed=True)
            if time.monotonic() > limit:
                raise EOFError

        try:
            self.sandbox = self._channel.receive(tick=tick, admit=_admit)[0]["sandbox"]
        except Stopped:
            self.kill()
            raise
        except (EOFError, KeyError, ProtocolError):
            raise self._death() from None

    def call(
        self, op: str, given: dict[str, Any], arrays: Arrays, *, stop: Stop, progress: OnProgress
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Give one order and wait for its answer.

        Raises the VitrineError that the worker says, Stopped after `stop` came true, and Died
        when the worker did.
        """
        job = next(self._orders)
        asked: float | None = None
        sending = True

        def tick() -> None:
            nonlocal asked
            if asked is None and stop():
                asked = time.monotonic()
                if not sending:
                    self._channel.send({"op": "cancel", "job": job})
            elif asked is not None and time.monotonic() - asked > GRACE:
                raise Stopped(killed=True)

        try:
            order = {"op": op, "job": job, "given": given}
            self._channel.send(order, arrays, tick=tick)
            sending = False
            if asked is not None:
                self._channel.send({"op": "cancel", "job": job})
            while True:
                body, made = self._channel.receive(tick=tick, admit=_admit)
                match body.get("event"):
                    case "progress":
                        progress(*_progress(body, made))
                    case "cancelled" if asked is not None:
                        raise Stopped(killed=False)
                    case "result" if isinstance(body.get("answer"), dict):
                        if asked is not None:
                            raise Stopped(killed=False)
                        return body["answer"], made
                    case "error":
                        if asked is not None:
                            raise Stopped(killed=False)
                        raise _error(body)
                    case _:
                        raise ProtocolError("An answer of no known kind")
        except Stopped as stopped:
            if stopped.killed:
                self.kill()
            raise
        except EOFError:
            if asked is not None or stop():
                self.kill()
                raise Stopped(killed=True) from None
            raise self._death() from None
        except ProtocolError as error:
            self.kill()
            raise Died(
                f"The worker's answer made no sense ({error}), so it was stopped. The model file "
                "may be hostile or damaged."
            ) from None

    def kill(self) -> None:
        """End the process now, and wait until it is gone."""
        if not self._gone.is_set():
            if self._grip is None or not self._grip.kill(5):
                self._mother.kill(self.number)
                self._gone.wait(5)
            self._gone.set()
        self._bury()

    def born(self, pid: int, grips: Sequence[Grip]) -> None:
        """Hear from the mother which process it is."""
        self.pid, self._grip = pid, next(iter(grips), None)

    def ended(self, code: int, why: str) -> None:
        """Hear from the mother that it is gone."""
        self._code, self._why = code, why
        self._mother.forget(self.number)
        self._gone.set()

    def _bury(self) -> None:
        self._channel.close()
        spool.remove(self._scratch)

    def _death(self) -> Died:
        if not self._gone.wait(LAST_WORD):
            self.kill()
        words = _tail(self._scratch / LOG)
        self._bury()
        return Died(_obituary(self._code, self._why, self._memory), words)


def _admit(body: dict[str, Any], size: int) -> bool:
    # A worker sends as many messages as it likes, so each kind has its own bound.
    return size <= CAPS.get(str(body.get("event")), 0)


def _tail(log: Path, size: int = 20_000) -> str:
    try:
        # The folder was a hostile worker's own: nothing but a plain file is opened.
        fd = os.open(log, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return ""
            file.seek(-min(size, file.seek(0, os.SEEK_END)), os.SEEK_END)
            lines = file.read(size).decode(errors="replace").split("\n")
        # The fault handler ends with every extension module's name, which tells nobody anything.
        kept = "\n".join(line for line in lines if not line.startswith("Extension modules:"))
        return plain_text(kept, size)
    except OSError:
        return ""


def _progress(body: dict[str, Any], arrays: Arrays) -> tuple[int, int, Array | None]:
    done, total, partial = body.get("done"), body.get("total"), arrays.get("partial")
    if type(done) is not int or type(total) is not int or not 0 <= done <= total:
        raise ProtocolError("progress that is not a number out of a total")
    if partial is not None and (partial.ndim != 2 or partial.dtype != np.float32):
        raise ProtocolError("a partial map that is not a map")
    return done, total, partial


def _error(body: dict[str, Any]) -> VitrineError:
    kind = BY_NAME.get(str(body.get("kind")), JobError)
    error = kind(plain_text(body.get("message"), 4000) or "The run failed and did not say why.")
    error.detail = plain_text(body.get("detail"), 20_000)
    example = body.get("example")
    if isinstance(error, NeedsSource) and isinstance(example, list) and len(example) == 3:
        error.example = tuple(
            side if type(side) is int and 0 < side < 10_000 else 0 for side in example
        )
    return error


def plain_text(text: object, cap: int) -> str:
    """Return what a worker said as printable text of a bounded length."""
    kept = (letter for letter in str(text or "")[:cap] if letter.isprintable() or letter == "\n")
    return "".join(kept)


def _obituary(code: int, why: str, memory: int) -> str:
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


def _environment(home: Path, threads: int) -> dict[str, str]:
    """Return a mother's whole environment: nothing of the client's, which may hold secrets."""
    many = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
        str(threads),
    )
    kept = {
        name: os.environ[name]
        for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH", "TZ")
        if name in os.environ
    }
    folders = dict.fromkeys(
        ("HOME", "TMPDIR", "MPLCONFIGDIR", "XDG_CACHE_HOME", "TORCH_HOME", "KERAS_HOME"), str(home)
    )
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONWARNINGS": "ignore",
        "PYTHONFAULTHANDLER": "1",
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
        "MPLBACKEND": "Agg",
        **many,
        **kept,
        **folders,
    }
