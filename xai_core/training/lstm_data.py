"""A series made into windows to learn from, split by time, and the naive forecast beside a model's.

Scaling is fitted on the training part alone. No window reaches across a gap.
"""

from __future__ import annotations

import dataclasses
import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError
from xai_core.training.prices import Series

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Features = Literal["close", "return", "close and calendar"]
FEATURES: tuple[Features, ...] = ("close", "return", "close and calendar")

LEAST = 5
"""Windows that the training part and the held-out part must have at the least."""
RESAMPLES, BLOCK = 2000, 5
"""Of the bootstrap behind an interval; a block is as long as the horizon at the least."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """What a network reads and what it is to say.

    `x` float64 `[windows, steps, features]` and `y` `[windows]` are scaled; `ends` and `targets`
    are the indices of each window's last value and of the value that is forecast. The first `train`
    windows are learned from; the others have targets from `cut` on, the first held-out value.
    """

    series: Series
    features: Features
    x: Floats
    y: Floats
    ends: Indices
    targets: Indices
    train: int
    cut: int
    center: float
    scale: float

    @property
    def forecasts(self) -> str:
        """Say what is forecast: the price or the return."""
        return "the return until then" if self.features == "return" else "the value"

    def values(self, outputs: Floats) -> Floats:
        """Return a network's outputs, `[windows]`, as values of the series."""
        plain = self.center + self.scale * outputs
        if self.features == "return":
            made: Floats = self.series.values[self.ends] * np.exp(plain)
            return made
        return plain


def windows(
    series: Series, *, window: int, horizon: int = 1, features: Features = "close", share: float
) -> Windows:
    """Cut a series into windows; the first `share` of its values is the training part.

    Raises ParamError for a series that is too short, constant, or does not serve the features.
    """
    values, count = series.values, len(series.values)
    cut = int(count * share)
    lead = 1 if features == "return" else 0  # the first value has no return
    if count < window + horizon + lead + 2 * LEAST:
        longest = count - horizon - lead - 2 * LEAST
        way_out = (
            f"Choose a window of at most {longest}, or a longer series."
            if longest >= 2
            else "Choose a longer series."
        )
        raise ParamError(
            f"A window of {window} {series.step}s and a horizon of {horizon} need at least "
            f"{window + horizon + lead + 2 * LEAST} values, and {series.name} has {count}. "
            f"{way_out}"
        )
    if np.ptp(values[:cut]) < 1e-9 * max(1.0, float(np.abs(values[:cut]).max())):
        raise ParamError(
            f"{series.name} is constant over its training part ({values[0]:g} on all of the first "
            f"{cut} {series.step}s): there is nothing to learn. Choose another series or dates."
        )
    columns, goal, center, scale = _columns(series, features, cut, horizon)
    ends = np.arange(window - 1 + lead, count - horizon)
    targets = ends + horizon
    for gap in series.gaps:
        inside = (ends - window + 1 - lead < gap) & (gap <= targets)
        ends, targets = ends[~inside], targets[~inside]
    train = int((targets < cut).sum())
    if train < LEAST or len(ends) - train < LEAST:
        part = "training" if train < LEAST else "held-out"
        found = train if train < LEAST else len(ends) - train
        raise ParamError(
            f"{series.name} has {found} windows of {window} {series.step}s in its {part} part, and "
            f"{LEAST} are needed. Choose a shorter window, a longer series, or another share."
        )
    x = np.stack([columns[end - window + 1 : end + 1] for end in ends])
    return Windows(
        series=series, features=features, x=x, y=goal[targets], ends=ends, targets=targets,
        train=train, cut=cut, center=center, scale=scale,
    )  # fmt: skip


def _columns(
    series: Series, features: Features, cut: int, horizon: int
) -> tuple[Floats, Floats, float, float]:
    """Return what is read, `[values, features]`, what is forecast, and how that was scaled."""
    values = series.values
    if features == "return":
        if (values <= 0).any():
            at = int(np.flatnonzero(values <= 0)[0])
            raise ParamError(
                f"Returns need values above zero, and {series.name} has {values[at]:g} at "
                f"{series.label(at)}. Choose the close."
            )
        logs = np.log(values)
        steps = np.diff(logs, prepend=logs[:1])
        ahead = np.concatenate([np.zeros(horizon), logs[horizon:] - logs[:-horizon]])
        known = ahead[horizon:cut]
        center, scale = float(known.mean()), float(known.std()) or 1.0
        mean, deviation = steps[1:cut].mean(), steps[1:cut].std() or 1.0
        return ((steps - mean) / deviation)[:, None], (ahead - center) / scale, center, scale
    center, scale = float(values[:cut].mean()), float(values[:cut].std())
    scaled = (values - center) / scale
    columns = [scaled]
    if features == "close and calendar":
        columns += _calendar(series)
    return np.stack(columns, 1), scaled, center, scale


