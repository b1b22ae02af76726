"""Which of a Keras network's outputs holds the class scores, by their names, shapes and endings.

Takes the model's answers and imports no framework.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from loaders.keras.inputs import sides
from loaders.options import Options
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import Finding, HeadKind

_SCORES = re.compile(r"logit|prob|pred|class|score|softmax|label|categor|main|output", re.I)
_OTHER = re.compile(
    r"feat|embed|pool|aux|hidden|box|mask|regress|attention|weights|state|map|age|angle|pose", re.I
)
_ACTIVATED = ("softmax", "sigmoid", "log-softmax")

Path = tuple[str | int, ...]
"""The keys and positions that lead to an output in what a network gives."""


@dataclasses.dataclass(frozen=True)
class Output:
    """One of a network's outputs: its shape without the photos, and what the graph ends it in.

    `name` is how it is called, or '' where it only has a place; `numbers` says that it holds
    fractions, and no text or whole numbers; `ran` is when its layer ran, counted from 1, or 0.
    """

    path: Path
    name: str
    shape: tuple[Any, ...]
    numbers: bool = True
    kind: HeadKind | None = None
    ran: int = 0

    @property
    def units(self) -> int:
        """How many numbers it has for a photo, or 0 where it is no row of scores."""
        if not self.numbers or any(side != 1 for side in self.shape[:-1]):
            return 0
        return int(self.shape[-1]) if self.shape else 1


@dataclasses.dataclass(frozen=True)
class Choice:
    """The output that is read: the way to it, and how many numbers it has for a photo."""

    path: Path = ()
    units: int = 0

    def of(self, answers: Any) -> Any:
        """Return it out of everything that the network gave."""
        for step in self.path:
            answers = answers[step]
        return answers


def found(answers: Any, count: int, names: Sequence[str] = ()) -> list[Output]:
    """Return every output in a network's answers to `count` photos.

    `names` are those of a functional model's outputs, in order.
    """
    rows = list(_walk(answers, ()))
    made: list[Output] = []
    for index, (path, value) in enumerate(rows):
        keys = [str(step) for step in path if isinstance(step, str)]
        name = "/".join(keys) or (str(names[index]) if len(names) == len(rows) > 1 else "")
        shape = tuple(value.shape)
        # the first axis of an answer is the photos'; a lone number for all of them is none
        own = shape[1:] if shape[:1] in ((count,), (None,)) else (0, *shape)
        made.append(Output(path, name, own, _is_number(value)))
    return made


def _walk(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _walk(inner, (*path, index))
    elif hasattr(value, "shape") and hasattr(value, "dtype"):
        yield path, value


def _is_number(value: Any) -> bool:
    return "float" in str(value.dtype)


def choose(outputs: Sequence[Output], options: Options) -> tuple[Choice, tuple[Finding, ...]]:
    """Return the output that holds the scores, and what was assumed.

    Raises UnsupportedModel where none is a row of scores, and ParamError for an output that was
    asked for and is none of them.
    """
    rows = [output for output in outputs if output.units]
    if options.output:
        asked = _asked(outputs, options.output)
        if not asked.units:
            raise ParamError(
                f"--output must be a row of class scores; {_called(asked, outputs)} is an array "
                f"{sides((None, *asked.shape))} for each photo"
            )
        return Choice(asked.path, asked.units), ()
    if not rows:
        raise UnsupportedModel(_no_scores(outputs))
    if len(outputs) == 1:
        return Choice(rows[0].path, rows[0].units), ()
    ranks = [_rank(row, options) for row in rows]
    same = [row for row, rank in zip(rows, ranks, strict=True) if rank == max(ranks)]
    best = same[0]
    if len({row.units for row in same}) > 1:  # features run before the scores that they serve
        best = max(same, key=lambda row: row.ran)
    rest = ", ".join(_called(row, outputs) for row in outputs if row is not best)
    why = _why(best, rows, options)
    sure: Literal["info", "warning"] = "info" if len(rows) == 1 else "warning"
    return Choice(best.path, best.units), (
        Finding(
            sure,
            f"The network gives {len(outputs)} outputs: the scores are taken from "
            f"{_called(best, outputs)}, {why}. Left aside: {rest}. If that is wrong, choose "
            "another (--output).",
            "output",
        ),
    )


def _rank(row: Output, options: Options) -> tuple[int, ...]:
    """Order the outputs by what speaks for each."""
    named = bool(_SCORES.search(row.name)) - 2 * bool(_OTHER.search(row.name))
    counted = options.classes is not None and row.units == len(options.classes)
    ends = 2 if row.kind in _ACTIVATED else int(row.kind == "logits")
    several = row.units > 1 or row.kind == "sigmoid"
    return counted, ends == 2, several, named, ends


def _why(best: Output, rows: Sequence[Output], options: Options) -> str:
    if len(rows) == 1:
        return "the only one that is a row of numbers"
    if options.classes is not None and best.units == len(options.classes):
        return f"which has as many as the {best.units} class names"
    if best.kind in _ACTIVATED and sum(row.kind in _ACTIVATED for row in rows) == 1:
        return f"the only one that ends in a {best.kind}"
    if _SCORES.search(best.name) and not _OTHER.search(best.name):
        return "by its name"
    return "which look most like class scores"


def _asked(outputs: Sequence[Output], name: str) -> Output:
    for output in outputs:
        if output.name == name:
            return output
    if name.isascii() and name.isdigit() and 1 <= int(name) <= len(outputs):
        return outputs[int(name) - 1]
    known = ", ".join(_called(output, outputs) for output in outputs[:8])
    raise ParamError(f"--output must be one of the network's, {known}, got {name[:60]!r}")


def _called(output: Output, outputs: Sequence[Output]) -> str:
    number = next(index for index, each in enumerate(outputs, 1) if each is output)
    name = f"{output.name[:60]!r}" if output.name.isprintable() and output.name else ""
    return f"{name} (number {number})" if name else f"number {number}"


def _no_scores(outputs: Sequence[Output]) -> str:
    if len(outputs) == 1:
        only = outputs[0]
        if not only.numbers:
            return (
                "This network gives the name or the number of a class for each photo and not one "
                "row of class scores: there is no score that could be explained. Save the "
                "network without the layers that make the choice."
            )
        return (
            f"This network gives an array {sides((None, *only.shape))} for each photo, not one row "
            "of class scores: it is no image classifier."
        )
    given = ", ".join(sides((None, *output.shape)) for output in outputs[:6])
    return (
        f"This network gives {len(outputs)} outputs ({given}) and none of them is one row of class "
        "scores: it is no image classifier."
    )
