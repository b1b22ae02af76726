"""A model behind the wall, as pages and the command line hold it."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from loaders.preprocessing import Options
from workers import results
from workers.jobs import Job, Queue
from workers.lane import Lane
from workers.process import Stopped, Worker
from workers.tasks import hash_of
from xai_core import plain
from xai_core.card import Card
from xai_core.errors import JobError, LoadError, ParamError
from xai_core.explainer import explainers
from xai_core.question import Question

Arrays = Mapping[str, NDArray[Any]]
Pixels = NDArray[np.uint8]
LOAD_LIMIT = 180.0
"""Seconds that a file may take to load: what never ends must not hold a place for ten minutes."""

State = Literal["loading", "ready", "failed", "reloading", "closed"]


class Behind(Protocol):
    """As much of the wall as a handle needs."""

    queue: Queue
    time_limit: float
    kind: str

    def spawn(self, kind: str, read: Sequence[Path], job: Job) -> Worker:
        """Fork a worker."""

    def once(
        self, job: Job, op: str, given: dict[str, Any], arrays: Arrays, read: Sequence[Path] = ()
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Have one order done by a worker that ends with it."""

    def make_room(self, lane: Lane) -> None:
        """Put idle models to rest."""


class Keeper(Protocol):
    """As much of a session as a handle needs."""

    folder: Path

    def forget(self, handle: ModelHandle) -> None:
        """Drop a model that is closed."""


