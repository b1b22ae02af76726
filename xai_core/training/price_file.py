"""A series out of a text file of one's own: a date and a value in each row, whatever parts them.

A date whose day and month could be exchanged is asked for, never guessed.
"""

from __future__ import annotations

import csv
import datetime
import io
import re
import warnings
from typing import Any, Literal

import numpy as np

from xai_core.errors import ParamError
from xai_core.training.prices import MOST_DAYS, Series

MOST_BYTES = 8 << 20
"""Most bytes of a file."""
MOST_COLUMNS = 200
"""Most columns of a row."""
SEPARATORS = (";", "\t", "|", ",")
Order = Literal["ask", "day first", "month first"]
ORDERS: tuple[Order, ...] = ("ask", "day first", "month first")

DATES = ("date", "day", "time", "timestamp", "datetime", "datum")
VALUES = ("value", "adj close", "adj_close", "adjusted close", "close", "price", "last")
"""What columns are called by which they are known, the likeliest first."""


def read(data: bytes, name: str = "The file", order: Order = "ask") -> Series:
    """Read a file. Raises ParamError with one sentence that names the row."""
    rows = _rows(_text(data, name), name)
    head, rows = _head(rows)
    date, value = _columns(head, rows, name)
    first = 2 if head else 1
    texts, numbers = [], []
    decimal = _decimal([row[value] for row in rows if len(row) > value], name)
    for at, row in enumerate(rows, first):
        if len(row) <= max(date, value):
            raise ParamError(
                f"{name}: row {at} has {len(row)} columns, where the others have more. Give it "
                "a date and a value, or take it out."
            )
        texts.append(row[date].strip())
        numbers.append(_value(row[value], decimal, name, at))
    days = np.array(_days(texts, name, first, order), np.int64)
    return _sorted(days, np.array(numbers), name)


def _sorted(days: Any, values: Any, name: str) -> Series:
    by = np.argsort(days, kind="stable")
    days, values = days[by], values[by]
    twice = np.flatnonzero(np.diff(days) == 0)
    if len(twice):
        day = np.datetime64(int(days[twice[0]]), "D")
        raise ParamError(
            f"{name} has the date {day} more than once. Keep one row for each date, and one "
            "series in a file."
        )
    if len(days) > MOST_DAYS:
        raise ParamError(f"{name} has {len(days):,} rows; at most {MOST_DAYS:,} are read.")
    return Series(name=name, source="file", days=days, values=values)


def _text(data: bytes, name: str) -> str:
    if len(data) > MOST_BYTES:
        raise ParamError(
            f"{name} has {len(data) / 1e6:.0f} MB; at most {MOST_BYTES >> 20} MB are read. Keep "
            "the columns with the date and the value alone."
        )
    for code in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(code)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise ParamError(f"{name} is not a text file. Save the sheet as CSV and upload that.")


def _rows(text: str, name: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ParamError(f"{name} is empty. A date and a value are needed in each row.")
    sample = lines[:50]
    found = ""
    try:
        for each in SEPARATORS:  # a comma last: it may be a decimal one
            counts = {len(row) for row in csv.reader(sample, delimiter=each)}
            if min(counts) > 1:
                found = each
                break
        if found:
            rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=found, strict=True))
        else:
            rows = [re.split(r"\s{2,}|(?<=\d)\s(?=[-+]?[\d.,]+\s*$)|(?<=[A-Za-z])\s", line.strip())
                    for line in lines]  # fmt: skip
    except csv.Error as error:
        raise ParamError(f"{name} cannot be read as a table ({error}).") from None
    if max(map(len, rows)) > MOST_COLUMNS or max(map(len, rows)) < 2:
        raise ParamError(
            f"{name} has no columns for a date and a value: part them by a comma, a semicolon or "
            "a tab."
        )
    return rows


