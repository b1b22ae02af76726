"""A changed photo as a run like any other: kept in the strip, opened in the Offering."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ui.desk import RUNNING, Desk
from ui.held import Answer, Model, Photo, Prediction, Run, Scene
from ui.slots import Work
from xai_core.errors import VitrineError
from xai_core.hashes import hash_of
from xai_core.model import Geometry

if TYPE_CHECKING:
    from xai_core.explanation import Explanation
    from xai_core.question import Question

Pixels = NDArray[np.uint8]


def scene(model: Model, photo: Photo, probabilities: NDArray[np.float32]) -> Scene:
    """Return what a run on a changed photo stands on."""
    view, geometry = model.preprocessing.view(photo.pixels)
    return Scene(
        model=model,
        card=model.card,
        findings=[*model.card.findings, *photo.findings],
        photo=photo,
        prediction=Prediction(probabilities, view, geometry),
    )


def keep(
    desk: Desk,
    model: Model,
    photo: Photo,
    probabilities: NDArray[np.float32],
    explanation: Explanation,
) -> Answer:
    """Keep an explanation of a changed photo as a run, and show it."""
    known = dataclasses.replace(
        explanation, model_hash=model.card.hash, image_hash=hash_of(photo.pixels)
    )
    made = Answer(known.question, scene(model, photo, probabilities), known)
    desk.with_runs(lambda runs: runs.add(made))
    return made


def explain(
    desk: Desk,
    model: Model,
    photo: Photo,
    probabilities: NDArray[np.float32],
    question: Question,
) -> None:
    """Run a method on a changed photo, in the place of the run under way."""
    stands_on = scene(model, photo, probabilities)

    def act() -> None:
        desk.cancel()
        desk.run_note = ""
        try:
            job = model.handle.explain(photo.pixels, question)
        except VitrineError as error:
            desk.run_note = str(error)
            return

        def done(explanation: Any) -> None:
            desk.runs.add(Answer(question, stands_on, explanation))

        def failed(found: Any) -> None:
            desk.run_note = str(found.error or "The run ended without a result.")

        run = Run(question, stands_on, job)
        desk.slots.put(RUNNING, Work(run, job, done, failed))

    desk.change(act)


def named(photo: Photo, words: str, pixels: Pixels) -> Photo:
    """Return a changed photo, named for what was done to it; so is the file that it can become."""
    said = f"{Path(photo.word).stem}-{words}"
    word = "-".join(re.findall(r"[a-z0-9.]+", said.lower()))[:80].strip("-.")
    return Photo(f"{photo.name}, {words}", f"{word}.png", pixels, photo.notes, made=True)


def place(model: Model, pixels: Pixels) -> Geometry:
    """Return where the model's view lies in a photo."""
    return model.preprocessing.geometry((pixels.shape[0], pixels.shape[1]))