def _calendar(series: Series) -> list[Floats]:
    """Return the day of the week and of the year, each as a sine and a cosine."""
    if not series.dated:
        raise ParamError(
            f"{series.name} has no dates, and so no calendar. Choose the close or the return."
        )
    first = datetime.date(1970, 1, 1)
    dates = [first + datetime.timedelta(days=int(day)) for day in series.days]
    week = np.array([date.weekday() / 7 for date in dates])
    year = np.array([date.timetuple().tm_yday / 365.25 for date in dates])
    return [turn(2 * np.pi * part) for part in (week, year) for turn in (np.sin, np.cos)]


# Beside the naive forecast -----------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compared:
    """Mean absolute errors on the days that are `of` a kind, in the series' own unit.

    `low` and `high` bound the model's less the naive forecast's with 95%: a circular block
    bootstrap of the paired differences, for errors of neighbouring days are alike.
    """

    model: float
    naive: float
    low: float
    high: float
    count: int
    unit: str
    step: str
    of: str = "held-out"

    @property
    def difference(self) -> float:
        """How much larger the model's error is."""
        return self.model - self.naive

    @property
    def verdict(self) -> str:
        """Say whether the model beats the naive forecast."""
        if self.high < 0:
            return "The model beats the naive forecast."
        if self.low > 0:
            return "The model is worse than the naive forecast."
        return "The model does not beat the naive forecast: the difference may be chance."

    @property
    def words(self) -> str:
        """Say it with the numbers."""
        unit = f" {self.unit}" if self.unit else ""
        more = "more" if self.difference > 0 else "less"
        # as many digits as tell the numbers apart
        size = max(abs(self.low), abs(self.high), 1e-12)
        digits = int(np.clip(1 - np.floor(np.log10(size)), 0, 6))
        if self.low * self.high > 0:  # neither end may read as 0
            near = min(abs(self.low), abs(self.high))
            digits = max(digits, int(np.clip(-np.floor(np.log10(near)), 0, 6)))
        low, high = f"{self.low:+.{digits}f}", f"{self.high:+.{digits}f}"
        return (
            f"{self.verdict} On {self.count} {self.of} {self.step}s it is off by "
            f"{self.model:.{digits}f}{unit} on average, and the naive forecast (the last value "
            f"again) by {self.naive:.{digits}f}{unit}: {abs(self.difference):.{digits}f}{unit} "
            f"{more} (95\u00a0% interval {low} to {high})."
        )


def compared(made: Windows, outputs: Floats, horizon: int) -> Compared:
    """Compare a network's outputs, `[windows]`, with the naive forecast on the held-out part."""
    held = slice(made.train, None)
    values = made.values(outputs)[held]
    return beside(
        made.series, values, made.ends[held], made.targets[held], max(BLOCK, horizon), "held-out"
    )


def beside(
    series: Series, forecast: Floats, ends: Indices, targets: Indices, block: int, of: str
) -> Compared:
    """Compare forecasts that are made at `ends` with the value at `ends` again; see `Compared`."""
    truth = series.values[targets]
    own = np.abs(forecast - truth)
    naive = np.abs(series.values[ends] - truth)
    low, high = interval(own - naive, block)
    return Compared(
        model=float(own.mean()), naive=float(naive.mean()), low=low, high=high, count=len(truth),
        unit=series.unit, step=series.step, of=of,
    )  # fmt: skip


def interval(differences: Floats, block: int, seed: int = 0) -> tuple[float, float]:
    """Return where the mean lies with 95%, by a circular block bootstrap (Politis and Romano)."""
    count = len(differences)
    block = min(block, count)
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, count, (RESAMPLES, -(-count // block)))
    picked = (starts[:, :, None] + np.arange(block)) % count
    means = differences[picked.reshape(RESAMPLES, -1)[:, :count]].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