def _head(rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns, where the first row has no digit, and the rows."""
    first = [cell.strip() for cell in rows[0]]
    if any(_looks_dated(cell) for cell in first):
        return [], rows
    return first, rows[1:]


def _looks_dated(cell: str) -> bool:
    return bool(re.search(r"\d", cell)) and bool(re.match(r"\d{1,4}[-/. ]\d|\d{8}$|.*\d{4}", cell))


def _columns(head: list[str], rows: list[list[str]], name: str) -> tuple[int, int]:
    """Return which columns hold the date and the value. Raises ParamError."""
    if not rows:
        raise ParamError(f"{name} has names of columns and no rows.")
    width = len(rows[0])
    called = [cell.lower() for cell in head]
    date = next((called.index(each) for each in DATES if each in called), None)
    if date is None:
        date = next((at for at in range(width) if _looks_dated(rows[0][at].strip())), None)
    if date is None:
        raise ParamError(
            f"{name} has no column of dates: {rows[0][0][:40]!r} is none. A date such as "
            "2022-01-31 is needed in each row."
        )
    value = next((called.index(each) for each in VALUES if each in called), None)
    rest = [at for at in range(width) if at != date]
    if value is None:
        if len(rest) > 1 and head:
            raise ParamError(
                f"{name} has several columns besides the date ({', '.join(head[:6])}) and none "
                "is called value, close or price. Rename the one that counts."
            )
        if len(rest) > 1:
            raise ParamError(
                f"{name} has {width} columns and no names over them. Keep the date and the value."
            )
        value = rest[0]
    return date, value


def _decimal(cells: list[str], name: str) -> str:
    """Return the decimal mark of a column. Raises ParamError where '1,234' may be either."""
    thousands = ""
    for cell in cells:
        marks = re.findall(r"[.,]", cell)
        if not marks:
            continue
        if len(set(marks)) == 2:
            return str(marks[-1])
        if len(marks) == 1 and not re.search(r"[.,]\d{3}$", cell.strip()):
            return str(marks[0])
        if len(marks) == 1 and marks[0] == ",":
            thousands = cell.strip()[:40]
        elif len(marks) > 1:
            return "." if marks[0] == "," else ","
    if thousands:
        raise ParamError(
            f"{name} has numbers such as {thousands!r}, which can be read with a decimal comma or "
            "with a comma for the thousands. Write them with a point, as 1234.5."
        )
    return "."


def _value(cell: str, decimal: str, name: str, at: int) -> float:
    text = cell.strip().strip("$\u20ac\u00a3").replace("\u00a0", "").replace("'", "").strip()
    text = text.replace("," if decimal == "." else ".", "").replace(decimal, ".")
    if text.lower() in ("", "nan", "na", "n/a", "null", "none", "-"):
        raise ParamError(f"{name}: row {at} has no value. Fill it in, or take the row out.")
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not np.isfinite(found) or not re.fullmatch(r"[-+]?[\d.]+(?:[eE][-+]?\d+)?", text, re.ASCII):
        raise ParamError(
            f"{name}: row {at} has {cell.strip()[:40]!r} where a number is needed. Correct it, or "
            "take the row out."
        )
    return found


# Dates -------------------------------------------------------------------------------------------

_PLAIN = re.compile(r"(\d{1,4})[-/. ]+(\d{1,2})[-/. ]+(\d{1,4})\.?(?:[T ]\s*[\d:.,+Z-]+)?", re.A)
_SOLID = re.compile(r"(\d{4})(\d{2})(\d{2})", re.A)


def _days(texts: list[str], name: str, first: int, order: Order) -> list[int]:
    """Return dates as days since 1970. Raises ParamError."""
    plain = [_SOLID.fullmatch(text) or _PLAIN.fullmatch(text) for text in texts]
    parts = [tuple(map(int, found.groups())) if found else None for found in plain]
    lengths = [tuple(map(len, found.groups())) if found else None for found in plain]
    for at, (text, sides) in enumerate(zip(texts, lengths, strict=True), first):
        if sides and sides[0] < 3 and sides[2] < 3:
            raise ParamError(
                f"{name}: row {at} has the date {text[:40]!r}, whose year has two digits. Write "
                "all four."
            )
    open_ones = [
        each for each, sides in zip(parts, lengths, strict=True) if each and sides and sides[0] < 3
    ]
    day_first = _order(open_ones, texts, name, order)
    made = []
    for at, (text, each, sides) in enumerate(zip(texts, parts, lengths, strict=True), first):
        try:
            if each is None or sides is None:
                made.append(_worded(text))
                continue
            if sides[0] >= 3:
                year, month, day = each
            else:
                day, month, year = each if day_first else (each[1], each[0], each[2])
            made.append((datetime.date(year, month, day) - datetime.date(1970, 1, 1)).days)
        except (ValueError, TypeError, OverflowError):
            raise ParamError(
                f"{name}: row {at} has {text[:40]!r} where a date is needed. Write it as "
                "YYYY-MM-DD."
            ) from None
    return made


def _order(found: list[tuple[int, ...]], texts: list[str], name: str, order: Order) -> bool:
    """Return whether the day comes first, as the dates themselves or the reader say."""
    if not found:
        return True
    days, months = max(each[0] for each in found), max(each[1] for each in found)
    if days > 12 and months > 12:
        return order == "day first"  # the row that breaks it is named where it is read
    if days > 12 or months > 12:
        return days > 12
    if all(each[0] == each[1] for each in found):
        return True
    if order == "ask":
        raise ParamError(
            f"{name} has dates such as {texts[0][:40]!r} that can be read with the day first or "
            "with the month first. Say which (--dates)."
        )
    return order == "day first"


def _worded(text: str) -> int:
    """Read a date with the month as a word, as pandas does. Raises ValueError."""
    import pandas as pd  # type: ignore[import-untyped]

    if not re.search(r"[A-Za-z]{3}", text) or not re.search(r"\d{4}", text):
        raise ValueError(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stamp = pd.to_datetime(text)
    date = stamp.date()
    if not isinstance(date, datetime.date):
        raise ValueError(text)
    return (date - datetime.date(1970, 1, 1)).days
