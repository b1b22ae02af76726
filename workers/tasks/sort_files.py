"""What came together, told apart; and names of classes: a stranger's text is read by a worker."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from loaders import companions
from loaders.class_names import MAX_TEXT, check_classes, read_classes
from loaders.texts import NotText, decode_text
from xai_core.card import Card
from xai_core.errors import LoadError, ParamError
from xai_core.result import Result
from xai_core.task import Bench, Progress, Shape, Task, task

Letters = NDArray[np.uint8]
TEXTS = ("source", "architecture")
MOST = 4 * MAX_TEXT
"""Bytes of all that is handed back."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Sorted(Result):
    """Which of several files is the model, what the others say, and which lie beside it.

    `model` and `beside` count the files from 0, `model` is -1 for none; `said` is UTF-8, uint8
    `[n]`, by the option that it is for, names of classes one a line.
    """

    model: int = -1
    beside: tuple[int, ...] = ()
    said: Mapping[str, Letters] = dataclasses.field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """The options. Raises ValueError for bytes that are no text, ParamError for such names."""
        made: dict[str, Any] = {}
        for option, letters in self.said.items():
            text = letters.tobytes().decode()
            made[option] = _names(text) if option == "classes" else text
        return made


@task
class SortFiles(Task):
    """Tells files apart that came together; `names` are what they are called.

    With one file alone it says what text that is, if it is one.
    """

    worker = "plain"
    returns = Sorted
    quick = True
    _gives: ClassVar[Mapping[str, Shape]] = MappingProxyType(
        {"said.*": Shape("|u1", ("",), most=MOST)}
    )

    names: tuple[str, ...]
    paths: tuple[Path, ...]

    def limit(self, card: Card | None) -> float:
        """Return 30 s."""
        return 30.0

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the texts."""
        return self._gives

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for files that there are not, and for texts that are none."""
        count = len(self.paths)
        places = [*result.beside, *([] if result.model == -1 else [result.model])]
        if len(set(places)) < len(places) or not all(0 <= each < count for each in places):
            raise ValueError("files that there are not")
        if (result.model == -1) != (count == 1):
            raise ValueError("a model among one file, or none among several")
        if not set(result.said) <= {*TEXTS, "classes"} or len(result.said) > count:
            raise ValueError("options that no file is for")
        _ = result.options

    def run(self, bench: Bench, progress: Progress) -> Sorted:
        """Return it. Raises LoadError."""
        if len(self.paths) == 1:
            said = companions.alone(self.names[0], self.paths[0])
            return Sorted(said={} if said is None else {said[0]: _letters(said[1])})
        bundle = companions.sort(list(zip(self.names, self.paths, strict=True)))
        return Sorted(
            model=self.paths.index(bundle.model),
            beside=tuple(self.paths.index(path) for _, path in bundle.beside),
            said={name: _letters(value) for name, value in bundle.options.items()},
        )


@task
class ReadText(Task):
    """Reads a text's bytes, uint8 `[n]`: names of classes, or whatever its file is, by its name."""

    worker = "plain"
    returns = Sorted
    quick = True
    _gives: ClassVar[Mapping[str, Shape]] = MappingProxyType(
        {"said.*": Shape("|u1", ("",), most=MOST)}
    )

    data: Letters
    called: str = ""

    def limit(self, card: Card | None) -> float:
        """Return 30 s."""
        return 30.0

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the text."""
        return self._gives

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for what is not one text, and for names that are none."""
        known = {"classes"} if not self.called else {*TEXTS, "classes"}
        if len(result.options) != 1 or not set(result.said) <= known:
            raise ValueError("no text, or several")

    def run(self, bench: Bench, progress: Progress) -> Sorted:
        """Return it. Raises LoadError and ParamError."""
        data = self.data.tobytes()
        if not self.called:
            return Sorted(said={"classes": _letters(names_in(data))})
        try:
            option, value = companions.read(decode_text(data), self.called)
        except NotText as error:
            raise LoadError(f"It cannot be read: {error}.") from None
        return Sorted(said={option: _letters(value)})


def names_in(data: bytes) -> tuple[str, ...]:
    """Return the names of classes in a text's bytes. Raises ParamError."""
    try:
        return read_classes(decode_text(data) or " ")
    except NotText as error:
        raise ParamError(f"The class names cannot be read: {error}.") from None


def _letters(value: str | tuple[str, ...]) -> Letters:
    text = value if isinstance(value, str) else "\n".join(value)
    return np.frombuffer(text.encode(), np.uint8)


def _names(text: str) -> tuple[str, ...]:
    found = tuple(text.split("\n"))
    check_classes(found)
    return found
