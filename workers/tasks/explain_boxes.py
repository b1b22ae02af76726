"""What made a detector put several boxes: one method asked about each, on one photo."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workers.tasks.explain import Explain, allowed
from xai_core.card import Card
from xai_core.errors import ParamError
from xai_core.explanation import Explanation
from xai_core.hashes import hash_of
from xai_core.question import Question
from xai_core.result import Result
from xai_core.target import Target
from xai_core.task import Bench, Progress, Shape, Task, Wants, task

MOST = 12
"""Boxes that are asked about at once."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Explanations(Result):
    """Maps of one photo, in the order in which they were asked for."""

    each: tuple[Explanation, ...]


@task
class ExplainBoxes(Task):
    """Answers a question about a photo, uint8 `[H, W, 3]`, for several targets.

    `question` is asked about its own target and each of `others`. A method that asks the model
    about the same changed photos whatever the target does so once.
    """

    returns = Explanations
    text: ClassVar[int] = MOST * (256 << 10)

    pixels: NDArray[np.uint8]
    question: Question
    others: tuple[Target, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.questions) > MOST:
            raise ParamError(
                f"At most {MOST} boxes are asked about at once, got {len(self.questions)}"
            )
        self.question.made()  # a bad value is refused at once

    @property
    def questions(self) -> tuple[Question, ...]:
        """One question for each target."""
        every = (self.question.target, *self.others)
        return tuple(dataclasses.replace(self.question, target=target) for target in every)

    def wants(self) -> Wants:
        """Return what the question's engine wants."""
        return self.question.made().chosen().worker

    def limit(self, card: Card | None) -> float:
        """Return what the runs may take one after the other."""
        seconds = 0.0
        if card is not None:
            seconds = card.pace.seconds(self.question.made(card.input_size).cost(card))
        return allowed(len(self.questions) * seconds)

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shapes of each map, and those of the method's own arrays."""
        return {
            f"each.{number}.{name}": shape
            for number, asked in enumerate(self.questions)
            for name, shape in self._one(asked).gives(card).items()
        }

    def shows(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shape of the map so far."""
        return self._one(self.question).shows(card)

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for answers to other questions."""
        for asked, made in zip(self.questions, result.each, strict=True):
            self._one(asked).check(made, card)

    def run(self, bench: Bench, progress: Progress) -> Explanations:
        """Return them. Raises UnsupportedModel where the method cannot serve the model."""
        model = bench.model
        explainer = self.question.made(model.input_size)
        view, geometry = model.preprocessing.view(self.pixels)
        targets = [asked.target for asked in self.questions]
        made = explainer.explain_all(model, view, targets, progress=progress)
        image = "" if bench.sandbox else hash_of(self.pixels)
        return Explanations(
            each=tuple(
                dataclasses.replace(
                    each, geometry=geometry, model_hash=bench.hash, image_hash=image
                )
                for each in made
            )
        )

    def hashed(self, result: Explanations, model: str) -> Explanations:
        """Return the maps with the hashes that the trusted side knows."""
        image = hash_of(self.pixels)
        made = [
            dataclasses.replace(each, model_hash=model, image_hash=image) for each in result.each
        ]
        return dataclasses.replace(result, each=tuple(made))

    def _one(self, question: Question) -> Explain:
        return Explain(pixels=self.pixels, question=question)
