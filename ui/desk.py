"""What lies on one visitor's desk: a model, a photo, what the model says, a run, an answer.

Nothing here waits: `step` looks at the jobs that are under way and moves on what is ready. A new
model or photo takes the old one's place only when it has loaded, so that a mistake loses nothing.
All tabs of a browser share one desk.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loaders.preprocessing import Options
from ui.held import Answer, Model, Photo, Prediction, Refused, Run, Scene, wants
from ui.runs import Runs
from ui.slots import Work
from ui.under_way import R, UnderWay, alone, sentence
from xai_core.errors import VitrineError
from xai_core.question import Question
from xai_core.region import Region

if TYPE_CHECKING:
    from loaders.catalogue import Pretrained
    from workers.client import Session, Snapshot

FETCHING, OPENING, DECODING = "fetching", "opening", "decoding"
PREDICTING, RUNNING, MEASURING = "predicting", "running", "measuring"
"""The slots of a desk."""

SLOW = 500.0
"""Milliseconds of a pass from which the others are not timed: a run may have to wait for one."""


class Desk(UnderWay):
    """One visitor's models, photos and results. `step` moves what is under way.

    `kept` holds the values of the pages' controls for the next page, the next tab, or this one
    after F5.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.kept: dict[str, Any] = {}
        self.model: Model | None = None
        self.model_error = ""
        self.refused: Refused | None = None
        self.photo: Photo | None = None
        self.photo_error = ""
        self.prediction: Prediction | None = None
        self.prediction_error = ""
        self.run_note = ""
        self.runs = Runs()
        self._asked: tuple[int, int] | None = None
        self._measured: set[int] = set()

    # -- what is under way -------------------------------------------------------------------

    @property
    def fetching(self) -> Pretrained | None:
        """The published model whose file is on its way to the server."""
        entry: Pretrained | None = self.slots.what(FETCHING)
        return entry

    @property
    def opening(self) -> Model | None:
        """The model that is being loaded."""
        model: Model | None = self.slots.what(OPENING)
        return model

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

    # -- what the visitor does ---------------------------------------------------------------

    @alone
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
        superseded = self.slots.take(OPENING)
        if superseded is not None:
            self._put_away(superseded.what)
        try:
            handle = self.session.open(path, options, name=name, trusted_path=built_in)
        except VitrineError as error:
            self.model_error = str(error)
            if not built_in and (self.model is None or self.model.path != path):
                self.session.remove_file(path)
        else:
            model = Model(name, word, path, options, handle, about, built_in)
            done, failed = self._opened, self._not_opened
            self.slots.put(
                OPENING,
                Work(
                    model,
                    handle.loading,
                    lambda result: done(model),
                    lambda found: failed(model, found),
                ),
            )
        if refused is not None and refused.model.path != path:
            self._put_away(refused.model)

    @alone
    def open_pretrained(self, entry: Pretrained) -> None:
        """Fetch a published model's file, unless it is here already, and start to load it."""
        self.stop_fetching()
        self.model_error = ""
        try:
            job = self.session.fetch(entry)
        except VitrineError as error:
            self.model_error = str(error)
            return
        self.slots.put(
            FETCHING, Work(entry, job, lambda path: self._fetched(entry, path), self._not_fetched)
        )

    @alone
    def stop_fetching(self) -> None:
        """End a download; what has arrived stays on the server."""
        self.slots.cancel(FETCHING)

    @alone
    def upload_model(self, name: str, data: bytes, options: Options) -> None:
        """Put an uploaded file into this visitor's spool and start to load it."""
        self.model_error = ""
        try:
            path = self.session.add_file(name, data)
        except VitrineError as error:
            self.model_error = str(error)
            return
        self.open_model(path, options, name=name, word=name)

    @alone
    def reopen(self, /, **changes: Any) -> None:
        """Load the present model again with other options. Raises ParamError."""
        if self.model is not None:
            self._open_again(self.model, changes)

    @alone
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
            job = model.handle.explain(photo.pixels, question)
        except VitrineError as error:
            self.run_note = str(error)
            return

        def done(explanation: Any) -> None:
            self.runs.add(Answer(question, scene, explanation))
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
            self.opening is None and self._lost_model(),
            self._predict(),
        ]
        return any(moved)

    def _fetched(self, entry: Pretrained, path: Path) -> None:
        self.open_model(
            path,
            entry.options,
            name=f"{entry.title} ({entry.library})",
            word=entry.name,
            about=entry.about,
            built_in=True,
        )

    def _not_fetched(self, found: Snapshot) -> None:
        self.model_error = sentence(found, "The download ended without a file.")

    def _opened(self, model: Model) -> None:
        old, self.model = self.model, model
        if old is not None:
            run = self.run
            if run is not None and run.scene.model is old:
                self.cancel()
            self._put_away(old)

    def _not_opened(self, model: Model, found: Snapshot) -> None:
        self.model_error = sentence(found, "The model could not be opened.")
        needed = wants(found.error, model)
        example = getattr(found.error, "example", ())
        self.refused = Refused(model, needed, example) if needed else None
        self._put_away(model)

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

    def _predict(self) -> bool:
        """Ask a new model, or about a new photo."""
        model, photo = self.model, self.photo
        if model is None or photo is None or self._asked == (model.id, photo.id):
            return False
        self.slots.cancel(PREDICTING)
        self._asked = (model.id, photo.id)
        self.prediction, self.prediction_error = None, ""
        try:
            job = model.handle.predict(photo.pixels)
        except VitrineError as error:
            self.prediction_error = str(error)
            return True

        def done(result: Any) -> None:
            view, geometry = model.preprocessing.view(photo.pixels)
            self.prediction = Prediction(result.probabilities, view, geometry, result.findings)

        self.slots.put(PREDICTING, Work(None, job, done, self._not_predicted))
        return True

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
