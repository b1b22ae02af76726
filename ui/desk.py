"""What lies on one visitor's desk: a model, a photo, what the model says, a run, an answer.

Nothing here waits: `step` looks at the jobs that are under way and moves on what is ready. A new
model or photo takes the old one's place only when it has loaded, so that a mistake loses nothing.
All tabs of a browser share one desk, so whatever changes it takes its lock.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from loaders import printed
from loaders.preprocessing import Options, Preprocessing
from xai_core.card import Card
from xai_core.errors import (
    NeedsAnswer,
    NeedsArchitecture,
    NeedsFiles,
    NeedsSource,
    VitrineError,
)
from xai_core.explainer import explainers
from xai_core.explanation import Explanation
from xai_core.model import Finding, Geometry
from xai_core.question import Question
from xai_core.region import Region

if TYPE_CHECKING:
    from loaders.catalogue import Pretrained
    from workers.client import Job, ModelHandle, Session

Array = NDArray[np.float32]

_numbers = itertools.count()


@dataclasses.dataclass
class Model:
    """A model on the desk, or on its way there. `word` names it on the command line.

    `built_in` says that its file is no visitor's own: it ships, or was fetched for all.
    """

    name: str
    word: str
    path: Path
    options: Options
    handle: ModelHandle
    about: str = ""
    built_in: bool = False
    id: int = dataclasses.field(default_factory=lambda: next(_numbers))

    @property
    def card(self) -> Card:
        """What is known of the loaded model."""
        assert self.handle.card is not None  # noqa: S101 - a model on the desk has loaded
        return self.handle.card

    @property
    def preprocessing(self) -> Preprocessing:
        """What is done to a photo before the network gets it."""
        return Preprocessing.from_json(self.card.preprocessing)

    @property
    def flags(self) -> dict[str, str]:
        """What was asked of it, by option, as the command line has it."""
        word = self.word if self.built_in else ""
        return printed.flags(self.options, word=word, preprocessing=self.card.preprocessing)


@dataclasses.dataclass(frozen=True)
class Fetching:
    """A published model's file on its way to the server."""

    entry: Pretrained
    job: Job


