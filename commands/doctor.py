"""Try other preparations of a photo, and say whether one is much more plausible."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from commands import _opened, _photo
from commands._waiting import wait
from loaders import doctor
from loaders.doctor import OUT, Trial
from workers.tasks.examine import Examine


def flags(parser: argparse.ArgumentParser) -> None:
    """Take a model, a photo, and what the photo is known to show."""
    _opened.flags(parser)
    _photo.flags(parser)
    parser.add_argument("--known", metavar="CLASS", help="what the photo shows, name or number")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Return what was tried, the most plausible first, and what it comes to."""
    with _opened.opened(args) as model:
        pixels, _ = _photo.decoded(model, args.image)
        label = _photo.index_of(args.known, model.card.labels, "known")
        task = Examine(pixels=pixels, label=label)
        trials = wait(model.handle.run(task), "preparations").trials
        better = doctor.better(trials)
        return {
            "warns": better is not None,
            "better": None if better is None else better.words(),
            "sentences": doctor.sentences(trials, model.card.labels),
            "trials": [_row(each, model.card.labels) for each in doctor.ordered(trials)],
        }


def _row(trial: Trial, labels: tuple[str, ...]) -> dict[str, Any]:
    made = dataclasses.asdict(trial)
    out = trial.plausible == OUT
    return made | {"words": trial.words(), "label": labels[trial.top], "out_of_range": out}
