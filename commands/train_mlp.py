"""Train a dense network on digits, or look at one's own, and keep recording, curves and model."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from commands import _mlp_data, _training
from loaders import digit_sets
from workers.client import Session
from workers.tasks.train_mlp import TrainMlp
from xai_core import params
from xai_core.errors import ParamError
from xai_core.task import Task
from xai_core.training import mlp_verdict, opened
from xai_core.training.mlp import MlpSettings
from xai_core.training.mlp_presets import PRESETS, preset
from xai_core.training.opened import SCALINGS
from xai_core.training.recording import Recording


def flags(parser: argparse.ArgumentParser) -> None:
    """Take the values of a training."""
    names = [each.name for each in PRESETS]
    parser.add_argument(
        "--preset", choices=names, help="values that show one thing; other flags change them"
    )
    data = parser.add_argument_group("the data (default: the 5,000 digits that ship)")
    data.add_argument(
        "--data", type=Path, metavar="FILE",
        help="an NPZ with x and y, or small pictures in a folder for each class, those in a folder "
        "or a ZIP",
    )  # fmt: skip
    data.add_argument(
        "--set", choices=[each.name for each in digit_sets.SETS],
        help="a published set of 60,000 pictures to learn from; it is fetched once",
    )  # fmt: skip
    own = parser.add_argument_group("networks of your own, in the place of a training")
    own.add_argument(
        "--networks", type=Path, nargs="+", metavar="FILE",
        help="a dense classifier by PyTorch or Keras, or checkpoints of one training in order",
    )  # fmt: skip
    own.add_argument(
        "--scaling", choices=list(SCALINGS), default=next(iter(SCALINGS)),
        help="what their inputs were scaled to (default: %(default)s)",
    )  # fmt: skip
    _training.flags(parser, MlpSettings)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the recording, the curves and the model; return what is said of them."""
    if args.data is not None and args.set is not None:
        raise ParamError("--data and --set name the data twice: give one of them")
    settings = _settings(args)
    if args.networks is not None:
        return _look(args, settings)
    TrainMlp(settings=settings)  # what is too large is refused before anything starts

    def task(session: Session) -> Task:
        return TrainMlp(settings=settings, samples=_mlp_data.samples(args, session))

    made, written = _training.train(
        task, lambda made: _files(made, _said(made, settings)), args.out
    )
    return _said(made, settings) | {"files": written}


def _look(args: argparse.Namespace, settings: MlpSettings) -> dict[str, Any]:
    """Write what networks that were trained elsewhere answer to the data."""
    if settings != MlpSettings():
        raise ParamError("--networks are trained already: the flags of a training do not go along")

    def task(session: Session) -> tuple[Task, Sequence[Path]]:
        return _mlp_data.opening(args, session)

    made, written = _training.train(task, lambda made: _files(made, _seen(made)), args.out)
    return _seen(made) | {"files": written}


def _files(made: Recording, said: Mapping[str, Any]) -> dict[str, bytes | str]:
    return {
        "recording.npz": made.npz(),
        "curves.csv": made.csv(),
        "training.json": _training.text(said),
    }


def _settings(args: argparse.Namespace) -> MlpSettings:
    """Return the values that were given, over those of the preset. Raises ParamError."""
    given = _training.values(args, MlpSettings)
    if args.preset is None:
        return given
    asked = {
        name: getattr(given, name)
        for name in params.declared(MlpSettings)
        if getattr(args, name) is not None
    }
    return dataclasses.replace(preset(args.preset).settings(), **asked)


def _said(made: Recording, settings: MlpSettings) -> dict[str, Any]:
    return {
        "data": made.words["data"],
        "settings": dataclasses.asdict(settings),
        "epochs": len(made),
        "chosen": made.chosen,
        "curves": _curves(made),
        "fit": mlp_verdict.fit(made),
        "layers": _layers(made),
        "sentences": mlp_verdict.says(made, settings.names()[0]),
        "notes": list(made.notes),
    }


def _seen(made: Recording) -> dict[str, Any]:
    """Return what is said of networks that were opened; their curves are of the last one."""
    found = opened.opened(made)
    return {
        "data": made.words["data"],
        "networks": [] if found is None else list(found.files),
        "scaling": "" if found is None else found.scaling,
        "curves": _curves(made),
        "layers": _layers(made),
        "sentences": mlp_verdict.says(made, opened.layers(made)[0]),
        "notes": list(made.notes),
    }


def _curves(made: Recording) -> dict[str, float]:
    at = made.chosen - made.first
    return {name: float(curve[at]) for name, curve in made.curves.items()}


def _layers(made: Recording) -> dict[str, dict[str, int]]:
    layers = {}
    for name in made.frames:
        units, silent, dead = mlp_verdict.dark(made, name)
        layers[name] = {"units": units, "dark": silent, "dead": dead}
    return layers
