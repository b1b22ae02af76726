"""A reader's own samples out of a file, in a worker that holds nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from loaders import digit_sets
from loaders.samples import read
from xai_core.card import Card
from xai_core.result import Result
from xai_core.task import Bench, Progress, Shape, Task, task
from xai_core.training import samples
from xai_core.training.samples import Samples


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ReadOut(Result):
    """What was in the file."""

    samples: Samples


@task
class ReadSamples(Task):
    """Reads an NPZ or a ZIP, uint8 `[n]`; `called` names it in sentences."""

    worker = "plain"
    returns = ReadOut
    text: ClassVar[int] = 16 << 10
    _gives: ClassVar[Mapping[str, Shape]] = MappingProxyType(
        {
            "samples.x": Shape("|u1", ("", ""), most=samples.NUMBERS),
            "samples.y": Shape("<i8", ("",), most=samples.MOST),
        }
    )

    data: NDArray[np.uint8]
    called: str

    def limit(self, card: Card | None) -> float:
        """Return 120 s."""
        return 120.0

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the samples and their classes."""
        return self._gives

    def run(self, bench: Bench, progress: Progress) -> ReadOut:
        """Return them. Raises LoadError and ParamError."""
        return ReadOut(samples=read(self.data.tobytes(), self.called))


@task
class ReadDigitSet(Task):
    """Reads a published set of small pictures out of the files that were fetched of it."""

    worker = "plain"
    returns = ReadOut
    text: ClassVar[int] = 16 << 10

    called: str
    paths: tuple[Path, ...]

    def limit(self, card: Card | None) -> float:
        """Return 120 s."""
        return 120.0

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the samples and their classes."""
        return ReadSamples._gives

    def run(self, bench: Bench, progress: Progress) -> ReadOut:
        """Return them. Raises LoadError."""
        return ReadOut(samples=digit_sets.read(self.called, self.paths))
