"""The series: what is there, what is asked for and is not, and files of every kind."""

import sys

import numpy as np
import pytest

from xai_core.errors import ParamError
from xai_core.training import price_file, prices

needs_prices = pytest.mark.skipif(prices.place() is None, reason="skfolio is not installed")


@needs_prices
def test_the_form_s_default_gives_the_days_that_are_there() -> None:
    made = prices.stock("aapl ", "2022-01-01", "2023-01-01")
    assert made.span() == "249 trading days from 3 January 2022 to 28 December 2022"
    assert "2 January 1990 to 28 December 2022" in made.note
    assert made.values[-1] == 125.674  # the file's own last row
    assert "skfolio" not in sys.modules
    assert prices.tickers() == tuple(prices.COMPANIES)
    inside = prices.stock("MSFT", "2020-03-02", "2020-03-31")
    assert inside.note == ""
    assert np.datetime64(int(inside.days[0]), "D") == np.datetime64("2020-03-02")


@needs_prices
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("APPL",), "nearest of the 20 built-in tickers is AAPL (Apple)"),
        (("exxon",), "XOM (Exxon Mobil)"),
        (("AAPL", "2022-06-01", "2022-05-01"), "1 June 2022, is after the end, 1 May 2022"),
        (("AAPL", "2024-01-01", "2025-01-01"), "data go from 2 January 1990 to 28 December 2022"),
        (("AAPL", "01/02/2022"), "date as YYYY-MM-DD"),
        (("AAPL", "2022-02-30"), "date as YYYY-MM-DD"),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(asked: tuple[str, ...], words: str) -> None:
    with pytest.raises(ParamError) as caught:
        prices.stock(*asked)
    assert words in str(caught.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "place", lambda: None)
    prices._stocks.cache_clear()
    with pytest.raises(ParamError, match="the package skfolio carries them"):
        prices.stock("AAPL")
    assert prices.tickers() == ()


def test_teaching_series_repeat_by_seed() -> None:
    for make in (prices.sine, prices.walk):
        assert np.array_equal(make(3).values, make(3).values)
        assert not np.array_equal(make(3).values, make(4).values)
        assert make().label(7) == "step 7"
    # the sine comes back after its period, up to its noise
    made = prices.sine().values
    assert np.abs(made[25:] - made[:-25]).max() < 4
    steps = np.diff(np.log(prices.walk(steps=5000).values))
    assert abs(np.corrcoef(steps[1:], steps[:-1])[0, 1]) < 0.05


@pytest.mark.parametrize(
    "text",
    [
        "date,value\n2022-01-13,1234.5\n2022-01-14,2",
        "Date;Close\n13.01.2022;1.234,5\n14.01.2022;2",
        "13/01/2022\t1234.5\n14/01/2022\t2",
        "01/14/2022|2\n01/13/2022|1,234.5",
        "Jan 13, 2022;1234,5\n14 Jan 2022;2",
        "2022-01-13 1234.5\n2022-01-14 2",
        "20220113,1234.5\n20220114,2\n",
        "\ufeffdate,open,close\n2022-01-13T00:00:00Z,9,1234.5\n2022-01-14T00:00:00Z,9,2",
        'date,value\n2022-01-13,"1,234.5"\n2022-01-14,$2',
    ],
)
def test_files_of_every_kind_hold_the_same(text: str) -> None:
    made = price_file.read(text.encode())
    assert made.values.tolist() == [1234.5, 2.0]
    assert [made.iso(at) for at in (0, 1)] == ["2022-01-13", "2022-01-14"]


def test_day_and_month_are_asked_for_and_not_guessed() -> None:
    data = b"01/02/2022,1\n05/03/2022,2"
    with pytest.raises(ParamError, match="day first or with the month first"):
        price_file.read(data)
    assert price_file.read(data, order="day first").iso(0) == "2022-02-01"
    assert price_file.read(data, order="month first").iso(0) == "2022-01-02"
    # one date that can only be read in one way settles the others
    assert price_file.read(b"01/02/2022,1\n25/03/2022,2").iso(0) == "2022-02-01"
    assert price_file.read(b"02/02/2022,1\n03/03/2022,2").iso(0) == "2022-02-02"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("date,value\n2022-01-03,5\n2022-01-04,abc", "row 3 has 'abc' where a number is needed"),
        ("date,value\n2022-01-03,\n", "row 2 has no value"),
        ("date,value\n2022-01-03,inf\n", "where a number is needed"),
        ("date,value\n2022-02-30,1", "row 2 has '2022-02-30' where a date is needed"),
        ("13/14/2022,1\n01/02/2022,3", "where a date is needed"),
        ("01/02/03,1\n01/02/04,3", "whose year has two digits"),
        ("2022-02-03,1\n2022-02-03,1", "the date 2022-02-03 more than once"),
        ("date,open,high\n2022-01-03,1,2", "none is called value, close or price"),
        ("2022-01-03,1,2", "no names over them"),
        ("a,b\nc,d", "has no column of dates"),
        ("date,value", "names of columns and no rows"),
        ("", "is empty"),
        ("\0\1", "is not a text file"),
        ("abc", "no columns"),
        ("," * 200_000, "cannot be read as a table"),
        (chr(34) * 600_000, "cannot be read as a table"),
        ("2022-01-03;1,234\n2022-01-04;1,235", "decimal comma"),
    ],
)
def test_a_bad_file_is_refused_by_its_row(text: str, words: str) -> None:
    with pytest.raises(ParamError, match=r"mine\.csv") as caught:
        price_file.read(text.encode(), "mine.csv")
    assert words in str(caught.value)


def test_size_is_looked_at_first() -> None:
    with pytest.raises(ParamError, match="at most 8 MB"):
        price_file.read(b"2022-01-03,1\n" * 800_000)


def test_a_gap_is_said() -> None:
    days = [*range(19000, 19010), *range(19060, 19070)]
    text = "\n".join(f"{np.datetime64(day, 'D')},{day}" for day in days)
    made = price_file.read(text.encode())
    assert made.gaps == (10,)
    assert "between 17 January 2022 and 9 March 2022" in made.gap_words()
    assert "51 days" in made.gap_words()
    assert price_file.read(b"2022-01-03,1\n2022-01-10,2\n2022-01-17,3").gaps == ()
