"""What may be said to `cli.py`: its commands, their flags, and the methods' own parameters."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from loaders.options import Options
from xai_core.errors import ParamError
from xai_core.explainer import explainers

Run = Callable[[argparse.Namespace], Any]


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with a call in one line."""

    def error(self, message: str) -> NoReturn:
        print(f"error: {message}. See: {self.prog} --help", file=sys.stderr)
        raise SystemExit(2)


def parse(arguments: list[str], runs: Mapping[str, Run]) -> argparse.Namespace:
    """Read a call; `run` of what is returned is the command's function. Raises ParamError."""
    parser = _Parser(prog="cli.py", description="Vitrine on the command line.", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    def add(name: str, help: str, run: Run, **kwargs: Any) -> _Parser:
        command: _Parser = commands.add_parser(name, help=help, allow_abbrev=False, **kwargs)
        command.set_defaults(run=run)
        return command

    add("models", "list the built-in and the published models", runs["models"])
    add("methods", "list the methods and their parameters", runs["methods"])
    _model_flags(add("inspect", "say what a model file is", runs["inspect"]))
    predict = add("predict", "say what a model sees on a photo", runs["predict"])
    _model_flags(predict)
    predict.add_argument("image", metavar="IMAGE", help="a file, or the name of a built-in photo")
    predict.add_argument("--top", type=int, default=5, help="how many classes (5)")
    explain = add("explain", "make a map of what a model looked at", runs["explain"])
    _model_flags(explain)
    _explain_flags(explain)
    args, rest = parser.parse_known_args(arguments)
    if rest and args.run is not runs["explain"]:
        parser.error(f"unrecognised argument {rest[0]}")
    if args.run is runs["explain"]:
        args.values = _values(args.method, rest)
    return args


def _model_flags(parser: _Parser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a file, or a name that `models` lists")
    groups: dict[str, Any] = {}
    for param in Options.flags().values():
        if param.group not in groups:
            groups[param.group] = parser.add_argument_group(param.group)
        help = param.help.replace("%", "%%")
        groups[param.group].add_argument(param.flag, metavar=param.shape, help=help)


def _explain_flags(parser: _Parser) -> None:
    parser.add_argument("image", metavar="IMAGE", help="a file, or the name of a built-in photo")
    parser.add_argument("--method", required=True, choices=explainers(), metavar="NAME")
    parser.add_argument("--target", metavar="INDEX-or-LABEL", help="default: the model's first")
    parser.add_argument("--against", metavar="INDEX-or-LABEL", help="explain the lead over it")
    parser.add_argument("--of", choices=("logit", "probability"), default="logit")
    parser.add_argument("--engine", default="", help="which library computes it")
    parser.add_argument("--frame", choices=("view", "upload"), default="view")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")


def _values(method: str, flags: list[str]) -> dict[str, Any]:
    """Read a method's own flags, `--patch-height 12` or `--patch-height=12`."""
    cls = explainers()[method]
    declared = {param.flag: param for param in cls.declared().values()}
    values: dict[str, Any] = {}
    waiting = iter(flags)
    for word in waiting:
        flag, equals, text = word.partition("=")
        if flag not in declared:
            known = ", ".join(declared) or "none"
            raise ParamError(f"{cls.title} has no flag {flag[:60]}; it has {known}")
        if not equals:
            text = next(waiting, "")
        values[declared[flag].name] = declared[flag].parse(cls.__name__, text)
    return values
