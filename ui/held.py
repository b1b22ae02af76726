"""What a visitor holds: a model, a photo, what the model says of it, and answers."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from loaders import printed
from loaders.options import ON_CARD
from loaders.preprocessing import Options, Preprocessing
from xai_core.card import Card
from xai_core.errors import NeedsAnswer, NeedsArchitecture, NeedsFiles, NeedsSource
from xai_core.explainer import explainers
from xai_core.explanation import Explanation
from xai_core.model import Finding, Geometry
from xai_core.question import Question
from xai_core.region import Region
from xai_core.report import settings
from xai_core.target import WORDS

if TYPE_CHECKING:
    from workers.client import Job, ModelHandle

Array = NDArray[np.float32]

_numbers = itertools.count()


@dataclasses.dataclass
class Model:
    """A model on the desk, or on its way there. `word` names it on the command line.

    `built_in` says that its file is no visitor's own: it ships, or was fetched for all. `ask` says
    that it waits for answers where it leaves something open.
    """

    name: str
    word: str
    path: Path
    options: Options
    handle: ModelHandle
    about: str = ""
    built_in: bool = False
    ask: bool = False
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


@dataclasses.dataclass
class Photo:
    """A photo on the desk. `word` names it on the command line.

    `region` is what the visitor marked on it; it goes with the photo and outlives its answers.
    `made` says that no file holds it: it was made here, out of another one.
    """

    name: str
    word: str
    pixels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()
    region: Region | None = None
    made: bool = False
    id: int = dataclasses.field(default_factory=lambda: next(_numbers))

    @property
    def findings(self) -> list[Finding]:
        """What was done to it on the way to its pixels."""
        return [Finding("info", note, "photo") for note in self.notes]


@dataclasses.dataclass(frozen=True, eq=False)
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


@dataclasses.dataclass(frozen=True, eq=False)
class Seen:
    """A prediction with the model that made it and the photo that it is of."""

    model: Model
    photo: Photo
    prediction: Prediction

    @property
    def card(self) -> Card:
        """What is known of the model by now."""
        return self.model.card


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """Model, photo and prediction as they were when a run began; it stays with its answer."""

    model: Model
    card: Card
    findings: Sequence[Finding]
    photo: Photo
    prediction: Prediction


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """A run under way."""

    question: Question
    scene: Scene
    job: Job
    id: int = dataclasses.field(default_factory=lambda: next(_numbers))


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
    """A finished run. `measured` is what was found out of it since, by name."""

    question: Question
    scene: Scene
    explanation: Explanation
    measured: dict[str, Any] = dataclasses.field(default_factory=dict)
    id: int = dataclasses.field(default_factory=lambda: next(_numbers))


Wanted = Literal["source", "architecture", "answers", "files"]
"""What would open a refused model."""


@dataclasses.dataclass(frozen=True)
class Refused:
    """A model that was not opened for want of something that can still be sent."""

    model: Model
    wants: Wanted
    example: tuple[int, ...] = ()


def wants(error: Exception | None, model: Model) -> Wanted | None:
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
        asked = " against ".join(labels[index] for index in made.target.classes())
        asked = asked or made.target.words(labels)
        alike = made.target.reads == "layer" or question.target.of == made.target.of
        said.append(asked if alike else f"{asked}, by its {WORDS[made.target.of]}")
    if question.engine != made.engine:
        said.append(f"engine {made.engine}")
    for name, param in method.declared().items():
        was, now = (each.values.get(name) for each in (made, question))
        if was != now and was is not None:
            title, shown = param.title[:1].lower() + param.title[1:], settings.words(param, was)
            said.append(f"{title}: {shown}" if param.kind == "switch" else f"{title} {shown}")
    return said


def answered_otherwise(before: Model, now: Model) -> str:
    """Say what was different when one file was opened before; nothing for two files."""
    if before.path != now.path:
        return ""
    changed = {
        name
        for name in Options.declared()
        if getattr(before.options, name) != getattr(now.options, name)
    }
    places = {Options.declared()[name].place for name in changed}
    if changed == {"classes"}:
        return "with the earlier class names"
    if places == {ON_CARD}:
        return "with the earlier pre-processing"
    return (
        "with the earlier answers about the file"
        if changed
        else "before the model was opened again"
    )
