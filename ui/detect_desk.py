"""The desk of detectors: what one finds on a photo, beside the visitor's other desk."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from loaders import catalogue
from ui.desk import Desk
from ui.held import Answer, Model, Photo, Prediction, Scene
from ui.slots import Work
from ui.under_way import alone
from workers.tasks.detect import Detection, DetectObjects
from workers.tasks.explain_boxes import ExplainBoxes
from xai_core.card import Wanted
from xai_core.detection import boxes, changed
from xai_core.errors import VitrineError
from xai_core.question import Question
from xai_core.target import BoxTarget

if TYPE_CHECKING:
    from workers.client import Job

CHANGING = "changing"
"""The slot in which the detector looks at a photo of which a part was painted over."""


@dataclasses.dataclass(frozen=True, eq=False)
class Found(Prediction):
    """What a detector weighs on a photo: all candidates, none dropped. It says no probabilities."""

    detection: Detection | None = None

    @property
    def candidates(self) -> Detection:
        """All that was weighed."""
        assert self.detection is not None  # noqa: S101 - whoever makes one gives it
        return self.detection


@dataclasses.dataclass(frozen=True, eq=False)
class Without:
    """What a detector found once a part of a photo was painted over."""

    photo: Photo
    model: Model
    words: str
    pixels: NDArray[np.uint8]
    detection: Detection


class DetectDesk(Desk):
    """One visitor's detector and photo. `without` is the last look at a changed photo.

    `together` are the answers of the last run that asked about several boxes.
    """

    wanted: ClassVar[Wanted] = "detection"
    opening_photo: ClassVar[str] = "six_shapes"

    def __init__(self, session: Any) -> None:
        super().__init__(session)
        self.without: Without | None = None
        self.without_note = ""
        self.together: tuple[Answer, ...] = ()

    def built_in(self) -> tuple[catalogue.Entry, ...]:
        """List the built-in detectors."""
        return catalogue.detectors()

    def samples(self) -> tuple[catalogue.Sample, ...]:
        """List the photos of several shapes first, and then the others."""
        return (*catalogue.crowds(), *catalogue.photos())

    @property
    def weighed(self) -> Found | None:
        """What was found on the last photo that was looked at, or None."""
        said = None if self.seen is None else self.seen.prediction
        return said if isinstance(said, Found) else None

    @alone
    def start_all(self, question: Question, others: Sequence[BoxTarget]) -> None:
        """Run a method on the question's box and on others, on the same changed photos if it can.

        The first answer is shown; all are kept.
        """

        def job_of(model: Model, photo: Photo) -> Job:
            task = ExplainBoxes(pixels=photo.pixels, question=question, others=tuple(others))
            return model.handle.run(task)

        def keep(scene: Scene, result: Any) -> None:
            made = [
                Answer(dataclasses.replace(question, target=each.target), scene, each)
                for each in result.each
            ]
            for number, each in enumerate(made):
                self.runs.add(each, show=not number)
            self.together = tuple(made)

        self._begin(question, job_of, keep)

    @alone
    def paint(self, target: BoxTarget, where: changed.Where, fill: changed.Fill) -> None:
        """Ask the detector about the photo with a box, or all but it, painted over."""
        model, photo, found = self.model, self.photo, self.weighed
        if model is None or photo is None or found is None:
            return
        self.without_note = ""
        box = boxes.in_photo(np.array([target.box], np.float32), found.geometry)[0]
        pixels = changed.painted(photo.pixels, box, where, fill)
        try:
            job = model.handle.run(DetectObjects(pixels=pixels))
        except VitrineError as error:
            self.without_note = str(error)
            return
        words = changed.words(target.words(model.card.labels), where, fill)

        def done(result: Any) -> None:
            self.without = Without(photo, model, words, pixels, result)

        def failed(snapshot: Any) -> None:
            self.without_note = str(snapshot.error or "The detector gave no answer.")

        self.slots.put(CHANGING, Work(words, job, done, failed))

    def _look(self, model: Model, photo: Photo) -> Job:
        """Let a detector look at a photo. Raises VitrineError."""
        self.without, self.without_note = None, ""
        return model.handle.run(DetectObjects(pixels=photo.pixels))

    def _said(self, model: Model, photo: Photo, result: Any) -> Found:
        """Return all that it weighed."""
        view, geometry = model.preprocessing.view(photo.pixels)
        nothing = np.zeros(len(model.card.labels), np.float32)
        return Found(nothing, view, geometry, result.findings, detection=result)
