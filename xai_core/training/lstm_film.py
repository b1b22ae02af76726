"""An LSTM's forget gates as a film, a frame an epoch: units over days, the series under them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xai_core import colormaps
from xai_core.film import FRAMES, SIDE, Film, Frame
from xai_core.training.lstm import GATE
from xai_core.training.lstm_gates import Order
from xai_core.training.lstm_view import Look

Pixels = NDArray[np.uint8]

TABLE = "magma"
PAPER, INK, FORECAST, HELD = (250, 250, 248), (40, 44, 46), (31, 154, 144), (236, 236, 232)
TALL = 140
"""Pixels of the series under the map."""
SECONDS = 0.12


def film(look: Look, layer: int, by: Order) -> Film:
    """Return the film of a layer: as many frames as epochs, of more than 120 the spread ones.

    A unit and a day are a block of pixels of one colour, from the top left corner on.
    """
    made = look.map(layer, GATE, by)
    every = max(1, -(-len(made.epochs) // FRAMES))
    shown = np.arange(len(made.epochs))[::-1][::every][::-1]
    forecasts = look.forecasts(made.epochs)
    low, high = _range(look, forecasts)
    name, window = look.recording.series.name, look.recording.settings.window
    title = f"{name}: forget gates of LSTM layer {layer + 1}, epoch by epoch"
    frames = []
    for at in shown:
        wide, map_ = scaled(colormaps.table(TABLE)[made.coded[at]])
        series = _series(look, forecasts[at], map_.shape[1], wide, low, high)
        said = (
            f"Epoch {made.epochs[at]}: the forget gate of each unit on each day, at the last step "
            f"of a window of {window}, bright where it remembers. Under it {name} and the forecast."
        )
        frames.append(Frame(np.concatenate([map_, series]), said))
    return Film(title=title, frames=tuple(frames), seconds=SECONDS, still=frames[-1])


def scaled(cells: Pixels) -> tuple[float, Pixels]:
    """Return cells `[units, days, 3]` as blocks of pixels, and how wide a block is."""
    units, days = cells.shape[:2]
    tall = max(1, min(12, (SIDE - TALL) // units))
    width = min(SIDE, days * max(1, SIDE // days))
    column = np.arange(width) * days // width
    return width / days, np.repeat(cells, tall, 0)[:, column]


def _range(look: Look, forecasts: NDArray[np.float32]) -> tuple[float, float]:
    prices = look.prices()
    ends = np.quantile(forecasts, [0.01, 0.99])
    return float(min(prices.min(), ends[0])), float(max(prices.max(), ends[1]))


def _series(
    look: Look, forecast: NDArray[np.float32], width: int, wide: float, low: float, high: float
) -> Pixels:
    """Draw the series and a forecast, each where its day is, on the held-out days' own ground."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (width, TALL), PAPER)
    pen = ImageDraw.Draw(image)
    first = int(np.searchsorted(look.days, look.windows.cut))
    pen.rectangle([int(first * wide), 0, width, TALL], fill=HELD)

    def points(at: NDArray[np.float64], values: NDArray[np.floating]) -> list[tuple[float, float]]:
        y = 6 + (1 - (values - low) / max(high - low, 1e-12)) * (TALL - 12)
        inside = (at + 0.5) * wide < width
        return [
            ((float(x) + 0.5) * wide, float(each))
            for x, each in zip(at[inside], np.clip(y, -9, TALL + 9)[inside], strict=True)
        ]

    pen.line(points(np.arange(len(look.days), dtype=float), look.prices()), fill=INK, width=2)
    pen.line(points(look.ahead(), forecast), fill=FORECAST, width=2)
    return np.asarray(image)
