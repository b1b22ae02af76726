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
import logging
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from loaders.catalogue import Pretrained
from loaders.preprocessing import Options
from workers import kinds, spool
from workers.fetch import Cache, Remote
from workers.handle import Handle, checked
from workers.incoming import text
from workers.jobs import Job, Snapshot, StillRunning
from workers.lane import Lane
from workers.models import ModelHandle
from workers.mothers import Mother
from workers.process import Died, Worker
from workers.queue import Queue
from workers.sandbox import available
from workers.tasks.companions import Companions
from workers.tasks.decode import Decode
from xai_core.card import Card, Wanted
from xai_core.device import Device, asked
from xai_core.errors import JobError, LoadError, ParamError, VitrineError
from xai_core.result import Result
from xai_core.task import Task

__all__ = ["Handle", "Job", "ModelHandle", "Session", "Snapshot", "StillRunning", "Wall"]

LONGEST = 6 * 3600.0
"""Seconds that no run takes longer than, whatever its task allows."""

_log = logging.getLogger("vitrine")


class Wall:
    """All that this process has behind the wall: mothers, workers, sessions and the queue.

    `memory_limit` in bytes holds for every kind of worker, in the place of the kinds' own; `spool`
    is the folder that holds the wall's own. `time_limit` caps what the tasks allow themselves. At
    most `max_workers` stay in memory: beyond, the one that was idle for longest is put to rest, and
    made again at its next run. `cache` is where published weights are fetched to.
    `device` is where long runs may go, VITRINE_DEVICE where it is not given. Raises ParamError for
    a word there that is none.
    """

    def __init__(
        self,
        *,
        cores: int | None = None,
        spool: str | os.PathLike[str] | None = None,
        time_limit: float = LONGEST,
        memory_limit: int | None = None,
        max_workers: int | None = None,
        cache: Cache | None = None,
        device: Device | None = None,
    ) -> None:
        self.device = asked() if device is None else device
        self.cores = max(1, cores or _cores())
        self.threads = max(1, self.cores // 2)
        self.time_limit = time_limit
        self._memory = {
            name: kind.memory if memory_limit is None else memory_limit
            for name, kind in kinds.KINDS.items()
        }
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
            _quietly(mother.close)
        for job in running:
            with contextlib.suppress(VitrineError):
                job.result(5)
        for session in list(self._sessions.values()):
            _quietly(session.close)
        spool.remove(self.folder)

    # For sessions and handles

    def mother(self, kind: str) -> Mother:
        """Return the mother of a kind; a new one where there is none, or she has ended."""
        with self._lock:
            if self._closed:
                raise JobError("The wall is closed.")
            mother = self._mothers.get(kind)
            if mother is None or mother.state in ("failed", "stopped"):
                mother = Mother(kind, self.folder, self.threads, self.device)
                self._mothers[kind] = mother
            return mother

    def spawn(self, kind: str, read: Sequence[Path], job: Job) -> Worker:
        """Fork a worker. Raises JobError, Stopped or Died."""
        job.allow(self.time_limit)
        mother = self.mother(kind)
        if mother.state == "starting":
            job.say(f"starting {kinds.kind(kind).title}")
        worker = mother.spawn(read=read, memory=self._memory[kind], stop=job.should_stop)
        self._sandbox = worker.sandbox
        return worker

    def allow(self, job: Job, task: Task, card: Card | None) -> None:
        """Give a job the time that a task may take on a model of that card."""
        limit = min(task.limit(card), self.time_limit)
        job.allow(limit, task.late(limit))

    def alone(self, job: Job, task: Task, read: Sequence[Path], folder: Path) -> Result:
        """Have one task done by a fresh worker without any framework, which ends with it."""
        try:
            worker = self.spawn(kinds.NONE, read, job)
            try:
                self.allow(job, task, None)
                job.begin()
                return worker.call(task, job, None, folder)
            finally:
                worker.kill()
        except Died as died:
            raise died.error() from None

    def make_room(self, lane: Lane) -> None:
        """Note that a lane is used, and put to rest whatever is idle beyond `max_workers`."""
        with self._lock:
            self._lanes = [other for other in self._lanes if other is not lane and other.holds]
            # what would be lost with its worker goes last
            idle = sorted(self._lanes, key=lambda other: not other.restored)
            self._lanes.append(lane)
        excess = len(idle) + 1 - self.max_workers
        for other in idle:
            if excess > 0 and other.rest():
                excess -= 1

    def forget(self, key: str) -> None:
        """Drop a session that is closed."""
        with self._lock:
            self._sessions.pop(key, None)


H = TypeVar("H", bound=Handle)


class Session:
    """One browser's files and models; nobody else's workers can read them."""

    def __init__(self, wall: Wall, key: str) -> None:
        self._wall, self._key = wall, key
        self.folder = spool.make_folder(wall.folder, "session-")
        self._lock = threading.Lock()
        self._handles: list[Handle] = []

    @property
    def models(self) -> tuple[ModelHandle, ...]:
        """The models that are open, the oldest first."""
        with self._lock:
            return tuple(each for each in self._handles if isinstance(each, ModelHandle))

    def new_file(self, name: str) -> Path:
        """Return a path to write an upload to: a fresh folder of its own, a name made safe."""
        return spool.make_folder(self.folder) / spool.safe_name(name)

    def fetch(self, entry: Pretrained) -> Job:
        """Begin to bring a published model's file, or find it. Raises LoadError."""
        return self._wall.fetch(entry)

    def holds(self, entry: Pretrained) -> bool:
        """Say whether a published model's file has been fetched."""
        return self._wall.cache.holds(entry)

    def bring(self, remote: Remote) -> Job:
        """Begin to bring a published file that is no model, or find it; the result is its path."""
        return self._wall.cache.fetch(remote)

    def has(self, remote: Remote) -> bool:
        """Say whether a published file that is no model has been fetched."""
        return self._wall.cache.holds(remote)

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

    def run(self, task: Task, *, read: Sequence[Path] = ()) -> Job:
        """Run a task that wants no model in a fresh worker, which may read `read`.

        Raises ParamError for one that wants another worker.
        """
        if task.wants() not in kinds.kind(kinds.NONE).serves:
            raise ParamError(f"{type(task).__name__} wants a worker that is held: see `hold`")
        checked(task)
        return self._wall.queue.submit(
            Job(
                lambda job: self._wall.alone(job, task, read, self.folder),
                time_limit=self._wall.time_limit,
                quick=task.quick,
                commands=task.commands,
                owner=id(self),
            )
        )

    def hold(self, kind: str, opening: Task | None = None, *, read: Sequence[Path] = ()) -> Handle:
        """Begin to hold a worker of a kind, which may read `read`, for tasks that follow.

        Raises ParamError for an unknown kind.
        """
        return self._kept(Handle(self._wall, self, kinds.kind(kind).name, opening, read))

    def companions(self, path: Path) -> Job:
        """Ask which files an ONNX file of this session's keeps its weights in; `names` of these."""
        place = self._own(path)
        return self.run(Companions(path=place), read=[place.parent])

    def remove_file(self, path: Path) -> None:
        """Remove a file of this session's, with what lies beside it."""
        spool.remove(self._own(path).parent)

    def decode(self, data: bytes) -> Job:
        """Decode a photo; the result is a Photo."""
        return self.run(Decode(data=np.frombuffer(data, np.uint8)))

    def open(
        self,
        path: str | os.PathLike[str],
        options: Options,
        *,
        name: str,
        trusted_path: bool = False,
        wanted: Wanted = "classification",
    ) -> ModelHandle:
        """Begin to load a model. A path outside this session's spool must be a trusted one."""
        place = Path(path).resolve() if trusted_path else self._own(Path(path))
        return self._kept(ModelHandle(self._wall, self, place, options, name, wanted))

    def close(self) -> None:
        """Close its models and remove its files."""
        with self._lock:
            handles = list(self._handles)
        for handle in handles:
            _quietly(handle.close)
        self._wall.forget(self._key)
        spool.remove(self.folder)

    def forget(self, handle: Handle) -> None:
        """Drop a handle that is closed."""
        with self._lock:
            if handle in self._handles:
                self._handles.remove(handle)

    def _kept(self, handle: H) -> H:
        with self._lock:
            self._handles.append(handle)
        return handle

    def _own(self, path: Path) -> Path:
        whole = path.resolve()
        if not whole.is_relative_to(self.folder):
            raise LoadError(f"{path.name} is not among this session's files. Upload it again.")
        return whole


def _quietly(act: Callable[[], None]) -> None:
    """Do what must not keep the rest from being done: one visitor's end is not another's."""
    try:
        act()
    except Exception:
        _log.exception("what was to be closed did not close well")


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
