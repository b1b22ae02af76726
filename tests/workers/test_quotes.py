"""Prices by a package that may not be there: asked for in a process of its own, and a fake one."""

import sys

import pytest

from tests.conftest import PATIENCE, ROOT
from workers import quotes
from xai_core.errors import JobError, LoadError, ParamError
from xai_core.training.price_file import read

FAKE = """
import datetime
import sys
import time

class Column(dict):
    pass

class Frame(dict):
    def __len__(self):
        return len(self["Close"])

class Ticker:
    def __init__(self, name):
        self.name = name

    def history(self, *, start, end, interval, auto_adjust):
        if self.name == "BROKEN":
            raise ConnectionError("the host is not reached.")
        if self.name == "SLOW":
            time.sleep(600)
        days = {} if self.name == "NONE" else {
            datetime.datetime(2024, 1, 2) + datetime.timedelta(days=at): 100.0 + at
            for at in range(40)
            if (datetime.datetime(2024, 1, 2) + datetime.timedelta(days=at)).isoformat() < end
        }
        days.update({datetime.datetime(2025, 1, 1): float("nan")} if days else {})
        return Frame(Close=days)
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "yfinance.py").write_text(FAKE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    monkeypatch.chdir(ROOT)


def test_what_it_gives_is_a_csv_that_is_read(package):
    assert quotes.available()
    data = quotes.fetch("MINE", "2024-01-01", "2024-01-20").result(PATIENCE)
    series = read(data, "MINE", "ask")
    assert (len(series.values), series.iso(0), series.iso(-1)) == (19, "2024-01-02", "2024-01-20")
    assert series.values[-1] == 118.0


@pytest.mark.parametrize(
    ("ticker", "words"),
    [("NONE", "has no prices of 'NONE'"), ("BROKEN", "ConnectionError: the host is not reached")],
)
def test_what_it_does_not_give_is_said(package, ticker, words):
    with pytest.raises(LoadError, match=f"{words}.*The built-in prices and a CSV"):
        quotes.fetch(ticker, "2024-01-01", "2024-01-20").result(PATIENCE)


def test_it_is_ended_with_its_process(package):
    job = quotes.fetch("SLOW", "2024-01-01", "2024-01-20")
    job.cancel()
    with pytest.raises(JobError, match="cancelled"):
        job.result(PATIENCE)


def test_what_is_no_ticker_is_not_asked_for():
    for wrong in ("", "--help", "A B", "A" * 20, "../x"):
        with pytest.raises(ParamError, match="A ticker has"):
            quotes.fetch(wrong, "2024-01-01", "2024-01-20")


def test_without_the_package_nothing_is_imported(monkeypatch):
    monkeypatch.setattr(quotes, "PACKAGE", "no_such_package_here")
    assert not quotes.available()
    assert "yfinance" not in sys.modules
