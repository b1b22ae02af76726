"""A model's file into the model that a worker holds."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

from loaders.preprocessing import Options
from workers import cards
from xai_core.card import Card, Wanted
from xai_core.result import Result
from xai_core.task import Bench, Progress, Task, Wants, task


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Loaded(Result):
    """What is told of the model."""

    card: Card


@task
class Load(Task):
    """Loads a model's file, which is called `called`; one that does what is `wanted` of it."""

    worker: ClassVar[Wants] = "model"
    returns = Loaded
    text: ClassVar[int] = 4 << 20

    path: Path
    options: Options
    called: str
    wanted: Wanted = "classification"

    def limit(self, card: Card | None) -> float:
        """Return 180 s: what never ends must not hold a place for long."""
        return 180.0

    def late(self, limit: float) -> str:
        """Say what it is that did not end."""
        if self.options.source:
            return (
                f"The source did not finish within {limit:g} s, and was stopped. Send only what "
                "defines the network: its classes, and the functions and values that they use."
            )
        return (
            f"The file did not finish loading within {limit:g} s, and was stopped. It may be "
            "damaged, or hold code that never ends; save or export it again."
        )

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for a card of no model, or of another kind of model."""
        cards.check(result.card)
        if self.wanted not in ("any", result.card.task):
            raise ValueError("a model that does something else")

    def run(self, bench: Bench, progress: Progress) -> Loaded:
        """Return its card. Raises LoadError or UnsupportedModel."""
        from loaders.load import load

        bench.model = load(self.path, self.options, name=self.called, wanted=self.wanted)
        return Loaded(card=cards.describe(bench.model))
