"""What a model looked at: one question about one photo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workers.tasks.predict import check_place
from xai_core.card import Card
from xai_core.explanation import Explanation
from xai_core.hashes import hash_of
from xai_core.question import Question
from xai_core.task import Bench, Progress, Shape, Task, Wants, task

LEAST, MOST = 600.0, 6 * 3600.0
"""Seconds that a run may take at the least and at the most, whatever its estimate says."""

BUSY = 12
"""How many times its estimate a run may take: others may have come since the pace was measured."""


def allowed(seconds: float) -> float:
    """Return the seconds that a run may take whose estimate is `seconds`."""
    return min(MOST, max(LEAST, float(round(BUSY * seconds))))


GRAINS = {
    "grain.map": Shape("<f4", ("", "")),
    "grain.labels": Shape("<i4", ("h", "w")),
    "grain.weights": Shape("<f8", ("",), most=1 << 16),
}
"""The arrays that a grain may have."""


@task
class Explain(Task):
    """Answers a question about a photo, uint8 `[H, W, 3]`, in the frame of the model's view."""

    returns = Explanation
    text: ClassVar[int] = 256 << 10

    pixels: NDArray[np.uint8]
    question: Question

    def __post_init__(self) -> None:
        super().__post_init__()
        self.question.made()  # a bad value is refused at once

    def wants(self) -> Wants:
        """Return what the question's engine wants."""
        return self.question.made().chosen().worker

    def limit(self, card: Card | None) -> float:
        """Return twelve times the estimate, from 10 minutes to 6 hours."""
        if card is None:
            return LEAST
        return allowed(card.pace.seconds(self.question.made(card.input_size).cost(card)))

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the map's shape, and those of the method's own arrays."""
        own = {f"arrays.{name}": shape for name, shape in self.question.made().arrays.items()}
        return {"attribution": Shape("<f4", ("h", "w"))} | GRAINS | own

    def shows(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shape of the map so far."""
        return {"partial": Shape("<f4", ("h", "w"))}

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for the answer to another question, and another place of the view."""
        said, asked = result.question, self.question.made(None if card is None else card.input_size)
        if (said.method, said.engine) != (asked.name, asked.chosen().name):
            raise ValueError("an answer by another method")
        if said.target != self.question.target:
            raise ValueError("an answer about another target")
        said.made(result.attribution.shape)
        for name, value in self.question.values.items():
            if value != "" and said.values.get(name) != value:
                raise ValueError("an answer with other values")
        if result.geometry is None or result.attribution.shape != result.geometry.view:
            raise ValueError("a map that does not fit its view")
        check_place(result.geometry, self.pixels, card)

    def run(self, bench: Bench, progress: Progress) -> Explanation:
        """Return it. Raises UnsupportedModel where the method cannot serve the model."""
        model = bench.model
        explainer = self.question.made(model.input_size)
        view, geometry = model.preprocessing.view(self.pixels)
        made = explainer.explain(model, view, self.question.target, progress=progress)
        # behind the wall the client takes its own: a worker's word would not count
        image = "" if bench.sandbox else hash_of(self.pixels)
        return made.amended(
            geometry=geometry,
            model_hash=bench.hash,
            image_hash=image,
            backend=getattr(model, "backend", None),
        )