@dataclasses.dataclass
class Photo:
    """A photo on the desk, or on its way there. `word` names it on the command line.

    `region` is what the visitor marked on it; it goes with the photo and outlives its answers.
    """

    name: str
    word: str
    job: Job
    pixels: NDArray[np.uint8] | None = None
    notes: tuple[str, ...] = ()
    region: Region | None = None
    id: int = dataclasses.field(default_factory=lambda: next(_numbers))

    @property
    def findings(self) -> list[Finding]:
        """What was done to it on the way to its pixels."""
        return [Finding("info", note, "photo") for note in self.notes]


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a model says of a photo, and the view that it was given."""

    probabilities: Array
    view: Array
    geometry: Geometry
    findings: tuple[Finding, ...] = ()

    @property
    def top(self) -> list[int]:
        """The classes by falling probability."""
        return [int(index) for index in np.argsort(-self.probabilities, kind="stable")]


@dataclasses.dataclass(frozen=True)
class Scene:
    """Model, photo and prediction as they were when a run began; it stays with its answer."""

    model: Model
    card: Card
    findings: Sequence[Finding]
    photo: Photo
    prediction: Prediction


@dataclasses.dataclass(frozen=True)
class Run:
    """A run under way."""

    question: Question
    scene: Scene
    job: Job


@dataclasses.dataclass(frozen=True)
class Answer:
    """A finished run."""

    question: Question
    scene: Scene
    explanation: Explanation
    id: int = dataclasses.field(default_factory=lambda: next(_numbers))


Wanted = Literal["source", "architecture", "answers", "files"]
"""What would open a refused model."""


@dataclasses.dataclass(frozen=True)
class Refused:
    """A model that was not opened for want of something that can still be sent."""

    model: Model
    wants: Wanted
    example: tuple[int, ...] = ()


P = ParamSpec("P")
R = TypeVar("R")


def _alone(
    change: Callable[Concatenate[Desk, P], R],
) -> Callable[Concatenate[Desk, P], R]:
    """Let one tab at a time change the desk, and count the changes."""

    @functools.wraps(change)
    def wrapped(desk: Desk, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with desk.lock:
            moved = change(desk, *args, **kwargs)
            if moved is not False:
                desk.version += 1
            return moved

    return wrapped


class Desk:
    """One visitor's models, photos and results. `step` moves what is under way.

    `version` changes with the desk, so that a tab sees what another did. `kept` holds the values
    of the page's controls for the next tab, or this one after F5.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.lock = threading.RLock()
        self.version = 0
        self.kept: dict[str, Any] = {}
        self.model: Model | None = None
        self.opening: Model | None = None
        self.fetching: Fetching | None = None
        self.model_error = ""
        self.refused: Refused | None = None
        self.photo: Photo | None = None
        self.decoding: Photo | None = None
        self.photo_error = ""
        self.prediction: Prediction | None = None
        self.prediction_error = ""
        self.run: Run | None = None
        self.run_note = ""
        self.answer: Answer | None = None
        self._asked: tuple[int, int] | None = None
        self._predicting: Job | None = None

    # -- what the visitor does ---------------------------------------------------------------

    @_alone
    def open_model(
        self,
        path: Path,
        options: Options,
        *,
        name: str,
        word: str,
        about: str = "",
        built_in: bool = False,
    ) -> None:
        """Start to load a model; it takes the present one's place when it is ready."""
        self.stop_fetching()
        self.model_error = ""
        refused, self.refused = self.refused, None
        superseded, self.opening = self.opening, None
        if superseded is not None:
            self._put_away(superseded)
        try:
            handle = self.session.open(path, options, name=name, trusted_path=built_in)
        except VitrineError as error:
            self.model_error = str(error)
            if not built_in and (self.model is None or self.model.path != path):
                self.session.remove_file(path)
        else:
            self.opening = Model(name, word, path, options, handle, about, built_in)
        if refused is not None and refused.model.path != path:
            self._put_away(refused.model)

    @_alone
    def open_pretrained(self, entry: Pretrained) -> None:
        """Fetch a published model's file, unless it is here already, and start to load it."""
        self.stop_fetching()
        self.model_error = ""
        try:
            self.fetching = Fetching(entry, self.session.fetch(entry))
        except VitrineError as error:
            self.model_error = str(error)

    @_alone
    def stop_fetching(self) -> None:
        """End a download; what has arrived stays on the server."""
        if self.fetching is not None:
            self.fetching.job.cancel()
            self.fetching = None

    @_alone
    def upload_model(self, name: str, data: bytes, options: Options) -> None:
        """Put an uploaded file into this visitor's spool and start to load it."""
        self.model_error = ""
        try:
            path = self.session.add_file(name, data)
        except VitrineError as error:
            self.model_error = str(error)
            return
        self.open_model(path, options, name=name, word=name)

    @_alone
    def reopen(self, /, **changes: Any) -> None:
        """Load the present model again with other options. Raises ParamError."""
        if self.model is not None:
            self._open_again(self.model, changes)

    @_alone
    def supply(self, /, **changes: Any) -> None:
        """Load the refused model again with what it lacked. Raises ParamError."""
        if self.refused is not None:
            self._open_again(self.refused.model, changes)

    def _open_again(self, model: Model, changes: Mapping[str, Any]) -> None:
        self.open_model(
            model.path,
            dataclasses.replace(model.options, **changes),
            name=model.name,
            word=model.word,
            about=model.about,
            built_in=model.built_in,
        )

    @_alone
    def open_photo(self, data: bytes, *, name: str, word: str) -> None:
        """Start to decode a photo; it takes the present one's place when it is ready."""
        self.photo_error = ""
        try:
            self.decoding = Photo(name, word, self.session.decode(data))
        except VitrineError as error:
            self.photo_error = str(error)

    @_alone
    def mark(self, photo: Photo, region: Region | None) -> None:
        """Keep the region that was marked on a photo, or none."""
        photo.region = region

    @_alone
    def start(self, question: Question) -> None:
        """Run a method on the present model and photo."""
        model, photo, prediction = self.model, self.photo, self.prediction
        if model is None or photo is None or photo.pixels is None or prediction is None:
            return
        self.cancel()
        self.run_note = ""
        scene = Scene(
            model=model,
            card=model.card,
            findings=[*model.card.findings, *photo.findings, *prediction.findings],
            photo=photo,
            prediction=prediction,
        )
        try:
            job = model.handle.explain(photo.pixels, question)
        except VitrineError as error:
            self.run_note = str(error)
            return
        self.run = Run(question, scene, job)

    @_alone
    def cancel(self) -> None:
        """End the run under way; the last answer stays."""
        if self.run is not None:
            self.run.job.cancel()
            self.run = None
            kept = " The last answer is kept." if self.answer else ""
            self.run_note = f"Cancelled.{kept}"

    # -- what happens by itself --------------------------------------------------------------

    @property
    def pending(self) -> bool:
        """Whether something is under way that will change the desk."""
        under_way = (self.fetching, self.opening, self.decoding, self._predicting, self.run)
        return any(under_way) or self.reloading

    @property
    def predicting(self) -> bool:
        """Whether the model is looking at the photo."""
        return self._predicting is not None

    @property
    def reloading(self) -> bool:
        """Whether the model is on its way back after a cancelled run."""
        return self.model is not None and self.model.handle.state == "reloading"

    @_alone
    def step(self) -> bool:
        """Move what is ready; return whether anything changed. Never waits."""
        moved = [
            self._step_fetching(),
            self._step_model(),
            self._step_photo(),
            self._step_prediction(),
            self._step_run(),
        ]
        return any(moved)

    def _step_fetching(self) -> bool:
        if self.fetching is None or not self.fetching.job.over:
            return False
        entry, found = self.fetching.entry, self.fetching.job.snapshot()
        path = self.fetching.job.result() if found.state == "done" else None
        self.fetching = None
        if path is None:
            self.model_error = _sentence(found.error, "The download ended without a file.")
            return True
        self.open_model(
            path,
            entry.options,
            name=f"{entry.title} ({entry.library})",
            word=entry.name,
            about=entry.about,
            built_in=True,
        )
        return True

    def _step_model(self) -> bool:
        opening = self.opening
        if opening is None:
            return self._lost_model()
        found = opening.handle.loading.snapshot()
        if found.state in ("queued", "running"):
            return False
        self.opening = None
        if found.state == "done" and opening.handle.card is not None:
            old, self.model = self.model, opening
            if old is not None:
                if self.run is not None and self.run.scene.model is old:
                    self.cancel()
                self._put_away(old)
        else:
            self.model_error = _sentence(found.error, "The model could not be opened.")
            wants = _wants(found.error, opening)
            example = getattr(found.error, "example", ())
            self.refused = Refused(opening, wants, example) if wants else None
            self._put_away(opening)
        return True

    def _put_away(self, model: Model) -> None:
        """Let a model go, and its file with it: another upload needs the room."""
        model.handle.close()
        kept = (self.model, self.opening, self.refused.model if self.refused else None)
        used = {each.path for each in kept if each is not None}
        if not model.built_in and model.path not in used:
            self.session.remove_file(model.path)

    def _lost_model(self) -> bool:
        """Notice that the present model is gone: closed with its worker, and not coming back."""
        if self.model is None or self.model.handle.state not in ("failed", "closed"):
            return False
        if not self.model_error:
            self.model_error = (
                "The model's process has ended. Open the model again; the last answer is kept."
            )
            return True
        return False

    def _step_photo(self) -> bool:
        decoding = self.decoding
        if decoding is None:
            return False
        found = decoding.job.snapshot()
        if found.state in ("queued", "running"):
            return False
        self.decoding = None
        if found.state == "done":
            result = decoding.job.result(timeout=5)
            decoding.pixels, decoding.notes = result.pixels, result.notes
            self.photo = decoding
        else:
            self.photo_error = _sentence(found.error, "The photo could not be read.")
        return True

    def _step_prediction(self) -> bool:
        model, photo = self.model, self.photo
        if model is None or photo is None or photo.pixels is None:
            return False
        if self._asked != (model.id, photo.id):
            if self._predicting is not None:
                self._predicting.cancel()
            self._asked = (model.id, photo.id)
            self.prediction, self.prediction_error = None, ""
            try:
                self._predicting = model.handle.predict(photo.pixels)
            except VitrineError as error:
                self._predicting, self.prediction_error = None, str(error)
            return True
        if self._predicting is None:
            return False
        found = self._predicting.snapshot()
        if found.state in ("queued", "running"):
            return False
        job, self._predicting = self._predicting, None
        if found.state == "done":
            result = job.result(timeout=5)
            view, geometry = model.preprocessing.view(photo.pixels)
            self.prediction = Prediction(result.probabilities, view, geometry, result.findings)
        else:
            self.prediction_error = _sentence(found.error, "The model gave no answer.")
        return True

    def _step_run(self) -> bool:
        run = self.run
        if run is None:
            return False
        found = run.job.snapshot()
        if found.state in ("queued", "running"):
            return False
        self.run = None
        if found.state == "done":
            self.answer = Answer(run.question, run.scene, run.job.result(timeout=5))
            self.run_note = ""
        elif found.state == "cancelled":
            self.run_note = "Cancelled."
        else:
            self.run_note = _sentence(found.error, "The run ended without a result.")
        return True

    def close(self) -> None:
        """Let the models go."""
        self.stop_fetching()
        self.session.close()


