"""Series to forecast: daily prices that lie in an installed package, a sine, a random walk.

The prices are read from a data file of the package skfolio, where it lies; the package itself is
never imported. A file of one's own is read by `price_file`.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime
import difflib
import functools
import gzip
import importlib.util
import io
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError
from xai_core.result import frozen

PACKAGE, FILE = "skfolio", "datasets/data/sp500_dataset.csv.gz"
ABOUT = (
    "Adjusted daily closes from the data set of the package skfolio, for examples only as its "
    "authors say: not for investing."
)
MOST_BYTES = 16 << 20
"""Most bytes of text that are read of the data file."""
MOST_DAYS = 20_000
"""Most values of a series."""
TEACHING = 500
"""Steps of a teaching series."""
GAP = 10
"""Calendar days without a value from which neighbours in a series of days are no neighbours."""

COMPANIES: Mapping[str, str] = MappingProxyType(
    {
        "AAPL": "Apple", "AMD": "Advanced Micro Devices", "BAC": "Bank of America",
        "BBY": "Best Buy", "CVX": "Chevron", "GE": "General Electric", "HD": "Home Depot",
        "JNJ": "Johnson & Johnson", "JPM": "JPMorgan Chase", "KO": "Coca-Cola",
        "LLY": "Eli Lilly", "MRK": "Merck", "MSFT": "Microsoft", "PEP": "PepsiCo",
        "PFE": "Pfizer", "PG": "Procter & Gamble", "RRC": "Range Resources",
        "UNH": "UnitedHealth", "WMT": "Walmart", "XOM": "Exxon Mobil",
    }
)  # fmt: skip
"""The stocks of the data file, by ticker."""

Dates = NDArray[np.int64]
Values = NDArray[np.float64]
Source = Literal["stock", "file", "sine", "walk"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """A series: `days` since 1970-01-01, rising, int64 `[n]`, and `values`, float64 `[n]`.

    A teaching series has no dates: its days are steps from 0. `note` says which days there are
    where it is not what was asked for. Raises ParamError for what cannot be a series.
    """

    name: str
    source: Source
    days: Dates
    values: Values
    unit: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        days, values = self.days, self.values
        if days.dtype != np.int64 or values.dtype != np.float64:
            raise ParamError("A series must have days in int64 and values in float64")
        if days.ndim != 1 or days.shape != values.shape or not 1 <= len(days) <= MOST_DAYS:
            raise ParamError(
                f"A series must have from 1 to {MOST_DAYS:,} values, got {list(values.shape)}"
            )
        if (np.diff(days) <= 0).any() or not np.isfinite(values).all():
            raise ParamError("A series must have rising days and finite values")
        for name in ("days", "values"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    @property
    def dated(self) -> bool:
        """Whether its days are dates."""
        return self.source in ("stock", "file")

    @property
    def step(self) -> str:
        """What one step of it is called: 'day', or 'step' where its rows are no days."""
        return "day" if self.dated and self.spacing <= 3 else "step"

    @property
    def spacing(self) -> float:
        """The median of the days between two values."""
        return float(np.median(np.diff(self.days))) if len(self.days) > 1 else 1.0

    @property
    def gaps(self) -> tuple[int, ...]:
        """The indices of values that come after a gap, longer than its own spacing explains."""
        longest = max(GAP, 5 * self.spacing) if self.dated else 1.0
        return tuple(int(at) + 1 for at in np.flatnonzero(np.diff(self.days) > longest))

    def label(self, at: int) -> str:
        """Return what the value at an index is called: its date, or its step."""
        return said(int(self.days[at])) if self.dated else f"step {int(self.days[at])}"

    def iso(self, at: int) -> str:
        """Return the date at an index as a file has it, or the step."""
        day = int(self.days[at])
        return _date(day).isoformat() if self.dated else str(day)

    def span(self) -> str:
        """Say which days it has."""
        count = f"{len(self.days):,} {self.step}{'' if len(self.days) == 1 else 's'}"
        if not self.dated:
            return count
        count = count.replace("day", "trading day") if self.source == "stock" else count
        return f"{count} from {self.label(0)} to {self.label(-1)}"

    def gap_words(self) -> str:
        """Say where its longest gap is; empty without one."""
        if not self.gaps:
            return ""
        at = max(self.gaps, key=lambda index: self.days[index] - self.days[index - 1])
        days = int(self.days[at] - self.days[at - 1])
        more = f" (the longest of {len(self.gaps)} gaps)" if len(self.gaps) > 1 else ""
        return (
            f"{self.name} has no value between {self.label(at - 1)} and {self.label(at)}, "
            f"{days:,} days{more}: no window reaches across it."
        )

    def between(self, start: str, end: str) -> Series:
        """Return the part of a dated series between two dates, both included where they are given.

        Raises ParamError for dates that are none or reversed, and for a range without a value.
        """
        if not self.dated:
            return self
        first = day_of(start, "start") if start else int(self.days[0])
        last = day_of(end, "end") if end else int(self.days[-1])
        if first > last:
            raise ParamError(
                f"The start, {said(first)}, is after the end, {said(last)}. Exchange the two dates."
            )
        inside = (self.days >= first) & (self.days <= last)
        have = f"{said(int(self.days[0]))} to {said(int(self.days[-1]))}"
        if not inside.any():
            raise ParamError(
                f"{self.name} has no values from {said(first)} to {said(last)}: its data go from "
                f"{have}. Choose dates within these."
            )
        short = first < self.days[0] - 7 or last > self.days[-1]
        note = f"The data of {self.name} go from {have}." if short and (start or end) else ""
        days, values = self.days[inside], self.values[inside]
        return dataclasses.replace(self, days=days, values=values, note=note)


def day_of(text: str, what: str) -> int:
    """Read a date as YYYY-MM-DD into days since 1970. Raises ParamError."""
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip(), re.ASCII):
            raise ValueError(text)
        return _number(datetime.date.fromisoformat(text.strip()))
    except ValueError:
        raise ParamError(
            f"The {what} must be a date as YYYY-MM-DD, such as 2022-01-31, got {text[:40]!r}"
        ) from None


def said(day: int) -> str:
    """Say a day: '3 January 2022'."""
    date = _date(day)
    return f"{date.day} {date:%B} {date.year}"


def _date(day: int) -> datetime.date:
    return datetime.date(1970, 1, 1) + datetime.timedelta(days=day)


def _number(date: datetime.date) -> int:
    return (date - datetime.date(1970, 1, 1)).days


def place() -> Path | None:
    """Return where the data file lies, or None where its package is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / FILE
    return path if path.is_file() else None


