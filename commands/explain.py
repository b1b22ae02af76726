"""Make a map of what a model looked at."""

from __future__ import annotations

import argparse
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from commands import _opened, _photo
from commands._map import explained, written
from xai_core.errors import ParamError
from xai_core.explainer import explainers, explaining
from xai_core.explanation import Explanation
from xai_core.question import Question
from xai_core.report.page import page
from xai_core.report.plates import Plate
from xai_core.report.record import record
from xai_core.report.run import Run
from xai_core.target import ClassTarget, Of, Target, UnitTarget


def flags(parser: argparse.ArgumentParser) -> None:
    """Take a model, a photo, a method, and what is asked of it."""
    _opened.flags(parser)
    _photo.flags(parser)
    parser.add_argument(
        "--method", required=True, choices=explaining("classification"), metavar="NAME"
    )
    parser.add_argument("--target", metavar="INDEX-or-LABEL", help="default: the model's first")
    parser.add_argument("--against", metavar="INDEX-or-LABEL", help="explain the lead over it")
    parser.add_argument(
        "--of",
        choices=typing.get_args(Of),
        default="logit",
        help="what is explained: the class's score before softmax or sigmoid, or its probability",
    )
    parser.add_argument(
        "--unit",
        type=_unit,
        metavar="LAYER:CHANNEL",
        help="explain what a channel of an inner layer holds, its mean over the map, and no class",
    )
    parser.add_argument("--engine", default="", help="which library computes it")
    parser.add_argument("--frame", choices=("view", "upload"), default="view")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--report", action="store_true", help="write report.html, too: all of it, to read and print"
    )


def _unit(word: str) -> UnitTarget:
    """Read a layer and one of its channels."""
    try:
        return UnitTarget.read(word)
    except ParamError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def rest(args: argparse.Namespace, words: list[str]) -> None:
    """Read the method's own flags, `--patch-height 12` or `--patch-height=12`, into `values`."""
    cls = explainers()[args.method]
    declared = {param.flag: param for param in cls.declared().values()}
    args.values = {}
    waiting = iter(words)
    for word in waiting:
        flag, equals, text = word.partition("=")
        if flag not in declared:
            known = ", ".join(declared) or "none"
            raise ParamError(f"{cls.title} has no flag {flag[:60]}; it has {known}")
        if not equals:
            text = next(waiting, "")
        args.values[declared[flag].name] = declared[flag].parse(cls.__name__, text)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the map, its picture and `explanation.json`, and return what the last holds."""
    alone(args)
    # a bad value is refused before the model
    asked(args, args.unit or ClassTarget(0, of=args.of)).made()
    with _opened.opened(args) as model:
        seen = _photo.seen(model, args.image)
        target = target_of(args, model, seen)
        question = asked(args, target)
        explanation = explained(model, seen.pixels, question)
        answer = recorded(args, model, seen, explanation)
        more = {}
        if args.report:
            more["report.html"] = reported(model, seen, explanation, answer)
        return written(args, explanation, seen.pixels, answer, more)


def asked(args: argparse.Namespace, target: Target) -> Question:
    """Return the question that a call asks."""
    return Question(method=args.method, engine=args.engine, values=args.values, target=target)


def alone(args: argparse.Namespace) -> None:
    """Raise ParamError for a unit beside a class."""
    if args.unit and (args.target or args.against or args.of != "logit"):
        raise ParamError("--unit explains no class: it goes without --target, --against and --of")


def target_of(args: argparse.Namespace, model: _opened.Opened, seen: _photo.Seen) -> Target:
    """Return what is to be explained. Raises ParamError for no class of the model."""
    against = _photo.index_of(args.against, model.card.labels, "against")
    index = _photo.index_of(args.target, model.card.labels, "target")
    index = int(seen.scores.argmax()) if index is None else index
    if against == index:
        raise ParamError(f"--against must be another class than the target, got {against}")
    return args.unit or ClassTarget(index, against, args.of)


def recorded(
    args: argparse.Namespace,
    model: _opened.Opened,
    seen: _photo.Seen,
    explanation: Explanation,
) -> dict[str, Any]:
    """Return all that is known of an explanation but its arrays."""
    return record(
        explanation,
        card=model.card,
        model=model.word,
        photo=args.image,
        probabilities=seen.probabilities,
        findings=seen.findings,
        flags=model.flags,
        frame=args.frame,
    )


def reported(
    model: _opened.Opened,
    seen: _photo.Seen,
    explanation: Explanation,
    answer: dict[str, Any],
    measured: Sequence[str] = (),
    plates: Sequence[Plate] = (),
) -> bytes:
    """Return the report as HTML, with what was measured besides in words and in pictures."""
    made = Run(
        explanation=explanation,
        photo=seen.pixels,
        card=model.card,
        probabilities=seen.probabilities,
        record=answer | ({"check": ""} if measured else {}),
        measured=tuple(measured),
        plates=tuple(plates),
    )
    return page([made]).encode()
