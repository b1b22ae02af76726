"""Loads a file behind the wall and asks it for everything, held against its library's answers."""

from __future__ import annotations

import dataclasses
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.formats.case import Case, Truth
from benchmarks.formats.tasks.gradient import Gradient
from benchmarks.formats.tasks.maps import Maps
from benchmarks.formats.truth import differs
from loaders.preprocessing import Preprocessing
from workers.client import ModelHandle, Wall
from xai_core.errors import LoadError, UnsupportedModel
from xai_core.question import Question
from xai_core.target import ClassTarget

EXTENSION = "benchmarks.formats"
"""The package whose tasks the wall of these measurements knows besides its own."""


class WrongAnswer(Exception):
    """A model that loaded and does not say what its own library says: a fault of ours."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What one file gave; `why` is the sentence of one that was refused.

    `layers` is how many of them show a map; `engine` is the library that read the file.
    """

    engine: str = ""
    gradients: bool = False
    layers: int = 0
    why: str = ""


def ask(case: Case, wall: Wall) -> Answer:
    """Write a case's file, load it and ask it. Raises WrongAnswer."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch, h5py and Keras, about what is written
        path = Path(folder) / case.name
        oracle = case.write(path)
        session = wall.session("formats")
        beside = [other for other in Path(folder).iterdir() if other != path]
        if beside:  # as the page and the command line bring them
            path = session.add_file(case.name, path)
            for other in beside:
                session.add_beside(path, other.name, other)
        handle = session.open(path, case.options, name=case.name, trusted_path=not beside)
        try:
            try:
                card = handle.loading.result()
            except (LoadError, UnsupportedModel) as error:
                return Answer(why=str(error))
            preprocessing = Preprocessing.from_json(card.preprocessing)
            found, view = _answers(handle, case, preprocessing)
            if said := differs(found, oracle(view, preprocessing)):
                raise WrongAnswer(f"{case.key}: {said}")
            layers = len(card.layers)
            if layers and found.gradient.size:
                _check_map(handle, case)
            elif layers:
                _check_maps(handle, case, view)
            return Answer(card.framework, found.gradient.size > 0, layers)
        finally:
            handle.close()


def _answers(handle: ModelHandle, case: Case, preprocessing: Preprocessing) -> tuple[Truth, Any]:
    said = handle.predict(case.photo).result()
    view, _ = preprocessing.view(case.photo)
    arrays = handle.run(Gradient(views=view[None])).result().arrays
    gradient = np.zeros(0)
    if arrays:
        gradient = case.known(arrays["gradient"][0].astype(np.float64))
    return Truth(said.logits.astype(np.float64), gradient), view


def _check_map(handle: ModelHandle, case: Case) -> None:
    """Raise WrongAnswer unless Grad-CAM, on the layer it takes by itself, shows something."""
    job = handle.explain(
        case.photo,
        Question(method="grad-cam", values={"relu": False}, target=ClassTarget(1, against=0)),
    )
    shown = job.result().attribution
    if not np.isfinite(shown).all() or np.ptp(shown) == 0:
        raise WrongAnswer(f"{case.key}: Grad-CAM gives a blank map")


def _check_maps(handle: ModelHandle, case: Case, view: Any) -> None:
    """Raise WrongAnswer unless the maps of the last layer show something."""
    shown = handle.run(Maps(views=view[None])).result().arrays["maps"]
    if not np.isfinite(shown).all() or np.ptp(shown) == 0:
        raise WrongAnswer(f"{case.key}: the last layer's maps are blank")
