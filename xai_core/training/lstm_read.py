"""A recurrent network that was trained elsewhere, on a series: its gates, and what it forecasts."""

from __future__ import annotations

from typing import Literal

import numpy as np

from xai_core.errors import ParamError
from xai_core.training.lstm import SHOWN
from xai_core.training.lstm_cells import Floats, Network
from xai_core.training.lstm_data import BLOCK, LEAST, Compared, beside
from xai_core.training.lstm_view import Gated, Indices, ahead
from xai_core.training.prices import Series

Scaling = Literal["mean 0, deviation 1", "0 to 1", "as it is"]
SCALINGS: tuple[Scaling, ...] = ("mean 0, deviation 1", "0 to 1", "as it is")
HORIZON = 60
"""Most steps ahead that a network may forecast."""


class Reading(Gated):
    """A network of one's own that has read a series.

    With a line at its end it forecasts the value `horizon` steps later, scaled as what it reads:
    `forecast` float64 `[days]`, for the windows that are shown, in the series' own unit.
    `compared` holds it to the naive forecast wherever the value is known; None where too few are.
    """

    def __init__(
        self, series: Series, network: Network, scaled: Floats, window: int, last: Indices,
        back: tuple[float, float], horizon: int,
    ) -> None:  # fmt: skip
        x = np.stack([scaled[end - window + 1 : end + 1, None] for end in last])
        super().__init__(series, network, x, last)
        center, scale = back
        self.horizon = horizon
        self.forecast: Floats | None = None
        self.compared: Compared | None = None
        if network.head is None:
            return
        self.forecast = (center + scale * self.ends.outputs)[self.shown]
        known = self.days + horizon < len(series.values)
        for gap in series.gaps:
            known &= ~((self.days < gap) & (gap <= self.days + horizon))
        if known.sum() >= LEAST:
            days = self.days[known]
            self.compared = beside(
                series, self.forecast[known], days, days + horizon, max(BLOCK, horizon), "shown"
            )

    def ahead(self) -> Floats:
        """Return where each day's forecast belongs, among the days that are shown."""
        return ahead(self.days, self.days + self.horizon, self.horizon)

    def span(self) -> tuple[float, float]:
        """Return between which values the forecasts lie."""
        forecast = self.prices() if self.forecast is None else self.forecast
        return float(forecast.min()), float(forecast.max())


def read_by(
    network: Network, series: Series, window: int, scaling: Scaling, horizon: int = 1
) -> Reading:
    """Let a network of one's own read a series, scaled as `scaling` says over all of it.

    Raises ParamError for a network that reads more than one number a step, for a horizon that is
    none, and for a series that is too short or constant.
    """
    inputs = network.layers[0].reads.shape[1]
    if inputs != 1:
        raise ParamError(
            f"The network reads {inputs} numbers a {series.step}, and a series has one: only "
            "networks that read one number are shown."
        )
    if not 1 <= horizon <= HORIZON:
        raise ParamError(f"A forecast is from 1 to {HORIZON} {series.step}s ahead, got {horizon}")
    values, count = series.values, len(series.values)
    if count < window + 1:
        raise ParamError(
            f"{series.name} has {count} values, fewer than a window of {window} needs. Choose a "
            "shorter window, or a longer series."
        )
    if scaling != "as it is" and np.ptp(values) == 0:
        raise ParamError(f"{series.name} is constant, and cannot be scaled. Choose 'as it is'.")
    center, scale = {
        "mean 0, deviation 1": (float(values.mean()), float(values.std())),
        "0 to 1": (float(values.min()), float(np.ptp(values))),
        "as it is": (0.0, 1.0),
    }[scaling]
    last = np.arange(max(window - 1, count - SHOWN), count)
    for gap in series.gaps:
        last = last[~((last - window + 1 < gap) & (gap <= last))]
    if not len(last):
        raise ParamError(f"{series.name} has no window of {window} values without a gap in it.")
    scaled = (values - center) / scale
    return Reading(series, network, scaled, window, last, (center, scale), horizon)