class ModelHandle:
    """A model behind the wall. `loading` is the job that loads it."""

    def __init__(
        self, wall: Behind, session: Keeper, path: Path, options: Options, name: str
    ) -> None:
        self._wall, self._session = wall, session
        self.path, self.options, self.name = path, options, name
        self.card: Card | None = None
        self.hash = ""
        self._kind = ""
        self._lock = threading.Lock()
        self._closed = False
        self._jobs: list[Job] = []
        self._own = Lane(self, "own")
        self._both: Lane | None = None
        self.loading: Job = self._submit(self._own, self._load)

    @property
    def state(self) -> State:
        """Whether it can be used."""
        if self._closed:
            return "closed"
        if self._own.failure is not None:
            return "failed"
        if self.card is None:
            return "loading"
        return "reloading" if self._own.reloading else "ready"

    @property
    def framework(self) -> str:
        """The kind of worker that reads its file; empty until that is known."""
        return self._kind

    def predict(self, pixels: Pixels) -> Job:
        """Ask what it says about a photo, uint8 `[H, W, 3]`.

        The result has `probabilities` and `logits` (float32 `[classes]`), `view` (float32
        `[h, w, 3]`), `geometry`, `seconds` and `findings`.
        """
        pixels = _check_photo(pixels)

        def work(job: Job) -> dict[str, Any]:
            return results.prediction(*self._own.call(job, "predict", {}, {"pixels": pixels}))

        return self._submit(self._own, work)

    def explain(self, pixels: Pixels, question: Question) -> Job:
        """Explain a photo, uint8 `[H, W, 3]`; the result is an Explanation."""
        pixels = _check_photo(pixels)
        given = {"question": plain.pack(question)[0]}
        lane = self._lane_of(question.method, question.engine)

        def work(job: Job) -> Any:
            question.made()  # a bad value is refused at once
            image = hash_of(pixels)
            answer = lane.call(job, "explain", given | {"image_hash": image}, {"pixels": pixels})
            return results.explanation(*answer, model_hash=self.hash, image_hash=image)

        return self._submit(lane, work)

    def call(self, op: str, given: dict[str, Any], arrays: Arrays | None = None) -> Job:
        """Run an operation by its name; the result is `(plain data, arrays)` as the worker said."""
        return self._submit(self._own, lambda job: self._own.call(job, op, given, arrays or {}))

    def close(self) -> None:
        """Stop its runs and end its workers. The file stays until the session is closed."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            jobs, self._jobs = self._jobs, []
        for job in jobs:
            job.cancel()
        for lane in (self._own, self._both):
            if lane:
                lane.close()
        self._session.forget(self)

    # For the lanes

    def make_room(self, lane: Lane) -> None:
        """Put other models to rest where memory is short."""
        self._wall.make_room(lane)

    def load(self, job: Job, role: str) -> Worker:
        """Return a new worker that holds the model. Raises JobError where its time is over."""
        try:
            return self._load_worker(job, role)
        except Stopped:
            if job.cancelled:
                raise
            raise JobError(self._late()) from None

    def _load_worker(self, job: Job, role: str) -> Worker:
        if not self.hash:
            self.hash = _digest([self.path, *self._beside], job)
        if not self._kind:
            self._kind = self._wall.kind or self._find_kind(job)
        kind = "both" if role == "both" else self._kind
        worker = self._wall.spawn(kind, [self._readable], job)
        job.say("loading the model")
        options = self.options.to_json()
        given = {"path": str(self.path), "options": options, "name": self.name}
        until = time.monotonic() + self._load_limit

        def stop() -> bool:
            return job.should_stop() or time.monotonic() > until

        try:
            answer, _ = worker.call("load", given, {}, stop=stop, progress=job.progress)
            if role == "own":
                self.card = dataclasses.replace(
                    results.card(answer), hash=self.hash, sandbox=worker.sandbox
                )
        except BaseException:
            worker.kill()
            raise
        return worker

    @property
    def _load_limit(self) -> float:
        return min(LOAD_LIMIT, self._wall.time_limit)

    def _late(self) -> str:
        limit = f"{self._load_limit:g} s"
        if self.options.source:
            return (
                f"The source did not finish within {limit}, and was stopped. Send only what "
                "defines the network: its classes, and the functions and values that they use."
            )
        return (
            f"The file did not finish loading within {limit}, and was stopped. It may be damaged, "
            "or hold code that never ends; save or export it again."
        )

    def reload_later(self, lane: Lane) -> None:
        """Load again in the background, before whatever waits."""
        if not self._closed:
            self._submit(lane, lambda job: lane.ready(job), first=True)

    def _find_kind(self, job: Job) -> str:
        answer, _ = self._wall.once(
            job, "framework", {"path": str(self.path)}, {}, read=[self._readable]
        )
        return results.framework(answer)

    def _load(self, job: Job) -> Card:
        self._own.ready(job)
        assert self.card is not None  # noqa: S101 - for the type checker: `ready` has set it
        return self.card

    def _lane_of(self, method: str, engine: str) -> Lane:
        known = explainers()
        engines = known[method].engines if method in known else ()
        wanted = next((e for e in engines if e.name == engine), engines[0] if engines else None)
        if wanted is None or wanted.worker == "model":
            return self._own
        with self._lock:
            self._both = self._both or Lane(self, "both")
            return self._both

    def _submit(self, lane: Lane, work: Callable[[Job], Any], *, first: bool = False) -> Job:
        job = Job(work, lane=lane, time_limit=self._wall.time_limit, first=first)
        with self._lock:
            if self._closed:
                job.enter(self._wall.queue)
                job.refuse("The model is closed. Open it again.")
                return job
            self._jobs = [other for other in self._jobs if not other.over] + [job]
        return self._wall.queue.submit(job)

    @property
    def _beside(self) -> list[Path]:
        """The files that its weights lie in, where it came with any."""
        folder = self._readable
        return (
            sorted(each for each in folder.iterdir() if each != self.path)
            if (folder != self.path and folder.is_dir())
            else []
        )

    @property
    def _readable(self) -> Path:
        # An upload has a folder of its own; beside a trusted file lie others.
        uploaded = self.path.is_relative_to(self._session.folder)
        return self.path.parent if uploaded else self.path


def _digest(paths: Sequence[Path], job: Job) -> str:
    made = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                while part := file.read(1 << 18):
                    made.update(part)
                    if job.should_stop():
                        raise Stopped(killed=False)
        except OSError as error:
            raise LoadError(f"{path.name} cannot be read: {error.strerror}.") from None
    return made.hexdigest()


def _check_photo(pixels: Pixels) -> Pixels:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ParamError(f"A photo must be uint8 [H, W, 3], got {pixels.dtype} {pixels.shape}")
    return pixels
