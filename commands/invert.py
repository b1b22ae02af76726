"""Make pictures of what layers still know of a photo, or of what a class or a unit answers to."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from commands import _opened, _photo
from commands._files import write
from commands._waiting import wait
from workers.tasks.inversion_film import GrowthFile
from xai_core import params, render
from xai_core.errors import ParamError
from xai_core.probes import inversion_film, inversion_words, maximisation_words
from xai_core.probes.inversion import Invert
from xai_core.probes.maximisation import Maximise
from xai_core.report.inversion import Shown, page
from xai_core.target import ClassTarget, UnitTarget


def flags(parser: argparse.ArgumentParser) -> None:
    """Take a model, a photo, the layers or the target, and where to write."""
    _opened.flags(parser)
    _photo.flags(parser)
    parser.add_argument(
        "--layer", action="append", metavar="NAME",
        help="a layer whose code is matched; several with one flag each (default: a few, from "
        "early to late)",
    )  # fmt: skip
    parser.add_argument(
        "--target", metavar="INDEX-or-LABEL",
        help="raise this class's score in the place of matching codes",
    )  # fmt: skip
    parser.add_argument(
        "--unit", metavar="LAYER:CHANNEL", help="raise what a channel of an inner layer holds"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--report", action="store_true", help="write report.html, too")


def rest(args: argparse.Namespace, words: list[str]) -> None:
    """Read the values' own flags, `--variation 2` or `--variation=2`, into `values`."""
    if bool(args.layer) + (args.target is not None) + (args.unit is not None) > 1:
        raise ParamError("Of --layer, --target and --unit only one kind may be given")
    args.raises = args.target is not None or args.unit is not None
    task = Maximise if args.raises else Invert
    known = {param.flag: param for param in params.declared(task).values()}
    args.values, waiting = {}, iter(words)
    for word in waiting:
        flag, equals, text = word.partition("=")
        if flag not in known:
            raise ParamError(f"{task.title} has no flag {flag[:60]}; it has {', '.join(known)}")
        if not equals:
            text = next(waiting, "")
        args.values[known[flag].name] = known[flag].parse("", text)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the pictures, the film and `inversion.json`; return what the last holds."""
    with _opened.opened(args) as model:
        labels = model.card.labels
        seen = _photo.seen(model, args.image)
        task: Invert | Maximise
        if args.raises:
            index = _photo.index_of(args.target, labels, "target")
            target = ClassTarget(index) if index is not None else UnitTarget.read(args.unit)
            task = Maximise(target=target, pixels=seen.pixels, **args.values)
        else:
            layers = tuple(args.layer or inversion_words.suggested(model.card.layers))
            if not layers:
                raise ParamError(
                    "This model shows no layer whose output is a map, so there is no code to "
                    "match. Raise a class instead, with --target"
                )
            if unknown := [name for name in layers if model.card.layer(name) is None]:
                known = ", ".join(row.name for row in model.card.layers)
                raise ParamError(f"--layer must be one of {known:.400}, got {unknown[0][:60]!r}")
            task = Invert(pixels=seen.pixels, layers=layers, **args.values)
        made = wait(model.handle.run(task), task.title, _steps)
        names: tuple[str, ...]
        if isinstance(task, Invert):
            record = inversion_words.record(made, labels)
            growth, pictures, names = inversion_film.of_layers(made), made.pictures, task.layers
        else:
            record = maximisation_words.record(made, labels)
            growth = inversion_film.of_target(made, labels)
            pictures, names = made.picture[None], (task.target.words(labels),)
        film = wait(model.session.run(GrowthFile(growth=growth, kind="webp")), "film")
    given = {name: getattr(task, name) for name in params.declared(type(task))}
    answer = {"model": model.word, "image": args.image, **record, "parameters": given}
    files = {f"picture-{at + 1}.png": render.png(each) for at, each in enumerate(pictures)}
    files["film.webp"] = film.arrays["file"].tobytes()
    files["inversion.json"] = _text(answer)
    if args.report:
        shown = [Shown(name, each) for name, each in zip(names, pictures, strict=True)]
        if isinstance(task, Invert):
            shown.insert(0, Shown("The photo, as the model gets it", np.asarray(made.photo)))
        files["report.html"] = page(task.title, answer, shown).encode()
    write(args.out, files)
    return answer | {"files": [str(args.out / name) for name in files]}


def _steps(done: int, total: int) -> str:
    return f"{done:,} of {total:,} steps"


def _text(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
