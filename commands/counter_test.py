"""Hide what a map marks, bit by bit, and say whether the answer hangs on it."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from commands import _opened, _photo, explain
from commands._files import write
from commands._waiting import wait
from xai_core import params, render
from xai_core.errors import ParamError
from xai_core.explainer import explainers
from xai_core.probes.fills import cover, covered
from xai_core.probes.masking import ORDERS, Masking
from xai_core.report.masked import masked_facts, masked_sentences
from xai_core.report.plates import masked_plate
from xai_core.target import ClassTarget

USUAL = 0.05
OWN = {param.flag: param for param in params.declared(Masking).values() if param.name != "seed"}
"""The test's own flags; a method may have a seed of its own."""


def flags(parser: argparse.ArgumentParser) -> None:
    """Take what `explain` takes, and how the test is made."""
    explain.flags(parser)
    for flag, param in OWN.items():
        parser.add_argument(flag, dest=f"own_{param.name}", metavar=param.shape, help=param.help)
    parser.add_argument(
        "--share", type=float, default=USUAL, help=f"the share that is drawn and said ({USUAL:g})"
    )


rest = explain.rest


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the curve and the four photos at a share, and return what was measured."""
    if not 0 < args.share <= 1:
        raise ParamError(f"--share must be over 0 and at most 1, got {args.share:g}")
    given = {param.name: getattr(args, f"own_{param.name}") for param in OWN.values()}
    values = {
        param.name: param.parse("Masking", given[param.name])
        for param in OWN.values()
        if given[param.name] is not None
    }
    explain.alone(args)
    if args.frame != "view":
        raise ParamError("--frame is for maps alone: leave it out here")
    explain.asked(args, args.unit or ClassTarget(0, of=args.of)).made()  # refused before the model
    with _opened.opened(args) as model:
        labels = model.card.labels
        seen = _photo.seen(model, args.image)
        target = explain.target_of(args, model, seen)
        title = explainers()[args.method].title
        question = explain.asked(args, target)
        made = wait(model.handle.explain(seen.pixels, question), title)
        task = Masking.of(made, seen.pixels, card=model.card, **values)
        found = wait(model.handle.run(task), "hiding parts")
        point = int(np.abs(found.areas[1:] - args.share).argmin()) + 1
        answer = {
            "method": made.method,
            "asked": target.words(labels),
            "way": found.way,
            "fill": found.fill,
            "draws": found.draws,
            "areas": found.areas.tolist(),
            "curves": {
                order: [masked_facts(found, at)["values"][order] for at in range(len(found.areas))]
                for order in (*ORDERS, "random")
            },
            "at": masked_facts(found, point),
            "labels": list(labels),
            "sentences": masked_sentences(found, labels, point),
        }
        view = _photo.view(model, seen.pixels)
        text = json.dumps(answer, indent=2, ensure_ascii=False, allow_nan=False)
        files = {"counter-test.json": f"{text}\n".encode()}
        areas = {order: found.area(order, point) for order in ORDERS}
        for name, area in (areas | {"random": found.drawn(point, 0)}).items():
            hidden = ~area if found.way == "keep" else area
            shown = covered(view, hidden, found.fill, cover(view, found.fill, seed=found.seed))
            files[f"{name}.png"] = render.png(render.pixels(shown))
        if args.report:
            known = explain.recorded(args, model, seen, made)
            plate = masked_plate(found, labels, view, point)
            files["report.html"] = explain.reported(
                model, seen, made, known, answer["sentences"], [plate]
            )
        write(args.out, files)
        return answer | {"files": [str(args.out / name) for name in files]}
