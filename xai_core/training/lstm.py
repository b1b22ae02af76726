"""What is said of an LSTM before it trains, and what is kept of its training."""

from __future__ import annotations

import dataclasses
import functools
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core import params
from xai_core.errors import ParamError
from xai_core.params import choice, number
from xai_core.training import lstm_cells, prices, recording
from xai_core.training.lstm_cells import Network
from xai_core.training.lstm_data import FEATURES, Compared, Features, Windows, compared, windows
from xai_core.training.pace import Work
from xai_core.training.prices import Series
from xai_core.training.recording import EPOCHS, Recording

MOST_READ = 64 << 20
"""Most numbers that are read an epoch, all windows together."""
SHOWN = 600
"""Most windows whose gates are recorded: the last ones."""
GATE = "forget"
"""The gate that is recorded after each epoch."""
LOSS, HELD_OUT = "training loss", "held-out loss"
FORECAST = "forecast"
LEARNING_RATE = "learning_rate"
"""What may change on the way."""
RECORDED = "lstm"
"""The name of the recording that ships."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LstmSettings:
    """The values of a training. Raises ParamError for one out of its range."""

    batch_size: int = number(
        32, 1, 512, unit="windows",
        help="How many windows are looked at before the weights take a step.",
    )  # fmt: skip
    hidden_size: int = number(
        32, 2, 128, unit="units", label="Hidden layer size",
        help="How many cells each layer has. Each cell keeps one number from day to day, and a "
        "forget gate of its own says how much of it stays.",
    )  # fmt: skip
    learning_rate: float = number(
        0.005, 1e-6, 100.0,
        help="How long a step the weights take (Adam). Too small, and the losses hardly fall; too "
        "large, and they jump.",
    )  # fmt: skip
    epochs: int = number(
        60, 1, EPOCHS,
        help="How often the network sees every window of the training part.",
    )  # fmt: skip
    layers: int = number(
        1, 1, 3, more=True,
        help="How many LSTM layers; each reads the hidden state of the one below.",
    )  # fmt: skip
    window: int = number(
        20, 2, 120, unit="days", more=True,
        help="How many days the network reads before it forecasts. It begins each window with "
        "nothing in its cells.",
    )  # fmt: skip
    horizon: int = number(
        1, 1, 60, unit="days", more=True,
        help="How many days ahead it forecasts.",
    )  # fmt: skip
    features: Features = choice(
        "close", FEATURES, more=True,
        help="What it reads of each day: the close, from which it forecasts a close; the return, "
        "from which it forecasts a return; or the close and where the day lies in week and year.",
    )  # fmt: skip
    share: float = number(
        0.7, 0.3, 0.9, step=0.05, label="Share of training days", more=True,
        help="Which share of the days, the first ones, is learned from. The rest is held out.",
    )  # fmt: skip
    seed: int = params.seed("weights and batches")

    def __post_init__(self) -> None:
        """Check every value. Raises ParamError."""
        params.validate(self, "")

    @property
    def inputs(self) -> int:
        """How many numbers it reads a day."""
        return 5 if self.features == "close and calendar" else 1

    @property
    def weights(self) -> int:
        """How many weights it has."""
        named = lstm_cells.sides(self.inputs, self.hidden_size, self.layers)
        return lstm_cells.count(named)

    def windows(self, series: Series) -> Windows:
        """Cut a series into its windows, and see that its training has room. Raises ParamError."""
        read = len(series.values) * self.window * self.hidden_size * self.layers
        if read > MOST_READ:
            raise ParamError(
                f"An epoch would make {read / 1e6:,.0f} million numbers, and at most "
                f"{MOST_READ / 1e6:.0f} million are made here. Choose a shorter window, a shorter "
                "range of dates, or fewer units."
            )
        made = windows(
            series,
            window=self.window,
            horizon=self.horizon,
            features=self.features,
            share=self.share,
        )
        self.sides(made)
        return made

    def work(self, made: Windows) -> Work:
        """Return what it does with these windows."""
        taken, all_of = made.train, len(made.ends)
        steps = self.epochs * -(-taken // self.batch_size)
        read = self.epochs * (3 * taken + all_of) * self.window
        return Work(
            steps * self.window * self.layers, steps * self.weights / 1e6, read * self.weights / 1e6
        )

    def names(self) -> list[str]:
        """Name what is recorded of each layer."""
        return [f"layer {at + 1} {GATE}" for at in range(self.layers)]

    def sides(self, made: Windows) -> dict[str, tuple[int, int]]:
        """Return what is recorded of each layer an epoch. Raises ParamError."""
        sides = {name: (min(len(made.ends), SHOWN), self.hidden_size) for name in self.names()}
        recording.room(list(sides.values()), self.epochs)
        return sides

    def key(self) -> str:
        """Say all that weights come from, in one line; how long it trains is not in it."""
        values = dataclasses.asdict(self)
        del values["epochs"]
        return json.dumps(values)


@functools.lru_cache(maxsize=32)
def series_of(
    source: prices.Source,
    *,
    ticker: str = "",
    start: str = "",
    end: str = "",
    seed: int = 0,
    own: Series | None = None,
) -> Series:
    """Return the series that is asked for: a stock's, a teaching series, or one's own file's.

    The same is asked for again and again, and is the same object then. Raises ParamError.
    """
    match source:
        case "stock":
            return prices.stock(ticker, start, end)
        case "sine":
            return prices.sine(seed)
        case "walk":
            return prices.walk(seed)
    if own is None:
        raise ParamError("There is no file yet: upload a CSV with a date and a value in each row.")
    return own.between(start, end)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LstmRecording(Recording):
    """An LSTM's training: its forget gates after each epoch, and all of it at the end.

    `frames` hold each layer's forget gate at the last step of each window, `[windows, units]`;
    `arrays["each forecast"]` float32 `[epochs, windows]` what was forecast for each window after
    each epoch, in the series' unit; `weights` float32 are the model's, as `lstm_cells.from_flat`
    reads them. Raises ValueError or ParamError where its parts do not fit each other.
    """

    settings: LstmSettings
    series: Series
    weights: NDArray[np.float32]

    def __post_init__(self) -> None:
        super().__post_init__()
        made = self.windows
        for name, sides in self.settings.sides(made).items():
            if name not in self.frames or self.frames[name].sides != sides:
                raise ValueError("a recording of other layers")
        forecast = self.arrays.get(f"{recording.EACH}{FORECAST}")
        if forecast is None or forecast.shape != (len(self), len(made.ends)):
            raise ValueError("a recording of other windows")
        if self.weights.shape != (self.settings.weights,):
            raise ValueError("a recording of other weights")

    @property
    def windows(self) -> Windows:
        """What it read."""
        return self.settings.windows(self.series)

    @property
    def network(self) -> Network:
        """The model, as its steps are written out."""
        own = self.settings
        return lstm_cells.from_flat(self.weights, own.inputs, own.hidden_size, own.layers)

    @property
    def forecast(self) -> NDArray[np.float32]:
        """What was forecast for each window after each epoch, in the series' unit."""
        return self.arrays[f"{recording.EACH}{FORECAST}"]

    def compared(self) -> Compared:
        """Compare the model with the naive forecast."""
        made = self.windows
        return compared(made, self.network.ends(made.x).outputs, self.settings.horizon)

    def npz(self) -> bytes:
        """Return it as one file, with its series and its weights by name."""
        with np.load(io.BytesIO(super().npz()), allow_pickle=False) as file:
            parts: dict[str, Any] = dict(file)
        made = self.windows
        dates = np.array([self.series.iso(at) for at in range(len(self.series.days))])
        parts |= {"date": dates, "value": self.series.values}
        parts |= {"window ends": made.ends, "window targets": made.targets}
        own, at = self.settings, 0
        for name, shape in lstm_cells.sides(own.inputs, own.hidden_size, own.layers):
            size = int(np.prod(shape))
            parts[f"weights {name}"] = self.weights[at : at + size].reshape(shape)
            at += size
        out = io.BytesIO()
        np.savez_compressed(out, **parts)
        return out.getvalue()

    def forecasts_csv(self) -> str:
        """Return the model's forecasts as a table, a row a window."""
        made = self.windows
        values = self.forecast[self.chosen - self.first]
        lines = ["last date read,date,value,forecast,naive,part"]
        for row, (end, target) in enumerate(zip(made.ends, made.targets, strict=True)):
            truth, naive = self.series.values[target], self.series.values[end]
            part = "training" if row < made.train else "held out"
            lines.append(
                f"{self.series.iso(end)},{self.series.iso(target)},{truth:.6g},"
                f"{values[row]:.6g},{naive:.6g},{part}"
            )
        return "\n".join(lines) + "\n"


def words(settings: LstmSettings, series: Series) -> Mapping[str, str]:
    """Return what the pages say of a training: its values and its data."""
    values = {
        param.title: param.word(getattr(settings, name))
        for name, param in params.declared(LstmSettings).items()
    }
    return {"Data": f"{series.name}, {series.span()}"} | values
