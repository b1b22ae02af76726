"""What is shown of an LSTM's training: a gate of a layer over units and days, epoch by epoch."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError
from xai_core.training import lstm_cells, lstm_gates
from xai_core.training.lstm import GATE, SHOWN, LstmRecording
from xai_core.training.lstm_cells import REMEMBERS, SIGNED, Floats, Network
from xai_core.training.lstm_data import Compared, Windows, compared
from xai_core.training.lstm_gates import Alike, Memory, Order
from xai_core.training.prices import Series

FED_STEPS, MOST_FED = 16, 1 << 20
"""Of the path to every forecast at once, and the states that are run through then."""

Bytes = NDArray[np.uint8]
Indices = NDArray[np.int64]
MOST = 4 << 20
"""Most values that are sent to a page; of more epochs every second, third and so on is shown."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Map:
    """A gate as it is drawn: `coded` uint8 `[epochs, units, days]`, units in their order.

    A gate's 0 is 0 and its 1 is 255; what may be below zero has its zero at 128 and `top` at 255.
    `epochs` are the numbers of those that are shown, `rows` the units' numbers.
    """

    coded: Bytes
    epochs: NDArray[np.int64]
    rows: NDArray[np.int64]
    signed: bool
    top: float


class Gated:
    """A recurrent network that has read the windows of a series: its gates at their last steps.

    `x` float64 `[windows, steps, features]`, `last` the indices of each window's last value.
    """

    def __init__(self, series: Series, network: Network, x: Floats, last: Indices) -> None:
        self.series, self.network, self.window = series, network, x.shape[1]
        self.ends = network.ends(x)
        self._last = last

    @property
    def remembers(self) -> str:
        """The gate that says how much stays."""
        return REMEMBERS[self.network.kind]

    @property
    def shown(self) -> slice:
        """Which windows are shown: the last ones."""
        return slice(-SHOWN, None)

    @property
    def days(self) -> Indices:
        """The indices, in the series, of the last days of the windows that are shown."""
        return self._last[self.shown]

    @property
    def labels(self) -> list[str]:
        """What those days are called."""
        return [self.series.label(int(at)) for at in self.days]

    def prices(self) -> Floats:
        """Return the series on the days that are shown."""
        return self.series.values[self.days]

    def gate(self, layer: int, what: str = "") -> Floats:
        """Return what a layer does on each day that is shown, `[days, units]`.

        Without `what` it is the gate that remembers. Raises ParamError for what there is not.
        """
        what = what or self.remembers
        if not 0 <= layer < len(self.ends.layers) or what not in self.ends.layers[layer]:
            raise ParamError(f"There is no {what[:20]!r} in layer {layer + 1}")
        return self.ends.layers[layer][what][self.shown]

    def memory(self, layer: int) -> Memory:
        """Return how long a layer remembers."""
        return lstm_gates.remembered(self.gate(layer), self.window, self.series.step)

    def rows(self, layer: int, by: Order) -> Indices:
        """Return a layer's units in an order."""
        return lstm_gates.order(self.gate(layer), by)

    def map(self, layer: int, what: str, by: Order, rows: Indices | None = None) -> Map:
        """Return what is drawn of the network as it is; `rows` are units in an order of another."""
        rows = self.rows(layer, by) if rows is None else rows
        values = self.gate(layer, what)[:, rows].T
        signed = what in SIGNED
        top = 1.0 if what != "cell" else max(float(np.abs(values).max()), 1e-9)
        coded = np.rint(values / top * 127 + 128) if signed else np.rint(values * 255)
        return Map(
            coded=np.clip(coded, 0, 255).astype(np.uint8)[None],
            epochs=np.array([0]),
            rows=rows,
            signed=signed,
            top=top,
        )

    def ask(self, layer: int, first: int, last: int) -> Alike:
        """Find the days on which the units of a layer behave as between two days that are shown."""
        return lstm_gates.ask(self.gate(layer), first, last)


