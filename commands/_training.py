"""What commands that train share: a flag for each declared value, progress in epochs, the files."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from commands._files import write
from commands._waiting import wait
from workers.client import Job, Session, Wall
from xai_core import params
from xai_core.errors import LoadError
from xai_core.task import Task

S = TypeVar("S")


def flags(parser: argparse.ArgumentParser, settings: type[Any]) -> None:
    """Add a flag for each declared value of a training, and --out."""
    for param in params.declared(settings).values():
        ends = f" (default {param.word(param.default)}; {param.rule})"
        help = (param.help + ends).replace("%", "%%")
        parser.add_argument(param.flag, metavar=param.shape or param.name.upper(), help=help)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")


def values(args: argparse.Namespace, settings: type[S]) -> S:
    """Read the values that were given; the others are the declared ones. Raises ParamError."""
    made = {}
    for name, param in params.declared(settings).items():
        if (given := getattr(args, name)) is not None:
            made[name] = param.parse("", given)
    return settings(**made)


Asked = Task | tuple[Task, Sequence[Path]]
"""A task, with the files that it may read."""


def train(
    task: Callable[[Session], Asked], files: Callable[[Any], Mapping[str, bytes | str]], out: Path
) -> tuple[Any, list[str]]:
    """Train behind the wall; return what came of it, and the files that were written.

    `files` makes what is written of the result, by name; the model's file comes besides.
    """
    with closing(Wall()) as wall:
        session = wall.session("cli")
        given = task(session)
        asked, read = given if isinstance(given, tuple) else (given, ())
        made = wait(session.hold(asked.wants(), read=read).run(asked), "training", steps)
        data = {
            name: text.encode() if isinstance(text, str) else text
            for name, text in files(made).items()
        }
        for name, path in made.files.items():
            data[f"{name}{path.suffix}"] = path.read_bytes()
        write(out, data)
    return made, [str(out / name) for name in data]


def steps(done: int, total: int) -> str:
    """Say how far a training is."""
    return f"{done:,} of {total:,} steps"


def result(session: Session, task: Task) -> Any:
    """Run a task that wants no model, and return what it gives."""
    job: Job = session.run(task)
    return job.result()


def data_of(flag: str, path: Path, most: int) -> bytes:
    """Return a file's bytes. Raises LoadError for one that is not there, or has more than `most`.

    Nothing is read of one that is too large.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= most else b""
    except OSError as error:
        raise LoadError(f"{flag} cannot be read from {str(path)!r}: {error}") from error
    if size > most:
        raise LoadError(f"{flag} has {size / 1e6:,.0f} MB; at most {most >> 20} MB are read")
    return data


def text(value: Any) -> str:
    """Return plain data as the text of a file."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
