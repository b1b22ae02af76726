"""An LSTM learns to forecast a series, is seen after each epoch, and can be taken up again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workers.tasks.film import FilmTask
from xai_core import encode
from xai_core.card import Card
from xai_core.result import Result
from xai_core.task import Bench, Progress, Shape, Task, task
from xai_core.training import checkpoints, course, lstm_film, price_file, prices, recording
from xai_core.training.checkpoints import Checkpoints
from xai_core.training.course import Turn
from xai_core.training.lstm import FORECAST, LstmRecording, LstmSettings
from xai_core.training.lstm_gates import Order
from xai_core.training.lstm_learner import train
from xai_core.training.lstm_view import Look
from xai_core.training.pace import Work
from xai_core.training.price_file import Order as DayOrder
from xai_core.training.prices import Series

LIMIT = 4 * 3600.0
MODEL = 64 << 20
"""Most bytes of the model's file."""
_SERIES = {
    "series.days": Shape("<i8", ("",), most=prices.MOST_DAYS),
    "series.values": Shape("<f8", ("",), most=prices.MOST_DAYS),
}


@task
class TrainLstm(Task):
    """Trains by `settings` on a series; with `turns` it goes back and takes another way.

    What the file `model` holds, PyTorch opens without any code of ours.
    """

    worker = "torch"
    returns = LstmRecording
    commands = ("pause", "go on", "step", "stop")
    text: ClassVar[int] = 64 << 10
    files: ClassVar[Mapping[str, int]] = MappingProxyType({"model": MODEL})

    series: Series
    settings: LstmSettings = dataclasses.field(default_factory=LstmSettings)
    turns: tuple[Turn, ...] = ()

    def __post_init__(self) -> None:
        """Refuse at once what would be too large or cannot be cut. Raises ParamError."""
        super().__post_init__()
        self._sides()

    def _sides(self) -> dict[str, tuple[int, int]]:
        return self.settings.sides(self.settings.windows(self.series))

    def work(self) -> Work:
        """Return what it does."""
        return self.settings.work(self.settings.windows(self.series))

    def limit(self, card: Card | None) -> float:
        """Return 4 h; time in which it is paused is not counted."""
        return LIMIT

    def late(self, limit: float) -> str:
        """Say what it was that took too long."""
        return (
            f"The training took longer than {limit / 3600:g} h, and was ended. Choose fewer "
            "epochs, larger batches, a shorter window or a smaller network."
        )

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the recording, the forecasts, the weights and the series."""
        sides = self._sides()
        made = recording.gives({name: rows * columns for name, (rows, columns) in sides.items()})
        many = len(self.settings.windows(self.series).ends)
        forecast = Shape("<f4", ("", many), most=recording.EPOCHS * many)
        return made | _SERIES | {
            f"arrays.{recording.EACH}{FORECAST}": forecast,
            "weights": Shape("<f4", (self.settings.weights,)),
        }  # fmt: skip

    def shows(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the curves so far, and the last epoch's forget gates."""
        return course.shows(self._sides())

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for the recording of another training."""
        if result.settings != self.settings:
            raise ValueError("a recording of other values")
        if not np.array_equal(result.series.days, self.series.days) or not np.array_equal(
            result.series.values, self.series.values
        ):
            raise ValueError("a recording of another series")
        if not len(result) or result.last >= self.settings.epochs:
            raise ValueError("a recording of other epochs")

    def run(self, bench: Bench, progress: Progress) -> LstmRecording:
        """Return it. Raises ParamError where not one epoch could be made."""
        kept = bench.kept.setdefault(checkpoints.KEPT, Checkpoints())
        made = train(
            self.settings,
            self.series,
            progress,
            turns=self.turns,
            kept=kept,
            path=bench.folder / "lstm.pt",
        )
        return dataclasses.replace(made, files={"model": Path("lstm.pt")})


@task
class LstmFile(FilmTask):
    """Makes one file of a training's film, a frame an epoch; uint8 `[n]` under `file`."""

    recording: LstmRecording
    layer: int
    by: Order
    kind: encode.Kind

    def run(self, bench: Bench, progress: Progress) -> Result:
        """Return it. Raises ParamError where a build lacks the kind."""
        made = lstm_film.film(Look(self.recording), self.layer, self.by)
        return self.file(encode.animated(made, self.kind))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Read(Result):
    """A series that was read."""

    series: Series


@task
class ReadPrices(Task):
    """Reads a file of one's own, uint8 `[n]`: a date and a value in each row."""

    worker = "plain"
    returns = Read
    quick = True

    data: NDArray[np.uint8]
    called: str = "The file"
    order: DayOrder = "ask"

    def limit(self, card: Card | None) -> float:
        """Return 60 s."""
        return 60.0

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the series."""
        return _SERIES

    def run(self, bench: Bench, progress: Progress) -> Read:
        """Return it. Raises ParamError, which names the row."""
        return Read(series=price_file.read(self.data.tobytes(), self.called[:60], self.order))
