"""What lies on one visitor's desk: a model, a photo, what the model says, a run, an answer.

Nothing here waits: `step` looks at the jobs that are under way and moves on what is ready. A new
model or photo takes the old one's place only when it has loaded, so that a mistake loses nothing.
All tabs of a browser share one desk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from loaders import catalogue
from ui.held import Answer, Model, Photo, Prediction, Run, Scene, Seen
from ui.opening import FETCHING, OPENING, Opening
from ui.runs import Runs
from ui.slots import Work
from ui.under_way import R, alone, sentence
from xai_core.errors import VitrineError
from xai_core.question import Question
from xai_core.region import Region

if TYPE_CHECKING:
    from workers.client import Job, Session, Snapshot

__all__ = [
    "DECODING",
    "FETCHING",
    "MEASURING",
    "OPENING",
    "PREDICTING",
    "RUNNING",
    "SLOW",
    "Desk",
]

DECODING = "decoding"
PREDICTING, RUNNING, MEASURING = "predicting", "running", "measuring"
"""The slots of a desk, besides those in which a model comes."""

SLOW = 500.0
"""Milliseconds of a pass from which the others are not timed: a run may have to wait for one."""


class Desk(Opening):
    """One visitor's models, photos and results. `step` moves what is under way.

    `prediction` is what the present model says of the present photo, as soon as it has said it;
    `seen` is the last one with its own model and photo, which stays until the next is there.
    `kept` holds the values of the pages' controls for the next page, the next tab, or this one
    after F5.
    """

    opening_photo: ClassVar[str] = "heart_marked"
    """The photo that a first visitor meets: the opening model falls for the sticker on it."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.kept: dict[str, Any] = {}
        self.photo: Photo | None = None
        self.photo_error = ""
        self.prediction: Prediction | None = None
        self.seen: Seen | None = None
        self.prediction_error = ""
        self.run_note = ""
        self.runs = Runs()
        self._asked: tuple[int, int] | None = None
        self._measured: set[int] = set()

    @property
    def looks(self) -> bool:
        """Whether the present model is still looking at the present photo."""
        both = self.model is not None and self.photo is not None
        return both and self.prediction is None and not self.prediction_error

    # -- what is under way -------------------------------------------------------------------

    @property
    def decoding(self) -> str | None:
        """The name of the photo that is being decoded."""
        name: str | None = self.slots.what(DECODING)
        return name

    @property
    def answer(self) -> Answer | None:
        """The run that is shown."""
        return self.runs.shown

    @property
    def predicting(self) -> bool:
        """Whether the model is looking at the photo."""
        return self.slots.work(PREDICTING) is not None

    @property
    def run(self) -> Run | None:
        """The run under way."""
        run: Run | None = self.slots.what(RUNNING)
        return run

    @property
    def reloading(self) -> bool:
        """Whether the model is on its way back after a cancelled run."""
        return self.model is not None and self.model.handle.state == "reloading"

    @property
    def pending(self) -> bool:
        """Whether something is under way that will change the desk."""
        return bool(self.slots) or self.reloading

    def samples(self) -> tuple[catalogue.Sample, ...]:
        """List the built-in photos."""
        return catalogue.photos()

    # -- what the visitor does ---------------------------------------------------------------

    @alone
    def open_photo(self, data: bytes, *, name: str, word: str) -> None:
        """Start to decode a photo; it takes the present one's place when it is ready."""
        self.photo_error = ""
        try:
            job = self.session.decode(data)
        except VitrineError as error:
            self.photo_error = str(error)
            return

        def done(result: Any) -> None:
            self.photo = Photo(name, word, result.pixels, result.notes)

        def failed(found: Snapshot) -> None:
            self.photo_error = sentence(found, "The photo could not be read.")

        self.slots.put(DECODING, Work(name, job, done, failed))

    @alone
    def mark(self, photo: Photo, region: Region | None) -> None:
        """Keep the region that was marked on a photo, or none."""
        photo.region = region

    @alone
    def start(self, question: Question) -> None:
        """Run a method on the present model and photo."""

        def done(scene: Scene, explanation: Any) -> None:
            self.runs.add(Answer(question, scene, explanation))

        def job_of(model: Model, photo: Photo) -> Job:
            return model.handle.explain(photo.pixels, question)

        self._begin(question, job_of, done)

    def _begin(
        self,
        question: Question,
        job_of: Callable[[Model, Photo], Job],
        keep: Callable[[Scene, Any], None],
    ) -> None:
        """Start a run on the present model and photo, and let `keep` put away what it gives."""
        model, photo, prediction = self.model, self.photo, self.prediction
        if model is None or photo is None or prediction is None:
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
            job = job_of(model, photo)
        except VitrineError as error:
            self.run_note = str(error)
            return

        def done(result: Any) -> None:
            keep(scene, result)
            self.run_note = ""

        self.slots.put(RUNNING, Work(Run(question, scene, job), job, done, self._not_answered))

    @alone
    def cancel(self) -> None:
        """End the run under way; the last answer stays."""
        if self.slots.cancel(RUNNING):
            kept = " The last answer is kept." if self.answer else ""
            self.run_note = f"Cancelled.{kept}"

    @alone
    def with_runs(self, change: Callable[[Runs], R]) -> R:
        """Change which runs are kept, pinned and shown."""
        return change(self.runs)

    # -- what happens by itself --------------------------------------------------------------

    @alone
    def step(self) -> bool:
        """Move what is ready; return whether anything changed. Never waits."""
        moved = [
            self.slots.step(),
            self._recognise(),
            self.opening is None and self._lost_model(),
            self._predict(),
        ]
        return any(moved)

    def _leave(self, model: Model) -> None:
        run = self.run
        if run is not None and run.scene.model is model:
            self.cancel()

    def _predict(self) -> bool:
        """Ask a new model, or about a new photo."""
        model, photo = self.model, self.photo
        if model is None or photo is None or self._asked == (model.id, photo.id):
            return False
        self.slots.cancel(PREDICTING)
        self._asked = (model.id, photo.id)
        self.prediction, self.prediction_error = None, ""
        try:
            job = self._look(model, photo)
        except VitrineError as error:
            self.prediction_error = str(error)
            return True

        def done(result: Any) -> None:
            said = self._said(model, photo, result)
            self.prediction, self.seen = said, Seen(model, photo, said)

        self.slots.put(PREDICTING, Work(None, job, done, self._not_predicted))
        return True

    def _look(self, model: Model, photo: Photo) -> Job:
        """Let a model look at a photo. Raises VitrineError."""
        return model.handle.predict(photo.pixels)

    def _said(self, model: Model, photo: Photo, result: Any) -> Prediction:
        """Return what it said."""
        view, geometry = model.preprocessing.view(photo.pixels)
        return Prediction(result.probabilities, view, geometry, result.findings)

    def _not_predicted(self, found: Snapshot) -> None:
        self.prediction_error = sentence(found, "The model gave no answer.")

    @alone
    def measure(self) -> bool:
        """Time what the model's card leaves open, once, when nobody waits for the model.

        A page calls it once it is drawn, so that its first view does not share the machine.
        """
        model = self.model
        if model is None or self.prediction is None or self.slots or self.reloading:
            return False
        if model.id in self._measured or model.handle.state != "ready":
            return False
        if model.card.pace.forward > SLOW:  # a run that is asked for now would wait for it
            return False
        self._measured.add(model.id)
        try:
            job = model.handle.measure()
        except VitrineError:
            return False

        def give_way() -> None:
            self._measured.discard(model.id)  # it is made up for
            if job.snapshot().state == "queued":
                job.cancel()
            else:
                # not cancelled: one that does not hear it in time would take its worker along
                job.command("stop")

        # the handle puts it on its card; without it the estimates stay what they are
        idle = Work(model, job, lambda result: None, lambda found: None, give_way)
        self.slots.put(MEASURING, idle)
        return False

    def _not_answered(self, found: Snapshot) -> None:
        if found.state == "cancelled":
            self.run_note = "Cancelled."
        else:
            self.run_note = sentence(found, "The run ended without a result.")

    def close(self) -> None:
        """Let the models go."""
        self.stop_fetching()
        self.session.close()
