"""Which other files a model's weights lie in."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from loaders.onnx.external import MAX_FILES, names_in, plain
from xai_core.card import Card
from xai_core.result import Result
from xai_core.task import Bench, Progress, Task, task


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Names(Result):
    """Names of files that belong beside the model: no paths."""

    names: tuple[str, ...]


@task
class Companions(Task):
    """Reads what an ONNX file says of the files that its weights lie in."""

    worker = "plain"
    returns = Names

    path: Path

    def limit(self, card: Card | None) -> float:
        """Return 30 s."""
        return 30.0

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for too many names, and for one that is a path."""
        if len(result.names) > MAX_FILES:
            raise ValueError("too many files")
        if any(plain(name) != name for name in result.names):
            raise ValueError("a file's name that is none")

    def run(self, bench: Bench, progress: Progress) -> Names:
        """Return them. Raises LoadError."""
        return Names(names=tuple(names_in(self.path)))
