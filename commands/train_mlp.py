"""Train a dense network on digits, and keep its recording, curves and model."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from commands import _training
from loaders.samples import PACKED as MOST
from workers.client import Session
from workers.tasks.read_samples import ReadSamples
from workers.tasks.train_mlp import TrainMlp
from xai_core import params
from xai_core.errors import LoadError, VitrineError
from xai_core.task import Task
from xai_core.training import mlp_verdict
from xai_core.training.mlp import MlpSettings
from xai_core.training.mlp_presets import PRESETS, preset
from xai_core.training.recording import Recording
from xai_core.training.samples import Samples


def flags(parser: argparse.ArgumentParser) -> None:
    """Take the values of a training."""
    names = [each.name for each in PRESETS]
    parser.add_argument(
        "--preset", choices=names, help="values that show one thing; other flags change them"
    )
    parser.add_argument(
        "--data", type=Path, metavar="FILE",
        help="an NPZ with x and y, or a ZIP of pictures in a folder a class (default: digits)",
    )  # fmt: skip
    _training.flags(parser, MlpSettings)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the recording, the curves and the model; return what is said of them."""
    settings = _settings(args)
    TrainMlp(settings=settings)  # what is too large is refused before anything starts

    def task(session: Session) -> Task:
        return TrainMlp(settings=settings, samples=_samples(args.data, session))

    def files(made: Recording) -> dict[str, bytes | str]:
        return {
            "recording.npz": made.npz(),
            "curves.csv": made.csv(),
            "training.json": _training.text(_said(made, settings)),
        }

    made, written = _training.train(task, files, args.out)
    return _said(made, settings) | {"files": written}


def _samples(path: Path | None, session: Session) -> Samples | None:
    """Read a file of the reader's own behind the wall. Raises LoadError."""
    if path is None:
        return None
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MOST else b""
    except OSError as error:
        raise LoadError(f"--data cannot be read from {str(path)!r}: {error}") from error
    if size > MOST:
        raise LoadError(f"--data has {size >> 20} MB; at most {MOST >> 20} MB are read")
    task = ReadSamples(data=np.frombuffer(data, np.uint8), called=path.name[:60])
    try:
        found: Samples = _training.result(session, task).samples
    except VitrineError as error:  # whatever is wrong is the file's
        raise LoadError(str(error)) from None
    return found


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
    layers = {}
    for name in made.frames:
        units, silent, dead = mlp_verdict.dark(made, name)
        layers[name] = {"units": units, "dark": silent, "dead": dead}
    at = made.chosen - made.first
    return {
        "data": made.words["data"],
        "settings": dataclasses.asdict(settings),
        "epochs": len(made),
        "chosen": made.chosen,
        "curves": {name: float(curve[at]) for name, curve in made.curves.items()},
        "fit": mlp_verdict.fit(made),
        "layers": layers,
        "sentences": mlp_verdict.says(made, settings.names()[0]),
        "notes": list(made.notes),
    }
