"""What the command line does: a file for each command, found by its name.

A command's file holds `flags(parser)`, which adds what may be said to it, and `run(args)`, which
returns what is printed as JSON; its first line is the command's help. One that takes more than its
flags holds `rest(args, words)` besides, which reads the words that no flag of its own took. Files
whose names begin with an underscore are shared by commands.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import pkgutil
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from xai_core import discovery

Flags = Callable[[argparse.ArgumentParser], None]
Run = Callable[[argparse.Namespace], Any]
Rest = Callable[[argparse.Namespace, list[str]], None]


@dataclasses.dataclass(frozen=True)
class Command:
    """A command as its file declares it."""

    name: str
    help: str
    flags: Flags
    run: Run
    rest: Rest | None


def commands() -> dict[str, Command]:
    """Return every command by name: ours, and those of extensions."""
    own = (module.name for module in pkgutil.iter_modules(__path__, f"{__name__}."))
    found = [name for name in own if not name.rpartition(".")[2].startswith("_")]
    return {made.name: made for made in map(_command, (*found, *discovery.find("commands")))}


def _command(name: str) -> Command:
    module = importlib.import_module(name)
    first = (module.__doc__ or "").split("\n", 1)[0].rstrip(".")
    return Command(
        name=name.rpartition(".")[2].replace("_", "-"),
        help=(first[:1].lower() + first[1:]).replace("%", "%%"),
        flags=module.flags,
        run=module.run,
        rest=getattr(module, "rest", None),
    )


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with a call in one line."""

    def error(self, message: str) -> NoReturn:
        print(f"error: {message}. See: {self.prog} --help", file=sys.stderr)
        raise SystemExit(2)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read a call; `run` of what is returned is the command's function. Raises ParamError."""
    parser = _Parser(prog="cli.py", description="Vitrine on the command line.", allow_abbrev=False)
    places = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    for command in commands().values():
        place = places.add_parser(command.name, help=command.help, allow_abbrev=False)
        command.flags(place)
        place.set_defaults(command=command, run=command.run)
    args, left = parser.parse_known_args(list(words))
    if args.command.rest is not None:
        args.command.rest(args, left)
    elif left:
        parser.error(f"unrecognised argument {left[0]}")
    return args
