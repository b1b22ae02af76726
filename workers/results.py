"""What workers answer, checked and rebuilt: a worker may have been taken over by its model.

The classes say what they are made of, the tasks what an answer to them is. A wrong answer is a
JobError, never a surprise in a page.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from workers import spool
from workers.words import plain_text
from xai_core.card import Card
from xai_core.errors import JobError, VitrineError
from xai_core.result import Result
from xai_core.task import Task

Arrays = Mapping[str, NDArray[Any]]

TEXT_CAP = 4000
KEY_CAP = 200
DEEPEST = 12
LARGEST = (1 << 63) - 1


def answer(
    task: Task, card: Card | None, said: dict[str, Any], arrays: Arrays, scratch: Path, folder: Path
) -> Result:
    """Return the result that a worker speaks of; its files are copied from scratch to `folder`.

    Raises JobError for an answer that makes no sense.
    """
    try:
        made = task.returns.from_wire(clean(said), arrays)
        task.check(made, card)
        if not made.files:
            return made
        return dataclasses.replace(made, files=_copied(task, made.files, scratch, folder))
    except (VitrineError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as e:
        what = f"{type(e).__name__}: {plain_text(e, 200)}"
        raise JobError(
            f"The worker's answer made no sense ({what}). The model file may be hostile or damaged."
        ) from None


def _copied(task: Task, files: Mapping[str, Path], scratch: Path, folder: Path) -> dict[str, Path]:
    """Copy files out of a worker's folder, each under a fresh name of ours that ends as its own."""
    copied = {}
    for name, path in files.items():
        if name not in task.files:
            raise ValueError(f"a file that its task does not declare, {name[:60]!r}")
        place = spool.make_folder(folder) / spool.safe_name(str(path))
        try:
            spool.copy_out(scratch, str(path), place, task.files[name])
        except ValueError:
            spool.remove(place.parent)
            raise
        copied[name] = place
    return copied


def clean(value: Any, depth: int = 0) -> Any:
    """Return plain data with every text in it printable and of a bounded length.

    Raises ValueError for what is nested too deep, and for a number that no array can hold: it would
    be one's fault who computes with it.
    """
    if depth > DEEPEST:
        raise ValueError("plain data nested too deep")
    kind = type(value)  # of JSON's own
    if value is None or kind is bool or kind is float:
        return value
    if kind is str:
        return _text(value, TEXT_CAP)
    if kind is int and not -LARGEST <= value <= LARGEST:
        raise ValueError("a number too large")
    if kind is list:
        return [clean(item, depth + 1) for item in value]
    if kind is dict:
        return {_text(key, KEY_CAP): clean(item, depth + 1) for key, item in value.items()}
    return value


def _text(value: str, cap: int) -> str:
    return value if len(value) <= cap and value.isprintable() else plain_text(value, cap)
