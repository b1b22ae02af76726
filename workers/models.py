"""A model behind the wall, as pages and the command line hold it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loaders.preprocessing import Options
from workers.handle import Behind, Handle, Keeper
from workers.jobs import Job
from workers.lane import Lane
from workers.process import Stopped, Worker
from workers.tasks.explain import Explain
from workers.tasks.explain_boxes import ExplainBoxes, Explanations
from workers.tasks.load import Load
from workers.tasks.measure import Measure, Measured
from workers.tasks.predict import Predict
from workers.tasks.recognise import Recognise
from xai_core.card import Card, Wanted
from xai_core.errors import JobError, LoadError, ParamError
from xai_core.explanation import Explanation
from xai_core.hashes import hash_of
from xai_core.question import Question
from xai_core.result import Result
from xai_core.task import Task

Pixels = NDArray[np.uint8]


class ModelHandle(Handle):
    """A model behind the wall. `loading` is the job that loads it, and `card` what it gave."""

    _restored = True

    def __init__(
        self,
        wall: Behind,
        session: Keeper,
        path: Path,
        options: Options,
        name: str,
        wanted: Wanted = "classification",
    ) -> None:
        self.path, self.options, self.name = path, options, name
        self.hash = ""
        self._both: Lane | None = None
        opening = Load(path=path, options=options, called=name, wanted=wanted)
        super().__init__(wall, session, "", opening)

    @property
    def framework(self) -> str:
        """The kind of worker that reads its file; empty until that is known."""
        return self._kind

    def predict(self, pixels: Pixels) -> Job:
        """Ask what it says about a photo, uint8 `[H, W, 3]`; the result is a Prediction."""
        return self.run(Predict(pixels=_checked(pixels)))

    def explain(self, pixels: Pixels, question: Question) -> Job:
        """Explain a photo, uint8 `[H, W, 3]`; the result is an Explanation.

        Raises ParamError for a question that nobody can answer.
        """
        return self.run(Explain(pixels=_checked(pixels), question=question))

    def measure(self) -> Job:
        """Measure what its card leaves open: how long a backward pass and a tail take."""
        return self.run(Measure())

    # What is held

    def _prepare(self, job: Job) -> None:
        if not self.hash:
            self.hash = _digest([self.path, *self._beside], job)
        if not self._kind:
            found = self._wall.alone(job, Recognise(path=self.path), self._readable(), self.folder)
            self._kind = found.kind  # type: ignore[attr-defined]  # what Recognise returns

    def _opened(self, result: Result, worker: Worker, role: str) -> None:
        if role == "own":
            card: Card = result.card  # type: ignore[attr-defined]  # what Load returns
            if self.card is not None and self.card.pace.backward is not None:
                pace, backend = self.card.pace, self.card.backend
                card = dataclasses.replace(card, pace=pace, backend=backend)
            self.card = dataclasses.replace(card, hash=self.hash, sandbox=worker.sandbox)

    def _noted(self, task: Task, result: Result) -> Result:
        if isinstance(result, Measured) and self.card is not None:
            self.card = dataclasses.replace(self.card, pace=result.pace)
        if isinstance(result, Explanation) and result.backend and self.card is not None:
            self.card = self.card.run_on(result.backend)
        if isinstance(result, Explanation) and isinstance(task, Explain):
            image = hash_of(task.pixels)
            return result.amended(model_hash=self.hash, image_hash=image)
        if isinstance(result, Explanations) and isinstance(task, ExplainBoxes):
            return task.hashed(result, self.hash)
        return result

    def _load(self, job: Job) -> Card:
        self._own.ready(job)
        if self.card is None:
            raise JobError("The worker's answer made no sense: it says nothing of the model.")
        return self.card

    def _lanes(self) -> Sequence[Lane]:
        return [lane for lane in (self._own, self._both) if lane]

    def _lane_of(self, task: Task) -> Lane:
        if task.wants() != "both":
            return super()._lane_of(task)
        with self._lock:
            self._both = self._both or Lane(self, "both")
            return self._both

    @property
    def _beside(self) -> list[Path]:
        """The files that its weights lie in, where it came with any."""
        folder = self._readable()[0]
        return (
            sorted(each for each in folder.iterdir() if each != self.path)
            if (folder != self.path and folder.is_dir())
            else []
        )

    def _readable(self) -> Sequence[Path]:
        # An upload has a folder of its own; beside a trusted file lie others.
        uploaded = self.path.is_relative_to(self._session.folder)
        return [self.path.parent if uploaded else self.path]


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


def _checked(pixels: Pixels) -> Pixels:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ParamError(f"A photo must be uint8 [H, W, 3], got {pixels.dtype} {pixels.shape}")
    return pixels
