"""Prices of another ticker, or of other dates: fetched where a package for it is installed."""

from __future__ import annotations

import dataclasses
import datetime
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from ui import jobs, text, views
from ui.desk import Desk
from ui.slots import Work
from ui.under_way import sentence
from workers import quotes
from workers.tasks.train_lstm import ReadPrices
from xai_core.errors import VitrineError
from xai_core.training.prices import Series

if TYPE_CHECKING:
    from workers.client import Snapshot

FETCH, READ = "lstm-quotes", "lstm-quotes-read"
_ASKED = "lstm-quotes-asked"


def held(desk: Desk, ticker: str, start: str, end: str) -> Series | None:
    """Return the series that was fetched for just this, or None."""
    found = getattr(desk.results.get(READ), "series", None)
    if found is None or desk.results.get(_ASKED) != _key(ticker, start, end):
        return None
    made: Series = dataclasses.replace(found, source="stock", note=quotes.ABOUT)
    return made


def offer(desk: Desk, ticker: str, start: str, end: str) -> None:
    """Offer to fetch it, or name the package that would."""
    name = ticker.strip().upper()
    if not quotes.available():
        views.line(quotes.HOW)
        return
    if not quotes.asks(name) or not start or not end or start > end:
        return
    st.button(
        f"Fetch {name} from Yahoo Finance",
        key="lstm-fetch",
        on_click=_begin,
        args=(desk, name, start, end),
        disabled=desk.job(FETCH) is not None,
    )
    for slot in (FETCH, READ):
        if note := desk.notes.get(slot):
            views.error(note)


def _key(ticker: str, start: str, end: str) -> tuple[str, str, str]:
    return ticker.strip().upper(), start, end


def _begin(desk: Desk, ticker: str, start: str, end: str) -> None:
    for slot in (FETCH, READ):
        desk.notes.pop(slot, None)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()

    def done(data: bytes) -> None:
        desk.results.pop(READ, None)
        desk.results[_ASKED] = _key(ticker, start, end)
        task = ReadPrices(data=np.frombuffer(data, np.uint8), called=ticker)
        desk.begin(READ, desk.session, task)

    def failed(now: Snapshot) -> None:
        desk.notes[FETCH] = sentence(now, "Nothing was fetched.")

    def act() -> None:
        try:
            job = quotes.fetch(ticker, start, min(end, today))
        except VitrineError as error:
            desk.notes[FETCH] = str(error)
            return
        desk.slots.put(FETCH, Work(ticker, job, done, failed))

    desk.change(act)


def fetching(desk: Desk, work: Work) -> None:
    """Say that it is on its way, with Cancel."""
    said = f"Fetching {work.what}, {text.seconds(work.job.snapshot().seconds)}"
    with st.container(horizontal=True, vertical_alignment="center", key="lstm-fetching"):
        st.progress(jobs.share(work.job.snapshot()), text=text.markdown(said))
        st.button("Cancel", key="lstm-fetch-cancel", on_click=desk.stop, args=(FETCH,))
