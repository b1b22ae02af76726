"""Change a whole photo in many ways: which flip the label, and which move the evidence."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

import numpy as np

from commands import _opened, _photo, explain
from commands._files import write
from commands._waiting import wait
from workers.tasks.try_changes import TryChanges
from workers.tasks.try_strengths import TryStrengths
from xai_core import render
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.explainer import explainers
from xai_core.hashes import hash_of
from xai_core.probes._augmented import Change
from xai_core.probes.augmentations import AUGMENTATIONS
from xai_core.region import Region
from xai_core.report.augmented import change_sentences, flip_sentence, rows
from xai_core.report.plates import changes_plate, grid_title
from xai_core.target import ClassTarget


def flags(parser: argparse.ArgumentParser) -> None:
    """Take what `explain` takes, and which changes."""
    explain.flags(parser)
    parser.add_argument(
        "--changes",
        metavar="NAMES",
        help=f"with commas, of {', '.join(AUGMENTATIONS)}; NAME:STRENGTH for another strength",
    )
    parser.add_argument(
        "--object",
        metavar="BOX",
        help="what a shift moves, in the photo's pixels: TOP,LEFT,BOTTOM,RIGHT (all of it)",
    )
    parser.add_argument(
        "--strengths", action="store_true", help="find how strong each must be to flip the label"
    )


rest = explain.rest


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write each changed photo with its map, and the map brought back; return what was found."""
    changes = _changes(args.changes)
    names = [change.name for change in changes]
    explain.alone(args)
    if args.frame != "view":
        raise ParamError("--frame is for maps alone: leave it out here")
    explain.asked(args, args.unit or ClassTarget(0, of=args.of)).made()  # refused before the model
    with _opened.opened(args) as model:
        labels = model.card.labels
        seen = _photo.seen(model, args.image)
        target = explain.target_of(args, model, seen)
        box = _box(args.object, (seen.pixels.shape[0], seen.pixels.shape[1]))
        question = explain.asked(args, target)
        task = TryChanges(pixels=seen.pixels, question=question, changes=changes, box=box)
        made = wait(model.handle.run(task), "changes")
        found = rows(made, lambda change: task.photo(change).places)
        answer: dict[str, Any] = {
            "asked": target.words(labels),
            "labels": list(labels),
            "changes": [
                {"name": row.cell.change.name, "strength": row.cell.change.strength} | row.facts
                for row in found
            ],
            "sentences": change_sentences(made.cells[0], found, labels),
        }
        if args.strengths:
            index = (target.classes() or (int(seen.scores.argmax()),))[0]
            tried = TryStrengths(pixels=seen.pixels, index=index, names=tuple(names), box=box)
            flips = wait(model.handle.run(tried), "strengths")
            answer["strengths"] = [
                {"name": name, "flip": flips.flip(name), "sentence": flip_sentence(
                    flips, name, labels)}
                for name in names
            ]  # fmt: skip
        text = json.dumps(answer, indent=2, ensure_ascii=False, allow_nan=False)
        files = {"augment.json": f"{text}\n".encode()}
        for row in found:
            cell, name = row.cell, row.cell.change.name
            if cell.explanation is None or row.back is None:
                continue
            pixels = task.photo(cell.change).pixels
            files[f"{name}.png"] = render.png(render.overlay(pixels, cell.explanation))
            values = np.where(row.back.known, row.back.attribution, 0).astype(np.float32)
            signed = render.is_signed(cell.explanation)
            files[f"{name}-back.png"] = render.png(render.colours(values, signed=signed))
        if args.report:
            own = made.cells[0].explanation
            if own is None:
                raise UnsupportedModel(made.cells[0].problem)
            own = dataclasses.replace(
                own,
                model_hash=model.card.hash,
                image_hash=hash_of(task.photo(made.cells[0].change).pixels),
            )
            noted = explain.recorded(args, model, seen, own)
            turns = [row["sentence"] for row in answer.get("strengths", ())]
            plate = changes_plate(
                own,
                found,
                labels,
                turns,
                lambda change: render.pixels(_photo.view(model, task.photo(change).pixels)),
                grid_title(explainers()[args.method].title, answer["asked"], len(found)),
            )
            said = answer["sentences"]
            files["report.html"] = explain.reported(model, seen, own, noted, said, [plate])
        write(args.out, files)
        return answer | {"files": [str(args.out / name) for name in files]}


def _changes(given: str | None) -> tuple[Change, ...]:
    """Read the changes, each with its strength. Raises ParamError."""
    made: list[Change] = []
    for each in given.split(",") if given else AUGMENTATIONS:
        name, _, strength = each.partition(":")
        known = AUGMENTATIONS.get(name)
        try:
            value = float(strength) if strength or known is None else known.usual
        except ValueError:
            known, value = None, 0.0
        if known is None or name in [change.name for change in made]:
            raise ParamError(
                f"--changes must be some of {', '.join(AUGMENTATIONS)}, each once, with a number "
                f"after a colon for another strength, got {given!r:.80}"
            )
        if not 0 < value <= known.most:
            raise ParamError(
                f"--changes: the strength of {name} must be over 0 and at most {known.most:g}, got "
                f"{value:g}"
            )
        made.append(Change(name, value))
    return tuple(made)


def _box(given: str | None, photo: tuple[int, int]) -> Region | None:
    if given is None:
        return None
    try:
        sides = [int(each) for each in given.split(",")]
    except ValueError:
        sides = []
    try:
        return Region.read(sides, photo)
    except ParamError as error:
        raise ParamError(f"--object: {error}, got {given!r:.60}") from None
