"""The near side of the wall: what pages and the command line call. Imports no framework.

>>> wall = Wall()
>>> model = wall.session("cookie").open(path, Options(), name="resnet.pt")
>>> model.loading.result()
>>> job = model.explain(pixels, Question(method="rise", target=ClassTarget(3)))
>>> job.snapshot(), job.result(), job.cancel()
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders.catalogue import Pretrained
from loaders.preprocessing import Options
from workers import results, spool
from workers.fetch import Cache
from workers.handle import ModelHandle
from workers.incoming import text
from workers.jobs import Job, Queue, Snapshot, StillRunning
from workers.lane import Lane
from workers.process import Died, Mother, Worker
from workers.sandbox import available
from xai_core.errors import JobError, LoadError, VitrineError

__all__ = ["Job", "ModelHandle", "Session", "Snapshot", "StillRunning", "Wall"]

Arrays = Mapping[str, NDArray[Any]]

MEMORY: dict[str, int] = {
    "plain": 2 << 30,
    "torch": 4 << 30,
    "keras": 4 << 30,
    "onnx": 4 << 30,
    "both": 6 << 30,
}
"""Bytes that a worker of each kind may hold."""

TITLES = {
    "plain": "a worker",
    "torch": "PyTorch",
    "keras": "TensorFlow",
    "onnx": "onnxruntime",
    "both": "both frameworks",
}

QUICK_LIMIT = 30.0
"""Seconds that looking at a file, or decoding a photo, may take."""


class Wall:
    """All that this process has behind the wall: mothers, workers, sessions and the queue.

    `memory_limit` in bytes holds for every kind of worker, in the place of `MEMORY`; `spool` is
    the folder that holds the wall's own. At most `max_workers` models stay in memory: beyond, the
    one that was idle for longest is put to rest, and loaded again at its next run. `cache` is where
    published weights are fetched to. `operations` names a module with further operations, for
    tests, and `kind` says which workers take them.
    """

    def __init__(
        self,
        *,
        cores: int | None = None,
        spool: str | os.PathLike[str] | None = None,
        time_limit: float = 600.0,
        memory_limit: int | None = None,
        max_workers: int | None = None,
        cache: Cache | None = None,
        operations: str = "",
        kind: str = "",
    ) -> None:
        self.cores = max(1, cores or _cores())
        self.threads = max(1, self.cores // 2)
        self.time_limit = time_limit
        self.kind, self._operations = kind, operations
        self._memory = MEMORY if memory_limit is None else dict.fromkeys(MEMORY, memory_limit)
        self.folder = _make_wall(spool)
        self.cache = cache or Cache()
        self.queue = Queue(max(1, self.cores // self.threads))
        self.max_workers = max_workers or _room()
        self._lock = threading.Lock()
        self._lanes: list[Lane] = []
        self._mothers: dict[str, Mother] = {}
        self._sessions: dict[str, Session] = {}
        self._sandbox: dict[str, Any] | None = None
        self._closed = False
        atexit.register(self.close)

    def session(self, key: str) -> Session:
        """Return the session of a browser; the same key gives the same one."""
        with self._lock:
            if key not in self._sessions:
                self._sessions[key] = Session(self, key)
            return self._sessions[key]

    def fetch(self, entry: Pretrained) -> Job:
        """Begin to bring a published model's file, or find it; the result is its path.

        Progress is in bytes. Raises LoadError for one that no worker could hold.
        """
        room = self._memory[entry.framework]
        # The file's weights, the network's own, and what the framework takes besides.
        if 2 * (entry.bytes or 0) + (512 << 20) > room:
            raise LoadError(
                f"{entry.title} has {text(entry.bytes or 0)} of weights, and a worker here may "
                f"hold {room / (1 << 30):.3g} GiB of memory, which is too little to open it. "
                "Choose a smaller one."
            )
        return self.cache.fetch(entry)

    def warm(self, kind: str) -> None:
        """Start a mother now, so that the first model of her kind need not wait for her imports."""
        with contextlib.suppress(JobError):
            self.mother(kind)

    def state(self) -> dict[str, Any]:
        """Return how mothers, queue and sandbox stand, as plain data."""
        with self._lock:
            mothers = dict(self._mothers)
            sessions = list(self._sessions.values())
        offered = next((m.offered for m in mothers.values() if m.offered), None)
        return {
            "mothers": {
                kind: {
                    "state": mother.state,
                    "pid": mother.process.pid,
                    "seconds": mother.seconds,
                    "failure": mother.failure,
                }
                for kind, mother in mothers.items()
            },
            "queue": self.queue.counts() | {"cores": self.cores, "threads_per_job": self.threads},
            "sandbox": self._sandbox or offered or dict(available()),
            "models": sum(len(session.models) for session in sessions),
            "sessions": len(sessions),
        }

    def close(self) -> None:
        """End every process, remove every file. A second time does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            mothers = list(self._mothers.values())
        atexit.unregister(self.close)
        running = self.queue.close()
        for mother in mothers:
            mother.close()
        for job in running:
            with contextlib.suppress(VitrineError):
                job.result(5)
        for session in list(self._sessions.values()):
            session.close()
        spool.remove(self.folder)

    # For sessions and handles

    def mother(self, kind: str) -> Mother:
        """Return the mother of a kind; a new one where there is none, or she has ended."""
        with self._lock:
            if self._closed:
                raise JobError("The wall is closed.")
            mother = self._mothers.get(kind)
            if mother is None or mother.state in ("failed", "stopped"):
                mother = Mother(kind, self.folder, self.threads, self._operations)
                self._mothers[kind] = mother
            return mother

    def spawn(self, kind: str, read: Sequence[Path], job: Job) -> Worker:
        """Fork a worker. Raises JobError, Stopped or Died."""
        mother = self.mother(kind)
        if mother.state == "starting":
            job.say(f"starting {TITLES[kind]}")
        worker = mother.spawn(read=read, memory=self._memory[kind], stop=job.should_stop)
        self._sandbox = worker.sandbox
        return worker

    def once(
        self, job: Job, op: str, given: dict[str, Any], arrays: Arrays, read: Sequence[Path] = ()
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Have one order done by a fresh plain worker that ends with it."""
        try:
            worker = self.spawn("plain", read, job)
            try:
                return worker.call(op, given, arrays, stop=job.should_stop, progress=job.progress)
            finally:
                worker.kill()
        except Died as died:
            raise died.error() from None

    def make_room(self, lane: Lane) -> None:
        """Note that a lane is used, and put to rest whatever is idle beyond `max_workers`."""
        with self._lock:
            self._lanes = [other for other in self._lanes if other is not lane and other.holds]
            idle = list(self._lanes)
            self._lanes.append(lane)
        excess = len(idle) + 1 - self.max_workers
        for other in idle:
            if excess > 0 and other.rest():
                excess -= 1

    def forget(self, key: str) -> None:
        """Drop a session that is closed."""
        with self._lock:
            self._sessions.pop(key, None)


class Session:
    """One browser's files and models; nobody else's workers can read them."""

    def __init__(self, wall: Wall, key: str) -> None:
        self._wall, self._key = wall, key
        self.folder = spool.make_folder(wall.folder, "session-")
        self._lock = threading.Lock()
        self._models: list[ModelHandle] = []

    @property
    def models(self) -> tuple[ModelHandle, ...]:
        """The models that are open, the oldest first."""
        with self._lock:
            return tuple(self._models)

    def new_file(self, name: str) -> Path:
        """Return a path to write an upload to: a fresh folder of its own, a name made safe."""
        return spool.make_folder(self.folder) / spool.safe_name(name)

    def fetch(self, entry: Pretrained) -> Job:
        """Begin to bring a published model's file, or find it. Raises LoadError."""
        return self._wall.fetch(entry)

    def holds(self, entry: Pretrained) -> bool:
        """Say whether a published model's file has been fetched."""
        return self._wall.cache.holds(entry)

    def add_file(self, name: str, data: bytes | str | os.PathLike[str]) -> Path:
        """Keep a file, given as bytes or as a path to copy, and return where."""
        path = self.new_file(name)
        if isinstance(data, bytes):
            path.write_bytes(data)
        else:
            shutil.copyfile(data, path)
        path.chmod(0o600)
        return path

    def add_beside(self, path: Path, name: str, data: str | os.PathLike[str]) -> Path:
        """Keep a file beside a model of this session's, under a safe name of its own.

        A file of this session's is moved there, any other copied; no link is followed. Raises
        LoadError for a link, and for a name that is the model's own.
        """
        place = self._own(path).parent / spool.safe_name(name)
        source = Path(data)
        if place == path.resolve():
            raise LoadError(f"{place.name} is the model's own name. Rename the other file.")
        if source.resolve().is_relative_to(self.folder):
            folder = self._own(source).parent
            source.resolve().replace(place)
            spool.remove(folder)
        else:
            spool.copy_plain(source, place)
        place.chmod(0o600)
        return place

    def companions(self, path: Path) -> Job:
        """Ask which files an ONNX file of this session's keeps its weights in: their names."""
        place = self._own(path)

        def work(job: Job) -> tuple[str, ...]:
            answer, _ = self._wall.once(job, "companions", {"path": str(place)}, {}, [place.parent])
            return results.companions(answer)

        return self._wall.queue.submit(Job(work, time_limit=QUICK_LIMIT))

    def remove_file(self, path: Path) -> None:
        """Remove a file of this session's, with what lies beside it."""
        spool.remove(self._own(path).parent)

    def decode(self, data: bytes) -> Job:
        """Decode a photo; the result is `{"pixels": uint8 [H, W, 3], "format", "notes"}`."""

        def work(job: Job) -> dict[str, Any]:
            arrays = {"data": np.frombuffer(data, np.uint8)}
            return results.photo(*self._wall.once(job, "decode", {}, arrays))

        return self._wall.queue.submit(Job(work, time_limit=QUICK_LIMIT, quick=True))

    def open(
        self,
        path: str | os.PathLike[str],
        options: Options,
        *,
        name: str,
        trusted_path: bool = False,
    ) -> ModelHandle:
        """Begin to load a model. A path outside this session's spool must be a trusted one."""
        place = Path(path).resolve() if trusted_path else self._own(Path(path))
        handle = ModelHandle(self._wall, self, place, options, name)
        with self._lock:
            self._models.append(handle)
        return handle

    def close(self) -> None:
        """Close its models and remove its files."""
        for handle in self.models:
            handle.close()
        self._wall.forget(self._key)
        spool.remove(self.folder)

    def forget(self, handle: ModelHandle) -> None:
        """Drop a model that is closed."""
        with self._lock:
            if handle in self._models:
                self._models.remove(handle)

    def _own(self, path: Path) -> Path:
        whole = path.resolve()
        if not whole.is_relative_to(self.folder):
            raise LoadError(f"{path.name} is not among this session's files. Upload it again.")
        return whole


def _make_wall(base: str | os.PathLike[str] | None) -> Path:
    return spool.make_wall(None if base is None else Path(base))


def _room() -> int:
    """Return how many models fit into the machine's memory, at 1.5 GiB each with some to spare."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        total = 8 << 30
    return min(32, max(2, int(total * 0.8 / (1.5 * (1 << 30)))))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
