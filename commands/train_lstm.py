"""Train an LSTM to forecast a series, and keep its recording, curves and model."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any, get_args

import numpy as np

from commands import _training
from workers.client import Session
from workers.tasks.train_lstm import ReadPrices, TrainLstm
from xai_core.errors import LoadError, VitrineError
from xai_core.task import Task
from xai_core.training import lstm, price_file, prices
from xai_core.training.lstm import LstmRecording, LstmSettings
from xai_core.training.lstm_view import Look
from xai_core.training.prices import Series, Source

_SOURCES = tuple(name for name in get_args(Source) if name != "file")


def flags(parser: argparse.ArgumentParser) -> None:
    """Take a series and the values of a training."""
    data = parser.add_argument_group("the series")
    known = ", ".join(prices.COMPANIES)
    data.add_argument("--data", choices=_SOURCES, default="stock", help="default: stock")
    data.add_argument("--ticker", default="AAPL", help=f"one of {known} (default AAPL)")
    data.add_argument("--start", metavar="YYYY-MM-DD", help="default: 2022-01-01; none for --csv")
    data.add_argument("--end", metavar="YYYY-MM-DD", help="default: 2023-01-01; none for --csv")
    data.add_argument("--csv", type=Path, metavar="FILE", help="a date and a value in each row")
    data.add_argument(
        "--dates", choices=price_file.ORDERS, default="ask",
        help="how dates such as 01/02/2022 are read (default: asked for where it matters)",
    )  # fmt: skip
    _training.flags(parser, LstmSettings)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the recording, the curves, the forecasts and the model; return what is said of them."""
    settings = _training.values(args, LstmSettings)

    def task(session: Session) -> Task:
        return TrainLstm(series=_series(args, settings, session), settings=settings)

    made, files = _training.train(task, _files, args.out)
    return _said(made) | {"files": files}


def _series(args: argparse.Namespace, settings: LstmSettings, session: Session) -> Series:
    if args.csv is None:
        return lstm.series_of(
            args.data,
            ticker=args.ticker,
            start=args.start or "2022-01-01",
            end=args.end or "2023-01-01",
            seed=settings.seed,
        )
    try:
        size = args.csv.stat().st_size
        data = args.csv.read_bytes() if size <= price_file.MOST_BYTES else b""
    except OSError as error:
        raise LoadError(f"--csv cannot be read from {str(args.csv)!r}: {error}") from error
    if size > price_file.MOST_BYTES:
        raise LoadError(
            f"--csv has {size / 1e6:.0f} MB; at most {price_file.MOST_BYTES >> 20} MB are read"
        )
    asked = ReadPrices(
        data=np.frombuffer(data, np.uint8), called=args.csv.name[:60], order=args.dates
    )
    try:
        own: Series = _training.result(session, asked).series
    except VitrineError as error:  # whatever is wrong is the file's
        raise LoadError(str(error)) from None
    return own.between(args.start or "", args.end or "")


def _files(made: LstmRecording) -> dict[str, bytes | str]:
    return {
        "recording.npz": made.npz(),
        "curves.csv": made.csv(),
        "forecasts.csv": made.forecasts_csv(),
        "training.json": _training.text(_said(made)),
    }


def _said(made: LstmRecording) -> dict[str, Any]:
    look = Look(made)
    found = look.compared
    memories = [look.memory(layer) for layer in range(made.settings.layers)]
    return {
        "data": {
            "name": made.series.name,
            "days": made.series.span(),
            "from": made.series.iso(0),
            "to": made.series.iso(-1),
            "values": len(made.series.values),
            "held_out_from": made.series.iso(look.windows.cut),
        },
        "settings": dataclasses.asdict(made.settings),
        "epochs": len(made),
        "losses": {name: float(curve[-1]) for name, curve in made.curves.items()},
        "compared": {
            "verdict": found.verdict,
            "model": found.model,
            "naive": found.naive,
            "difference": found.difference,
            "interval": [found.low, found.high],
            "held_out": found.count,
        },
        "memory": [
            {
                "layer": layer + 1,
                "mean": each.mean,
                "median": float(min(np.median(each.steps), 1e6)),
            }
            for layer, each in enumerate(memories)
        ],
        "sentences": [found.words, *(each.words for each in memories)],
        "notes": list(made.notes),
    }