def ahead(days: Indices, targets: Indices, horizon: int) -> Floats:
    """Return where the days that are forecast stand among those that are shown, or after them."""
    spare = np.arange(1, horizon + 1) + days[-1]
    return np.searchsorted(np.concatenate([days, spare]), targets).astype(np.float64)


class Look(Gated):
    """A recording that is looked at: what its model does with every window is worked out once."""

    def __init__(self, recording: LstmRecording) -> None:
        self.recording = recording
        self.windows: Windows = recording.windows
        super().__init__(recording.series, recording.network, self.windows.x, self.windows.ends)
        self.compared: Compared = compared(
            self.windows, self.ends.outputs, recording.settings.horizon
        )

    def map(self, layer: int, what: str, by: Order, rows: Indices | None = None) -> Map:
        """Return what is drawn: over the epochs for the forget gate, else at the end alone."""
        rows = self.rows(layer, by) if rows is None else rows
        if what != GATE:
            made = super().map(layer, what, by, rows)
            return dataclasses.replace(made, epochs=np.array([self.recording.chosen]))
        frames = self.recording.frames[self.recording.settings.names()[layer]]
        coded, first = frames.coded(), self.recording.first
        every = max(1, -(-coded.size // MOST))
        at = np.arange(len(coded))[::-1][::every][::-1]  # the last one is always there
        shown = coded[at].transpose(0, 2, 1)[:, rows]
        return Map(coded=shown, epochs=at + first, rows=rows, signed=False, top=1.0)

    def forecasts(self, epochs: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what these epochs forecast on the days that are shown, `[epochs, days]`."""
        own = self.recording
        return own.forecast[epochs - own.first][:, self.shown]

    def span(self) -> tuple[float, float]:
        """Return between which values the series and nearly all forecasts lie."""
        forecasts = self.recording.forecast[:, self.shown]
        low, high = (float(each) for each in np.quantile(forecasts, [0.01, 0.99]))
        return min(low, float(self.prices().min())), max(high, float(self.prices().max()))

    def ahead(self) -> Floats:
        """Return where each day's forecast belongs, among the days that are shown."""
        return ahead(self.days, self.windows.targets[self.shown], self.recording.settings.horizon)

    # -- which days feed a forecast --------------------------------------------------------------

    def feeds(self, day: int) -> Fed:
        """Return which days feed the forecast that is made on a day that is shown."""
        made, own = self.windows, self.recording
        row = len(made.ends) - len(self.days) + day
        x = made.x[row]
        shares = lstm_cells.feeds(self.network, x).sum(1) * made.scale
        steps = np.arange(made.ends[row] - x.shape[0] + 1, made.ends[row] + 1)
        value = float(made.values(self.ends.outputs)[row])
        return Fed(
            shares=shares,
            steps=steps,
            value=value,
            base=value - float(shares.sum()),
            day=own.series.label(int(made.ends[row])),
            target=own.series.label(int(made.targets[row])),
            unit=own.series.unit,
            share_of_return=made.features == "return",
            labels=tuple(own.series.label(int(at)) for at in steps),
        )

    @functools.cached_property
    def fed(self) -> NDArray[np.float32] | None:
        """Which days feed each forecast that is shown, float32 `[days, window]`; None where the
        network is too large for all of them.
        """  # noqa: D205 - one sentence
        x = self.windows.x[self.shown]
        if x.shape[0] * x.shape[1] * sum(each.units for each in self.network.layers) > MOST_FED:
            return None
        shares = lstm_cells.feeds_each(self.network, x, FED_STEPS).sum(2) * self.windows.scale
        made: NDArray[np.float32] = shares.astype(np.float32)
        return made

    # -- what if ---------------------------------------------------------------------------------

    def turned(self, layer: int, factor: float, unit: int | None = None) -> Turned:
        """Return what becomes of it where a unit's forget gate, or all of a layer, is multiplied.

        Raises ParamError for a unit that is not there.
        """
        units = self.recording.settings.hidden_size
        if unit is not None and not 0 <= unit < units:
            raise ParamError(f"Layer {layer + 1} has the units 0 to {units - 1}, got {unit}")
        factors = np.full(units, factor) if unit is None else np.ones(units)
        factors[slice(None) if unit is None else unit] = factor
        ends = self.network.ends(self.windows.x, {layer: factors})
        own = self.recording
        gate = ends.layers[layer][GATE][self.shown]
        values = self.windows.values(ends.outputs)
        before = self.windows.values(self.ends.outputs)
        return Turned(
            before=self.memory(layer),
            after=lstm_gates.remembered(gate, own.settings.window, own.series.step),
            unit=unit,
            forecasts=values[self.shown].astype(np.float32),
            moved=float(np.abs(values - before).mean()),
            compared=compared(self.windows, ends.outputs, own.settings.horizon),
            was=self.compared,
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Fed:
    """Which days feed a forecast: `shares` by day of the window, in the unit of what is forecast.

    They sum up to the forecast less `base`, what is forecast for a window at the training mean.
    """

    shares: Floats
    steps: NDArray[np.int64]
    value: float
    base: float
    day: str
    target: str
    unit: str
    share_of_return: bool
    labels: tuple[str, ...]

    @property
    def words(self) -> str:
        """Say which day feeds it most, and how far back half of it lies."""
        size = np.abs(self.shares)
        most = int(size.argmax())
        back = size[::-1].cumsum()
        half = int(np.searchsorted(back, back[-1] / 2)) + 1 if back[-1] > 0 else 0
        unit = f" {self.unit}" if self.unit else ""
        size_of = float(size[most])
        moved = (
            f"{100 * size_of:.2f} percent points of the return"
            if self.share_of_return
            else f"{size_of:.2f}{unit}"
        )
        base = "what" if self.share_of_return else f"the {self.base:.2f}{unit} that"
        way = "raises" if self.shares[most] > 0 else "lowers"
        last = f"last {half}" if half > 1 else "last one"
        return (
            f"The model's forecast for {self.target}, made on {self.day}, is {self.value:.2f}"
            f"{unit}. {self.labels[most]} feeds it most: it {way} it by {moved} against {base} "
            "is forecast for a window at the mean of the training days. "
            f"Half of what feeds it lies in the {last} of the {len(size)} days read."
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Turned:
    """What a turned gate does to memory and to the forecasts, with the weights as trained."""

    before: Memory
    after: Memory
    unit: int | None
    forecasts: NDArray[np.float32]
    moved: float
    compared: Compared
    was: Compared

    @property
    def words(self) -> str:
        """Say what moved."""
        step, unit = self.after.step, f" {self.was.unit}" if self.was.unit else ""
        if self.unit is None:
            old, new = float(np.median(self.before.steps)), float(np.median(self.after.steps))
            who = "The median unit remembers"
        else:
            old, new = float(self.before.steps[self.unit]), float(self.after.steps[self.unit])
            who = f"Unit {self.unit} remembers"
        return (
            f"{who} for {lstm_gates.span(new, step)} in the place of {lstm_gates.span(old, step)}. "
            f"The forecasts move by {self.moved:.2f}{unit} on average, and the error on held-out "
            f"{step}s goes from {self.was.model:.2f}{unit} to {self.compared.model:.2f}{unit}."
        )


def orders() -> Mapping[Order, str]:
    """Return the orders of units with what a form calls them."""
    return {
        "by memory": "Longest memory first",
        "by likeness": "Alike side by side",
        "as is": "As numbered",
    }


def alike(one: Map, other: Map) -> tuple[Map, Map]:
    """Return two maps whose colours mean the same: both reach the larger `top`."""
    top = max(one.top, other.top)

    def scaled(made: Map) -> Map:
        if made.top == top or not made.signed:
            return made
        values = (made.coded.astype(np.float64) - 128) * made.top / top + 128
        return dataclasses.replace(made, coded=np.rint(values).astype(np.uint8), top=top)

    return scaled(one), scaled(other)
