"""Make a map of what made a detector find an object."""

from __future__ import annotations

import argparse
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from commands import _opened, _photo, explain
from commands._map import explained, written
from commands._waiting import wait
from workers.tasks.detect import DetectObjects
from workers.tasks.explain_boxes import ExplainBoxes
from xai_core.detection import boxes
from xai_core.errors import ParamError
from xai_core.explainer import explainers, explaining
from xai_core.question import Question
from xai_core.report.record import record
from xai_core.target import Asked, BoxTarget

if TYPE_CHECKING:
    from workers.tasks.detect import Detection
    from xai_core.explanation import Explanation

rest = explain.rest


def flags(parser: argparse.ArgumentParser) -> None:
    """Take a detector, a photo, a method, a box, and what is asked of it."""
    _opened.flags(parser)
    _photo.flags(parser)
    names = explaining("detection")
    parser.add_argument("--method", required=True, choices=names, metavar="NAME")
    said = (
        "which box, by its index as `detect` lists them (0); or several, as 0,2,3: each goes to a "
    )
    said += "folder of its own in DIR, from the same passes where the method can"
    parser.add_argument("--box", type=_numbers, metavar="K[,K...]", help=said)
    said = "a box of your own, found or not, in the photo's pixels; its class is --target"
    parser.add_argument("--at", type=_corners, metavar="LEFT,TOP,RIGHT,BOTTOM", help=said)
    parser.add_argument("--target", metavar="INDEX-or-LABEL", help="the class that is asked about")
    said = "what is asked of the box: its class, that it lies there, that it is any object; or, of "
    said += "gradients, where it lies or how large it is"
    parser.add_argument("--asks", choices=typing.get_args(Asked), default="class", help=said)
    said = f"the boxes that --box counts: of at least this score ({boxes.THRESHOLD:g})"
    parser.add_argument("--threshold", type=float, default=boxes.THRESHOLD, help=said)
    said = f"and of at most this overlap with a better one ({boxes.OVERLAP:g})"
    parser.add_argument("--overlap", type=float, default=boxes.OVERLAP, help=said)
    parser.add_argument("--engine", default="", help="which library computes it")
    parser.add_argument("--frame", choices=("view", "upload"), default="view")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")


def _numbers(word: str) -> tuple[int, ...]:
    try:
        found = tuple(int(part) for part in word.split(","))
    except ValueError:
        found = ()
    if not found or len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(
            f"must be the index of a box, or several with commas, got {word[:60]!r}"
        )
    return found


def _corners(word: str) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = (float(part) for part in word.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be LEFT,TOP,RIGHT,BOTTOM, such as 10,20,110,90, got {word[:60]!r}"
        ) from None
    if not (np.isfinite([left, top, right, bottom]).all() and left < right and top < bottom):
        raise argparse.ArgumentTypeError(f"must span some pixels, left to right, got {word[:60]!r}")
    return top, left, bottom, right


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the map, its picture and `explanation.json`, and return what the last holds."""
    for name in ("threshold", "overlap"):
        if not 0 <= getattr(args, name) <= 1:
            raise ParamError(f"--{name} must be from 0 to 1, got {getattr(args, name)}")
    if args.at is not None and args.box is not None:
        raise ParamError("--box and --at both name a box: leave one of them out")
    if args.at is not None and args.target is None:
        raise ParamError("--at needs --target, the class that is asked about there")
    # a bad value is refused before the model
    _question(args, BoxTarget((0, 0, 1, 1), 0, args.asks)).made()
    with _opened.opened(args, "detection") as model:
        labels = model.card.labels
        index = _photo.index_of(args.target, labels, "target")
        pixels, notes = _photo.decoded(model, args.image)
        said: Detection = wait(model.handle.run(DetectObjects(pixels=pixels)), "detecting")
        numbers = args.box or (0,)
        targets = [_target(args, said, labels, index, number) for number in numbers]
        findings = (*model.card.findings, *notes, *said.findings)

        def answer(explanation: Explanation, out: Path) -> dict[str, Any]:
            made = record(
                explanation,
                card=model.card,
                model=model.word,
                photo=args.image,
                probabilities=np.zeros(len(labels), np.float32),
                findings=findings,
                flags=model.flags,
                frame=args.frame,
            )
            there = argparse.Namespace(**vars(args) | {"out": out})
            return written(there, explanation, pixels, made)

        if len(targets) == 1:
            return answer(explained(model, pixels, _question(args, targets[0])), args.out)
        asked = ExplainBoxes(
            pixels=pixels, question=_question(args, targets[0]), others=tuple(targets[1:])
        )
        made = wait(model.handle.run(asked), explainers()[args.method].title)
        return {
            "boxes": [
                {"index": number} | answer(each, args.out / f"box-{number}")
                for number, each in zip(numbers, made.each, strict=True)
            ]
        }


def _target(
    args: argparse.Namespace,
    said: Detection,
    labels: tuple[str, ...],
    index: int | None,
    number: int,
) -> BoxTarget:
    """Return what is asked. Raises ParamError where there is no such box."""
    if args.at is not None:
        box = boxes.in_view(np.array([args.at], np.float32), said.geometry)[0]
        if box[0] >= box[2] or box[1] >= box[3]:
            raise ParamError("--at lies outside of what the model sees of the photo")
        found = tuple(float(side) for side in box)
        return BoxTarget(typing.cast(Any, found), typing.cast(int, index), args.asks)
    kept = boxes.kept(said.found, args.threshold, args.overlap)
    if not 0 <= number < len(kept):
        there = (
            f"from 0 to {len(kept) - 1}" if len(kept) else "of a lower --threshold: none is left"
        )
        raise ParamError(f"--box must be {there}, as `detect` lists them, got {number}")
    place = int(kept[number])
    own = int(said.labels[place]) if index is None else index
    box = tuple(float(side) for side in said.boxes[place])
    return BoxTarget(typing.cast(Any, box), own, args.asks)


def _question(args: argparse.Namespace, target: BoxTarget) -> Question:
    return Question(method=args.method, engine=args.engine, values=args.values, target=target)
