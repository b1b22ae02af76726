"""Train an LSTM to forecast a series, and keep its recording, curves and model."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
from pathlib import Path
from typing import Any, get_args

import numpy as np

from commands import _training
from commands._waiting import wait
from workers import quotes
from workers.client import Session
from workers.tasks.train_lstm import ReadPrices, TrainLstm
from xai_core.errors import LoadError, ParamError, VitrineError
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
    data.add_argument(
        "--fetch", action="store_true",
        help=f"ask Yahoo Finance for the ticker; needs the package {quotes.PACKAGE} and a network",
    )  # fmt: skip
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
    if args.csv is not None:
        data = _training.data_of("--csv", args.csv, price_file.MOST_BYTES)
        own = _read(session, data, args.csv.name, args.dates)
        return own.between(args.start or "", args.end or "")
    start, end = args.start or "2022-01-01", args.end or "2023-01-01"
    if args.fetch:
        return _fetched(args.ticker.strip().upper(), start, end, session)
    try:
        return lstm.series_of(
            args.data, ticker=args.ticker, start=start, end=end, seed=settings.seed
        )
    except ParamError as error:
        if args.data != "stock":
            raise
        raise ParamError(f"{error} With --fetch Yahoo Finance is asked for it.") from None


def _fetched(ticker: str, start: str, end: str, session: Session) -> Series:
    """Ask for the prices of any ticker, on the trusted side; what comes is read behind the wall.

    Raises LoadError where the package or the network is missing, and ParamError.
    """
    if not quotes.available():
        raise LoadError(quotes.HOW)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    job = quotes.fetch(ticker, start, min(end, today))
    data: bytes = wait(job, f"fetching {ticker}")
    found = _read(session, data, ticker, "ask")
    return dataclasses.replace(found, source="stock", note=quotes.ABOUT)


def _read(session: Session, data: bytes, called: str, order: price_file.Order) -> Series:
    asked = ReadPrices(data=np.frombuffer(data, np.uint8), called=called[:60], order=order)
    try:
        found: Series = _training.result(session, asked).series
    except VitrineError as error:  # whatever is wrong is the file's
        raise LoadError(str(error)) from None
    return found


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
