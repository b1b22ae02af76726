"""The client's handle of a mother: a process that forks workers of one kind."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workers import groups, kinds, spool
from workers.control import Board, Control
from workers.grip import Grip
from workers.process import Stop, Stopped, Worker
from workers.protocol import Channel
from workers.sandbox import ROOT
from xai_core.device import VARIABLE, Device
from xai_core.discovery import EXTENSIONS
from xai_core.errors import JobError

READY_LIMIT = 180.0
"""Seconds that a mother may take to import her frameworks."""


class Mother:
    """One mother process of a kind: started at once, ready after her imports."""

    def __init__(self, kind: str, wall: Path, threads: int, device: Device = "cpu") -> None:
        self.kind, self._wall = kind, wall
        self.state = "starting"
        self.seconds: float | None = None
        self.offered: dict[str, Any] | None = None
        self.failure = ""
        self._settled = threading.Event()
        self._workers: dict[int, Worker] = {}
        self._numbers = itertools.count(1)
        self._board = Board.new()
        ours, hers = socket.socketpair()
        with hers:
            self._log = wall / f"mother-{kind}.log"
            home = spool.make_folder(wall, f"mother-{kind}-")
            with self._log.open("wb") as log:
                self.process = subprocess.Popen(
                    [
                        sys.executable,
                        *("-m", "workers.mother", kind),
                        *("--control", str(hers.fileno()), "--board", str(self._board.fd)),
                        *("--wall", str(wall)),
                        *("--threads", str(threads)),
                        *_divided(),
                    ],
                    cwd=ROOT,
                    env=_environment(home, threads, device if kinds.kind(kind).gpu else "cpu"),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[hers.fileno(), self._board.fd],
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

    def tell(self, number: int, works: bool, *, now: bool = False) -> None:
        """Let her know that a worker has an order, or none any more; `now`, or at her next look."""
        self._board.note(number, works)
        if now:
            with contextlib.suppress(OSError):  # she is gone, and takes it along
                self._control.send({"op": "look"})

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


def _divided() -> tuple[str, ...]:
    """Return the flag that names the group in which workers' are made."""
    base = groups.divided()
    return () if base is None else ("--groups", str(base))


def _environment(home: Path, threads: int, device: Device) -> dict[str, str]:
    """Return a mother's whole environment: nothing of the client's, which may hold secrets."""
    many = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
        str(threads),
    )
    kept = {
        name: os.environ[name]
        for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH", "TZ", EXTENSIONS)
        if name in os.environ
    }
    folders = dict.fromkeys(
        ("HOME", "TMPDIR", "MPLCONFIGDIR", "XDG_CACHE_HOME", "TORCH_HOME", "KERAS_HOME"), str(home)
    )
    made = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONWARNINGS": "ignore",
        "PYTHONFAULTHANDLER": "1",
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",  # without it every card is to be seen
        VARIABLE: device,
        "MPLBACKEND": "Agg",
        **many,
        **kept,
        **folders,
    }
    if device != "cpu":
        del made["CUDA_VISIBLE_DEVICES"]
        if (cards := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
            made["CUDA_VISIBLE_DEVICES"] = cards
    return made