def _sentence(error: Exception | None, otherwise: str) -> str:
    return str(error) if error is not None and str(error) else otherwise


def _wants(error: Exception | None, model: Model) -> Wanted | None:
    """Say what would open a refused model; what was sent in vain may be mended and sent again."""
    if model.built_in:
        return None
    if isinstance(error, NeedsAnswer):
        return "answers"
    if isinstance(error, NeedsFiles):
        return "files"
    if isinstance(error, NeedsArchitecture):
        return "architecture"
    if isinstance(error, NeedsSource) or model.options.source:
        return "source"
    return "architecture" if model.options.architecture else None


def changes(answer: Answer, question: Question) -> list[str]:
    """Say in a few words each what was different when the answer was made."""
    made = answer.question
    method = explainers()[made.method]
    if question.method != made.method:
        return [method.title]
    said = []
    if question.target != made.target:
        labels = answer.scene.card.labels
        said.append(" against ".join(labels[index] for index in made.target.classes()))
    if question.engine != made.engine:
        said.append(f"engine {made.engine}")
    for name, param in method.declared().items():
        was, now = (each.values.get(name) for each in (made, question))
        if was != now and was is not None:
            unit = f" {param.unit}" if param.unit else ""
            shown = f"{was:.4g}" if isinstance(was, float) else str(was)
            said.append(f"{param.title.lower()} {shown}{unit}")
    return said
