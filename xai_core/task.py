"""The contract of a task: whatever a worker can do, declared once, found by discovery, run by name.

A task is one file with one `@task` class. Its fields are what it is given (parameters declared by
`xai_core.params` where a form asks for them, and arrays); its class says which kind of worker it
wants, what it needs of the model that the worker holds, what it gives and shows, the commands that
it takes while it runs, and how long it may take. The same `run` serves a worker, a notebook and a
cluster.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Protocol, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import NDArray

from xai_core import discovery, params
from xai_core.card import Card
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import lacks
from xai_core.result import Result

Array = NDArray[np.float32]
Arrays = Mapping[str, NDArray[Any]]
Wants = Literal["plain", "model", "both", "torch", "keras"]
Command = Literal["pause", "go on", "step", "stop"]


class Progress(Protocol):
    """Told after each step; may raise to stop the run, and waits here while it is paused.

    `stopping` becomes true once somebody asked to stop and keep what there is.
    """

    stopping: bool

    def __call__(
        self, done: int, total: int, partial: Array | None = None, arrays: Arrays | None = None
    ) -> None:
        """Note that `done` of `total` steps are made, the map so far, and other arrays by name.

        What comes too fast is dropped: whatever counts goes into the Result.
        """


class Silent:
    """Ignores progress."""

    stopping = False

    def __call__(
        self, done: int, total: int, partial: Array | None = None, arrays: Arrays | None = None
    ) -> None:
        """Do nothing."""


silent = Silent()


@dataclasses.dataclass(frozen=True)
class Shape:
    """What an array may be: its type as `.npy` files name it, and its sides.

    A side is a number, the name of a number that the client knows (`h` and `w` of the view, `H`
    and `W` of the photo, `classes`), or '' where it is free; then `most` bounds all elements.
    `optional` says that it may be missing.
    """

    dtype: str
    sides: tuple[int | str, ...]
    most: int = 1 << 20
    optional: bool = False

    def refuses(self, dtype: str, sides: Sequence[int], known: Mapping[str, int]) -> str:
        """Say what is wrong with an array of that type and those sides, or nothing."""
        wanted = [known.get(side, side) if isinstance(side, str) else side for side in self.sides]
        if dtype == self.dtype and len(sides) == len(wanted):
            for have, side in zip(sides, wanted, strict=True):
                if have != side and not isinstance(side, str):
                    break
            else:
                if math.prod(sides) <= self._elements(wanted):
                    return ""
        return f"{dtype} {list(sides)} in the place of {self.dtype} {wanted}"

    def refusal(self, array: NDArray[Any], known: Mapping[str, int]) -> str:
        """Say what is wrong with an array, or nothing."""
        return self.refuses(array.dtype.str, array.shape, known)

    def elements(self, known: Mapping[str, int]) -> int:
        """Return the most elements that it may have."""
        return self._elements(
            [known.get(side, side) if isinstance(side, str) else side for side in self.sides]
        )

    def _elements(self, wanted: list[int | str]) -> int:
        most = 1
        for side in wanted:
            if isinstance(side, str):
                return self.most
            most *= side
        return most

    def bytes(self, known: Mapping[str, int]) -> int:
        """Return the most bytes that it may have."""
        return self.elements(known) * np.dtype(self.dtype).itemsize


@dataclasses.dataclass
class Bench:
    """What a worker keeps between two tasks: the model, and whatever a task leaves for later ones.

    `folder` is where a task may write files.
    """

    model: Any = None
    hash: str = ""
    sandbox: Mapping[str, Any] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
    kept: dict[str, Any] = dataclasses.field(default_factory=dict)
    folder: Path = Path()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """Base of every task. Subclasses are frozen, keyword-only dataclasses (see `task`).

    `worker`: `plain` for a fresh process without any framework that ends with the task; `model` for
    the one that holds the model, `both` for the one that holds it beside the other framework; a
    framework's name for one that holds what the task leaves in it. `quick` tasks (well under a
    second) do not wait behind others' long runs. `gives` and `shows` are the arrays of its result
    and of its progress by name, and a name that ends in a star stands for all
    that begin so, which then share its most elements, `text` the most bytes of plain data in its
    result, `files` the most bytes of each file.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""
    worker: ClassVar[Wants] = "model"
    needs: ClassVar[tuple[type, ...]] = ()
    returns: ClassVar[type[Result]] = Result
    commands: ClassVar[tuple[Command, ...]] = ()
    quick: ClassVar[bool] = False
    text: ClassVar[int] = 64 << 10
    files: ClassVar[Mapping[str, int]] = MappingProxyType({})

    def __post_init__(self) -> None:
        """Check every declared parameter. Raises ParamError."""
        params.validate(self)

    def wants(self) -> Wants:
        """Say which kind of worker this one wants."""
        return self.worker

    def limit(self, card: Card | None) -> float:
        """Return the seconds that it may take, on a model of that card."""
        return 600.0

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the arrays of its result, by where they stand in it."""
        return {}

    def shows(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the arrays of its progress, by name."""
        return {}

    def known(self, card: Card | None) -> dict[str, int]:
        """Return the numbers that shapes name: the view's sides, the classes."""
        if card is None:
            return {}
        return {"h": card.input_size[0], "w": card.input_size[1], "classes": card.classes}

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError where a rebuilt result is not an answer to this task."""

    def late(self, limit: float) -> str:
        """Say that it took longer than `limit` seconds; empty for the usual sentence."""
        return ""

    def ready(self, bench: Bench) -> None:
        """Raise UnsupportedModel where the model lacks what the task needs."""
        for need in self.needs:
            if reason := lacks(bench.model, need):
                raise UnsupportedModel(reason)

    def run(self, bench: Bench, progress: Progress) -> Result:
        """Do it. Raises VitrineError."""
        raise NotImplementedError


_REGISTRY: dict[str, type[Task]] = {}
_T = TypeVar("_T", bound=Task)


@dataclass_transform(kw_only_default=True, frozen_default=True)
def task(cls: type[_T]) -> type[_T]:
    """Make a class a frozen, keyword-only dataclass and register it under its own name."""
    made = dataclasses.dataclass(frozen=True, kw_only=True, eq=False)(cls)
    if "name" not in vars(made):
        made.name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", made.__name__).lower()
    _REGISTRY[made.name] = made
    return made


def tasks() -> dict[str, type[Task]]:
    """Return every task by name."""
    discovery.tasks()
    return dict(sorted(_REGISTRY.items()))


def named(name: str) -> type[Task]:
    """Return the task of that name. Raises ParamError."""
    discovery.tasks()
    if name not in _REGISTRY:
        raise ParamError(f"A task must be one of {', '.join(tasks())}, got {name[:60]!r}")
    return _REGISTRY[name]