def stock(ticker: str, start: str = "", end: str = "") -> Series:
    """Return a stock's adjusted daily closes between two dates, YYYY-MM-DD.

    Raises ParamError, which names the nearest ticker for one that is not there.
    """
    name = ticker.strip().upper()
    known = _stocks()
    if name not in known:
        close = nearest(name)
        raise ParamError(
            f"There are no prices of {ticker.strip()[:20]!r} here: the nearest of the "
            f"{len(known)} built-in tickers is {close} ({COMPANIES.get(close, close)}). "
            "Choose that one, or upload a CSV with a date and a value in each row."
        )
    days, values = known[name]
    made = Series(name=name, source="stock", days=days, values=values, unit="USD")
    return made.between(start, end)


def nearest(ticker: str) -> str:
    """Return the built-in ticker that is nearest to a name, a ticker's or a company's."""
    name = ticker.strip().upper()

    def alike(key: str) -> float:
        names = (key, COMPANIES.get(key, key).upper())
        return max(difflib.SequenceMatcher(None, name, each).ratio() for each in names)

    return max(_stocks(), key=alike)


def tickers() -> tuple[str, ...]:
    """Return the tickers that are there; none where the package is not installed."""
    return tuple(_stocks()) if place() else ()


@functools.cache
def _stocks() -> Mapping[str, tuple[Dates, Values]]:
    """Read the data file: days and closes by ticker. Raises ParamError where it is not there."""
    path = place()
    if path is None:
        raise ParamError(
            f"The built-in prices are not installed: the package {PACKAGE} carries them. Install "
            "it, upload a CSV, or choose the sine or the random walk."
        )
    with gzip.open(path, "rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ParamError(f"The data file of {PACKAGE} is larger than expected and is not read")
    rows = list(csv.reader(io.StringIO(data.decode())))
    days = np.array([_number(datetime.date.fromisoformat(row[0])) for row in rows[1:]], np.int64)
    made: dict[str, tuple[Dates, Values]] = {}
    for column, name in enumerate(rows[0][1:], 1):
        values = np.array([float(row[column] or "nan") for row in rows[1:]])
        there = np.isfinite(values)
        made[name] = (days[there], values[there])
    return MappingProxyType(made)


def sine(seed: int = 0, steps: int = TEACHING, period: float = 25.0) -> Series:
    """Return a sine with a little noise, which a network can learn; its level is 100."""
    rng = np.random.default_rng(seed)
    at = np.arange(steps)
    values = 100 + 10 * np.sin(2 * np.pi * at / period) + rng.normal(0, 0.5, steps)
    return Series(name="Sine", source="sine", days=at.astype(np.int64), values=values)


def walk(seed: int = 0, steps: int = TEACHING) -> Series:
    """Return a random walk: nothing in its past says where it goes next. It begins at 100."""
    rng = np.random.default_rng(seed)
    values = 100 * np.exp(np.concatenate([[0.0], np.cumsum(rng.normal(0, 0.01, steps - 1))]))
    return Series(name="Random walk", source="walk", days=np.arange(steps), values=values)
