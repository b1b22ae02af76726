"""Prices of any ticker by the package yfinance, where it is installed.

It talks to the network, so it runs on the trusted side, in a process of its own that can be ended:
`python -m workers.quotes TICKER START END` writes a CSV. What it writes is read in a worker.
"""

from __future__ import annotations

import datetime
import importlib.util
import math
import re
import subprocess
import sys
import tempfile
import threading
from typing import IO

from workers.jobs import Job
from workers.process import Stopped
from xai_core.errors import LoadError, ParamError

PACKAGE = "yfinance"
HOW = (
    f"Any other ticker or date comes by the package {PACKAGE}, which is not installed on this "
    f"server: \u201cpip install {PACKAGE}\u201d, then start Vitrine again. A CSV works without it."
)
ABOUT = "Adjusted daily closes of Yahoo Finance, fetched here; no currency is given."
OTHERWISE = "The built-in prices and a CSV of your own work without a network."
MOST, LIMIT, PERIOD = 4 << 20, 60.0, 0.1
"""Bytes that are read of what it writes, seconds that it may take, seconds between two looks."""
NOTHING = 3
"""How the process ends that was given no prices."""
_TICKER = re.compile(r"[A-Z0-9^][A-Z0-9.^=-]{0,14}")


def available() -> bool:
    """Say whether the package is installed; it is not imported."""
    return importlib.util.find_spec(PACKAGE) is not None


def asks(ticker: str) -> bool:
    """Say whether this can be a ticker."""
    return _TICKER.fullmatch(ticker) is not None


def fetch(ticker: str, start: str, end: str) -> Job:
    """Begin to ask for daily closes between two dates, both included; the result is a CSV's bytes.

    Raises ParamError for what is no ticker or no dates, and, as the job's error, LoadError.
    """
    if not asks(ticker):
        raise ParamError(f"A ticker has up to 15 letters and digits, got {ticker[:20]!r}")
    for each in (start, end):
        try:
            datetime.date.fromisoformat(each)
        except ValueError:
            raise ParamError(f"A date is written as 2022-01-31, got {each[:20]!r}") from None
    if start > end:
        raise ParamError(f"The start, {start}, is after the end, {end}")
    job = Job(lambda job: _run(job, ticker, start, end), time_limit=math.inf)
    threading.Thread(target=job.run, name=f"quotes-{job.id}", daemon=True).start()
    return job


def _run(job: Job, ticker: str, start: str, end: str) -> bytes:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "workers.quotes", ticker, start, end],
            stdin=subprocess.DEVNULL, stdout=out, stderr=said,
        )  # fmt: skip
        try:
            code = _wait(job, process)
        finally:
            process.kill()
            process.wait()
        if code == 0:
            return _read(out, MOST)
        if code == NOTHING:
            raise LoadError(
                f"Yahoo Finance has no prices of {ticker!r} from {start} to {end}. Choose another "
                f"ticker or other dates. {OTHERWISE}"
            )
        why = "it took too long" if code is None else _last(_read(said, 1 << 16))
        raise LoadError(f"The prices of {ticker!r} could not be fetched: {why}. {OTHERWISE}")


def _wait(job: Job, process: subprocess.Popen[bytes]) -> int | None:
    """Return how the process ended, None where it took too long. Raises Stopped."""
    left = LIMIT
    while left > 0:
        try:
            return process.wait(PERIOD)
        except subprocess.TimeoutExpired:
            left -= PERIOD
        if job.cancelled:
            raise Stopped(killed=False)
    return None


def _read(file: IO[bytes], most: int) -> bytes:
    file.seek(0)
    data = file.read(most + 1)
    if len(data) > most:
        raise LoadError("Yahoo Finance gave far more than daily prices. Choose fewer days.")
    return data


def _last(data: bytes) -> str:
    """Return the last line of what was said, without its full stop."""
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines()]
    return next((line[:200].rstrip(".") for line in reversed(lines) if line), "nothing was said")


def main(ticker: str, start: str, end: str) -> int:
    """Write the closes as a CSV; the day after the last one is where yfinance stops."""
    import yfinance  # type: ignore[import-not-found]

    after = datetime.date.fromisoformat(end) + datetime.timedelta(days=1)
    found = yfinance.Ticker(ticker).history(
        start=start, end=after.isoformat(), interval="1d", auto_adjust=True
    )
    rows = [] if found is None else list(found["Close"].items()) if len(found) else []
    for day, close in rows:
        if math.isfinite(close):
            print(f"{day:%Y-%m-%d},{float(close):.6f}")
    return 0 if rows else NOTHING


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
