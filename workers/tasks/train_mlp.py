"""A dense network learns digits, is seen after each epoch, and can be taken up again anywhere."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core.card import Card
from xai_core.task import Bench, Progress, Shape, Task, task
from xai_core.training import checkpoints, course, recording
from xai_core.training.checkpoints import Checkpoints
from xai_core.training.course import Turn
from xai_core.training.digits import CLASSES, HELD_OUT, LEARNED, PROBES, SIDE, Data, digits
from xai_core.training.mlp import MlpSettings
from xai_core.training.mlp_learner import MlpLearner, one_thread
from xai_core.training.pace import Work
from xai_core.training.recording import Recording
from xai_core.training.samples import Samples, split

LIMIT = 4 * 3600.0
MODEL = 64 << 20
"""Most bytes of the model's file."""
MISTAKES = 60
"""Most of the held-out digits that are handed back because the network gets them wrong."""


@task
class TrainMlp(Task):
    """Trains by `settings`; with `turns` it goes back and takes another way, and begins there.

    With `whole` it is recorded from the first epoch all the same; `samples` stand in the place of
    the digits.
    What the file `model` holds, PyTorch opens without any code of ours.
    """

    worker = "torch"
    returns = Recording
    commands = ("pause", "go on", "step", "stop")
    text: ClassVar[int] = 256 << 10
    files: ClassVar[Mapping[str, int]] = MappingProxyType({"model": MODEL})

    settings: MlpSettings = dataclasses.field(default_factory=MlpSettings)
    turns: tuple[Turn, ...] = ()
    whole: bool = False
    samples: Samples | None = None

    def __post_init__(self) -> None:
        """Refuse at once what would be too large. Raises ParamError."""
        super().__post_init__()
        own = None if self.samples is None else split(self.samples)
        object.__setattr__(self, "_own", own)
        self._sides()
        now = self.settings
        for turn in self.turns:
            now = now.changed(turn.values)

    @property
    def _data(self) -> Data | None:
        own: Data | None = getattr(self, "_own", None)
        return own

    @property
    def _numbers(self) -> tuple[int, int, int]:
        """Return how many probes, inputs and classes there are; the digits need not be read."""
        data = self._data
        if data is None:
            return PROBES * len(CLASSES), SIDE * SIDE, len(CLASSES)
        return len(data.probes), data.x.shape[1], len(data.classes)

    def _sides(self) -> dict[str, tuple[int, int]]:
        return self.settings.sides(self._numbers[0])

    def size(self) -> int:
        """Return the most bytes that its recording has: as if nothing could be pressed."""
        return self.settings.epochs * sum(rows * units for rows, units in self._sides().values())

    def work(self) -> Work:
        """Return what it does; the digits need not be read."""
        data, (_, inputs, classes) = self._data, self._numbers
        learned, held = (LEARNED, HELD_OUT) if data is None else (len(data.y), len(data.held_y))
        return self.settings.work(learned, held, inputs, classes)

    def limit(self, card: Card | None) -> float:
        """Return 4 h; time in which it is paused is not counted."""
        return LIMIT

    def late(self, limit: float) -> str:
        """Say what it was that took too long."""
        return (
            f"The training took longer than {limit / 3600:g} h, and was ended. Choose fewer "
            "epochs, larger batches or a smaller network."
        )

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the recording, the weights, the probes and the mistakes."""
        sides, units = self._sides(), self.settings.hidden_size
        (probes, inputs, classes), names = self._numbers, self.settings.names()
        made = recording.gives({name: rows * columns for name, (rows, columns) in sides.items()})
        many = recording.EPOCHS
        arrays = {
            "each norms": Shape("<f4", ("", len(names) + 1), most=many * 8),
            "each confusion": Shape("<i4", ("", classes, classes), most=many * classes**2),
            "probes": Shape("|u1", (probes, inputs)),
            "probe classes": Shape("<i8", (probes,)),
            "mistakes": Shape("|u1", ("", inputs), most=MISTAKES * inputs),
            "mistake classes": Shape("<i8", ("", 2), most=MISTAKES * 2),
        }
        for name in names:
            arrays[f"each active {name}"] = Shape("|u1", ("", units), most=many * units)
        widths = [inputs, *[units] * len(names), classes]
        for at, (before, after) in enumerate(itertools.pairwise(widths), 1):
            arrays[f"weight {at}"] = Shape("<f4", (after, before))
            arrays[f"bias {at}"] = Shape("<f4", (after,))
        return made | {f"arrays.{name}": shape for name, shape in arrays.items()}

    def shows(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the curves so far, and the last epoch's activations."""
        return course.shows(self._sides())

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for the recording of another training."""
        if set(result.frames) != set(self.settings.names()):
            raise ValueError("a recording of other layers")
        for frames in result.frames.values():
            if frames.sides != (self._numbers[0], self.settings.hidden_size):
                raise ValueError("a recording of another network")
        if not len(result) or result.last >= self.settings.epochs:
            raise ValueError("a recording of other epochs")

    def run(self, bench: Bench, progress: Progress) -> Recording:
        """Return it. Raises LoadError where the digits are not there, and ParamError."""
        settings, data = self.settings, self._data or digits()
        with one_thread():
            learner = MlpLearner(settings, data)
            made = course.train(
                learner,
                epochs=settings.epochs,
                progress=progress,
                turns=self.turns,
                patience=settings.patience if settings.stop_early else 0,
                whole=self.whole,
                kept=bench.kept.setdefault(checkpoints.KEPT, Checkpoints()),
            )
            path = learner.save(bench.folder)
            arrays = dict(made.recording.arrays) | learner.weights() | _shown(learner, data)
        return dataclasses.replace(
            made.recording,
            arrays=arrays,
            notes=(made.ended,) if made.ended else (),
            files={"model": Path(path.name)},
            scalars={"learned": len(settings.learned(data)[0]), "held out": len(data.held_y)},
            words=words_of(data, self.samples is None),
        )


def words_of(data: Data, digits: bool) -> dict[str, str]:
    """Return what a recording says of its data, for `mlp_units.About`."""
    if digits:
        return {"data": data.word}
    return {
        "data": data.word,
        "classes": json.dumps(data.classes),
        "sides": json.dumps(data.sides),
    }


def _shown(learner: MlpLearner, data: Data) -> dict[str, NDArray[Any]]:
    """Return the probes, and held-out digits that the network gets wrong."""
    said = learner.said()
    wrong = np.flatnonzero(said != data.held_y)[:MISTAKES]
    return {
        "probes": data.held_x[data.probes],
        "probe classes": data.held_y[data.probes],
        "mistakes": data.held_x[wrong],
        "mistake classes": np.stack([data.held_y[wrong], said[wrong]], 1),
    }
