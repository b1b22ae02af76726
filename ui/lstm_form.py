"""What an LSTM is asked to learn: the series, and the values of its training."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any, get_args

import numpy as np
import streamlit as st

from ui import kept, lstm_quotes, views
from ui.desk import Desk
from workers import quotes
from workers.tasks.train_lstm import ReadPrices
from xai_core import params
from xai_core.errors import ParamError
from xai_core.param import Param
from xai_core.training import lstm, price_file, prices
from xai_core.training.lstm import LstmSettings
from xai_core.training.prices import Series, Source

TICKER, START, END = "AAPL", datetime.date(2022, 1, 1), datetime.date(2023, 1, 1)
FILE = "lstm-own-file"
SOURCES: dict[Source, str] = {
    "stock": "A stock",
    "file": "A file of mine",
    "sine": "A sine",
    "walk": "A random walk",
}


def key(name: str) -> str:
    """Return the key of a control."""
    return f"lstm:{name}"


@dataclasses.dataclass(frozen=True)
class Asked:
    """What the form says: a series and values, or why there are none, beside which field.

    `place` is where its button goes: before what is folded, on the keyboard's way too.
    """

    place: Any
    series: Series | None = None
    settings: LstmSettings | None = None


def draw(desk: Desk) -> Asked:
    """Draw the form, the data first; say what is wrong beside the field that it is about."""
    series = _series(desk)
    front = [param for param in _params() if not param.more]
    rest = [param for param in _params() if param.more]
    with st.container(key="lstm-front", gap="small"):
        for pair in (front[:2], front[2:]):
            with st.container(horizontal=True, gap="small"):
                for param in pair:
                    _control(param, bare=True)
    place = st.container()
    with st.expander("All settings", key="lstm-more"):
        st.selectbox(
            "Data",
            get_args(Source),
            format_func=SOURCES.__getitem__,
            key=kept.control(key("source"), "stock"),
            persist_state="session",
            help="A sine can be learned, a random walk cannot: what a network says of them shows "
            "what its forecasts are worth.",
        )
        for param in rest:
            _control(param)
        for param in front:  # an icon each would be one more stop on the keyboard's way
            views.line(f"\u201c{param.title}.\u201d {param.help}")
    try:
        settings = LstmSettings(**{param.name: _value(param) for param in _params()})
        if series is not None:
            settings.windows(series)
    except ParamError as error:
        views.error(str(error))
        return Asked(place, series)
    return Asked(place, series, settings)


def _params() -> list[Param]:
    return list(params.declared(LstmSettings).values())


def _value(param: Param) -> Any:
    return st.session_state.get(key(param.name), param.default)


def _control(param: Param, *, bare: bool = False) -> None:
    name = kept.control(key(param.name), param.default)
    shared: dict[str, Any] = {
        "key": name,
        "help": None if bare else param.help or None,
        "persist_state": "session",
    }
    unit = f" ({param.unit})" if param.unit and param.more else ""
    match param.kind:
        case "choice":
            st.selectbox(
                param.title,
                param.options,
                format_func=lambda option: option[:1].upper() + option[1:],
                **shared,
            )
        case "integer":
            lo, hi = int(param.lo), int(param.hi)
            st.number_input(param.title + unit, lo, hi, step=1, **shared)
        case "real":
            step = param.step or 0.001
            shape = "%.2f" if param.step else "%g"
            st.number_input(
                param.title + unit, float(param.lo), float(param.hi), step=step, format=shape,
                **shared,
            )  # fmt: skip


def _series(desk: Desk) -> Series | None:
    """Draw what chooses the series; return it, or None where it cannot be had."""
    source: Source = st.session_state.get(key("source"), "stock")
    own = None
    try:
        if source == "stock":
            _stock()
        elif source == "file":
            own = _file(desk)
        if source == "file" and own is None:
            return None
        start, end = (_iso(name) if source == "stock" else "" for name in ("start", "end"))
        ticker = str(st.session_state.get(key("ticker")) or TICKER)
        if source == "stock" and (fetched := lstm_quotes.held(desk, ticker, start, end)):
            views.line(f"{fetched.name}: {fetched.span()}. {fetched.note}")
            return fetched
        made = lstm.series_of(
            source,
            ticker=ticker,
            start=start,
            end=end,
            seed=int(st.session_state.get(key("seed"), 0)),
            own=own,
        )
    except ParamError as error:
        views.error(str(error))
        if source == "stock":
            lstm_quotes.offer(desk, ticker, start, end)
        return None
    views.line(f"{made.name}: {made.span()}. {made.note}".strip())
    if source == "stock":
        views.line(prices.ABOUT)
        if made.note and quotes.available():  # some of the days are not there
            lstm_quotes.offer(desk, ticker, start, end)
    if gap := made.gap_words():
        views.finding(gap, warning=True)
    return made


def _stock() -> None:
    known = prices.tickers() or (TICKER,)
    st.selectbox(
        "Ticker",
        known,
        format_func=lambda ticker: (
            f"{ticker} ({prices.COMPANIES.get(ticker, 'unknown')})"
            if ticker in prices.COMPANIES
            else ticker
        ),
        key=kept.control(key("ticker"), TICKER),
        accept_new_options=True,
        persist_state="session",
    )
    with st.container(horizontal=True, gap="small"):
        for name, start in (("start", START), ("end", END)):
            st.date_input(
                name.capitalize(),
                min_value=datetime.date(1970, 1, 1),
                max_value=datetime.date(2100, 1, 1),
                format="YYYY-MM-DD",
                key=kept.control(key(name), start),
                persist_state="session",
            )


def _iso(name: str) -> str:
    value = st.session_state.get(key(name), {"start": START, "end": END}[name])
    return value.isoformat() if isinstance(value, datetime.date) else ""


def _file(desk: Desk) -> Series | None:
    """Draw the place for a file, which is read behind the wall."""
    given = st.file_uploader(
        "CSV with a date and a value in each row",
        type=["csv", "txt", "tsv"],
        max_upload_size=price_file.MOST_BYTES >> 20,
        key="lstm-upload",
    )
    order: price_file.Order = st.selectbox(
        "Dates such as 01/02/2022",
        price_file.ORDERS,
        format_func={
            "ask": "Ask where it matters",
            "day first": "The day comes first",
            "month first": "The month comes first",
        }.__getitem__,
        key=kept.control(key("order"), "ask"),
        persist_state="session",
    )
    held: Series | None = getattr(desk.results.get(FILE), "series", None)
    if given is not None:
        turn = (given.file_id, order)
        if st.session_state.get(FILE) != turn:
            st.session_state[FILE] = turn
            data = np.frombuffer(given.getvalue(), np.uint8)
            desk.results.pop(FILE, None)
            desk.begin(
                FILE, desk.session, ReadPrices(data=data, called=given.name[:60], order=order)
            )
            held = None
    if note := desk.notes.get(FILE):
        views.error(note)
        return None
    if desk.job(FILE) is not None:
        views.line("Reading the file")
    return held
