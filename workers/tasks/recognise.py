"""Which kind of worker a model's file wants."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

from workers import kinds
from xai_core.card import Card
from xai_core.result import Result
from xai_core.task import Bench, Progress, Task, task


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Found(Result):
    """The kind of worker that opens the file."""

    kind: str


@task
class Recognise(Task):
    """Looks at a file, without running any of it."""

    worker = "plain"
    returns = Found
    quick = True
    text: ClassVar[int] = 1 << 10

    path: Path

    def limit(self, card: Card | None) -> float:
        """Return 30 s."""
        return 30.0

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for a kind that opens no model files."""
        if result.kind not in kinds.KINDS or not kinds.KINDS[result.kind].reads:
            raise ValueError("no known framework")

    def run(self, bench: Bench, progress: Progress) -> Found:
        """Return it. Raises LoadError where the file is no model."""
        from loaders.load import framework_of

        return Found(kind=str(framework_of(self.path)))
