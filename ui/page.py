"""What pages share: the model and the photo on the desk, controls that come back, work under way.

A page is one file: it says what it needs, draws its rail and its stage, and says where progress is
to stand.

>>> needs = (page.MODEL, page.PHOTO)
>>> with page.opened("Title", "What you will know.", needs=needs, bench=True) as here:
...     with here.rail():
...         model_card.show(here.desk)
...     with here.stage():
...         here.place_progress()
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import streamlit as st

from ui import dialogs, first, jobs, kept, model_card, photo_card, presses, state, views
from ui.desk import RUNNING, Desk

Need = Callable[[Desk], None]
"""Puts on an empty desk what a page cannot do without."""

MODEL: Need = model_card.open_first
PHOTO: Need = photo_card.open_first

RUNS: Mapping[str, jobs.Drawn] = {RUNNING: jobs.explaining}
"""A run, with the map so far."""


class Page:
    """A page that is being drawn."""

    def __init__(self, desk: Desk, title: str, sentence: str) -> None:
        self.desk = desk
        self.under_way: Any = None
        self.shown: Mapping[str, jobs.Drawn] = {}
        self._title, self._sentence = title, sentence
        self._rail: Any = None
        self._stage: Any = None

    def head(self) -> None:
        """Draw the title, and what the reader will know."""
        views.heading(self._title, self._sentence)

    def bench(self) -> None:
        """Lay the rail with its head and the stage out, so that either can be filled first."""
        views.skip("Skip to the question")
        bench = st.container(horizontal=True, key="bench", gap="medium", wrap=False)
        self._rail = bench.container(key="rail")
        self._stage = bench.container(key="stage")
        with self._rail:
            self.head()

    @contextlib.contextmanager
    def rail(self) -> Iterator[None]:
        """Draw what is asked: beside the answer on a wide screen, above it on a narrow one."""
        if self._rail is None:
            self.bench()
        with self._rail:
            yield

    @contextlib.contextmanager
    def stage(self) -> Iterator[None]:
        """Draw the answer; what comes here before the rail is on the screen before it."""
        if self._stage is None:
            self._stage = st.container(key="stage")
        with self._stage:
            yield

    def place_progress(self, shown: Mapping[str, jobs.Drawn] = RUNS) -> None:
        """Let what is under way in these slots be shown here, each by its own function."""
        self.under_way, self.shown = st.container(), shown

    def end(self) -> None:
        """Keep the controls, and poll what is under way."""
        kept.keep(self.desk)
        presses.end()
        self.desk.measure()
        # Last, because it looks closely for a moment: all else is on the screen by then.
        with self.under_way or st.container():
            jobs.watch(self.desk, self.shown)


@contextlib.contextmanager
def opened(
    title: str,
    sentence: str,
    *,
    needs: Sequence[Need] = (),
    bench: bool = False,
    kind: type[Desk] = Desk,
) -> Iterator[Page]:
    """Begin a page with its title and what the reader will know; end it with the polling.

    On a workbench (`bench`) the title stands at the head of the rail. `kind` is that of the desk.
    """
    here = Page(state.desk(kind), title, sentence)
    if presses.begin(title):
        first.begin()
    dialogs.begin()
    if not bench:
        here.head()
    kept.recall(here.desk)
    for need in needs:
        need(here.desk)
    yield here
    here.end()
