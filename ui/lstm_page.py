"""The page on the LSTM: what it keeps from day to day, and whether its forecast is worth anything.

It opens on a recording; a training takes its place, and goes on while the page is left.
"""

from __future__ import annotations

import functools
from typing import cast

import streamlit as st

from loaders.trainings import shipped
from ui import (
    gates,
    jobs,
    lstm_explore,
    lstm_form,
    lstm_own,
    lstm_quotes,
    pace,
    page,
    presses,
    sides,
    text,
    training_progress,
    trainings,
    views,
)
from ui.desk import Desk
from ui.slots import Work
from ui.trainings import Asked, Run, Trainings
from workers.tasks.train_lstm import TrainLstm
from xai_core.errors import VitrineError
from xai_core.training import prices
from xai_core.training.course import Turn
from xai_core.training.lstm import GATE, LEARNING_RATE, RECORDED, SHOWN, LstmRecording
from xai_core.training.lstm_view import Look

TITLE = "LSTM"
KNOW = (
    "See what a recurrent network keeps from day to day and what it forgets, and whether its "
    "forecast is worth more than yesterday's price."
)
NAME = RECORDED
_SUBMIT = "lstm-submit"
STORY = (
    "An LSTM reads a window day by day. Each of its units keeps one number, its \u201ccell\u201d.",
    "The \u201cforget gate\u201d says how much of that number stays: 1 keeps all, 0 wipes it.",
    "The \u201cinput gate\u201d says how much of the new day, the \u201ccandidate\u201d, is added; "
    "the \u201coutput gate\u201d how much of the cell is told on.",
    "A gate of 0.5 halves what is there each day; one of 0.95 still has about half after 14 days.",
)


def show() -> None:
    """Draw the page."""
    with page.opened(TITLE, KNOW, bench=True) as here:
        desk = here.desk
        held = trainings.of(desk, NAME, _start)
        here.bench()
        pressed = presses.waits(_SUBMIT)
        if not pressed:  # the picture first: a reader waits for that, and not for the form
            _stage(here, held)
        with here.rail():
            asked = lstm_form.draw(desk)
            _submit(desk, held, asked)
        if pressed:
            _stage(here, held)
        with here.stage():
            _story()
            lstm_own.show(desk, asked.series)
            jobs.say(*_aloud(desk, held))


def _stage(here: page.Page, held: Trainings) -> None:
    """Draw a training under way, or what was trained."""
    with here.stage():
        here.place_progress({held.slot: under_way, lstm_quotes.FETCH: lstm_quotes.fetching})
        if held.note and not any(held.note == " ".join(r.recording.notes) for r in held.runs):
            views.error(held.note)
        if held.job(here.desk) is None and held.shown:
            _trained(here.desk, held)


def _start(held: Trainings) -> None:
    """Begin with the recording that ships."""
    if (run := recorded()) is not None:
        held.show(run)


@functools.cache
def recorded() -> Run | None:
    """Return the recording that ships as a run; one serves all visitors."""
    found = shipped(RECORDED, LstmRecording)
    if found is None:
        return None
    own: LstmRecording = found.recording
    return Run(
        settings=own.settings, recording=own, title="Default", shipped=NAME,
        data=own.series, shown={"look": Look(own), "versions": found.versions},
    )  # fmt: skip


def warm() -> None:
    """Read the recording and the prices now, so that the first visitor need not wait."""
    if (run := recorded()) is not None:
        look_of(run).map(0, GATE, "by memory")
    prices.tickers()


def look_of(run: Run) -> Look:
    """Return a training as it is looked at, worked out once."""
    if "look" not in run.shown:
        run.shown["look"] = Look(cast(LstmRecording, run.recording))
    made: Look = run.shown["look"]
    return made


def _aloud(desk: Desk, held: Trainings) -> tuple[str, str]:
    if (job := held.job(desk)) is not None:
        return "The training runs.", f"run-{job.id}"
    own = [run for run in held.runs if not run.shipped]
    if own:
        return "The training has ended.", f"end-{own[-1].id}"
    return "", ""


def _submit(desk: Desk, held: Trainings, asked: lstm_form.Asked) -> None:
    """Draw Submit; what was pressed begins before it, so that the page need not be drawn twice."""
    series, settings = asked.series, asked.settings
    task = None
    if series is not None and settings is not None:
        try:
            task = TrainLstm(series=series, settings=settings)
        except VitrineError as error:
            views.error(str(error))
    if presses.taken(_SUBMIT) and held.job(desk) is None and task is not None:
        title = f"Run {held.number()}"
        order = Asked(settings=settings, title=title, data=series)
        trainings.begin(desk, held, task, order, task.work())
    free = held.job(desk) is None
    with asked.place, st.container(key="run"):
        presses.button(
            "Submit: train" if task is None else pace.label(NAME, task.work()),
            type="primary", width="stretch", key=_SUBMIT, disabled=task is None or not free,
            help=None if task is None else pace.ground(NAME),
        )  # fmt: skip


def _rewind(desk: Desk, held: Trainings, run: Run, after: int, rate: float) -> None:
    """Take a training up again at the end of an epoch, in the worker that keeps its states."""
    before = [turn for turn in run.turns if turn.after < after]
    turns = (*before, Turn(after, {LEARNING_RATE: rate}))
    try:
        task = TrainLstm(series=run.data, settings=run.settings, turns=turns)
    except VitrineError as error:
        held.note = str(error)
        return
    title = f"Run {held.number()}"
    asked = Asked(settings=run.settings, title=title, turns=turns, parent=run, data=run.data)
    trainings.begin(desk, held, task, asked)


# While it trains ---------------------------------------------------------------------------------


def under_way(desk: Desk, work: Work) -> None:
    """Draw a training under way: how far it is, its gates by now, and what can be said to it."""
    training_progress.show(desk, work)
    settings, series = work.what.settings, work.what.data
    now = work.job.snapshot()
    curves = now.arrays.get("curves")
    coded = now.arrays.get(f"frame.{settings.names()[0]}")
    if coded is None or curves is None or not len(curves):
        return
    days = settings.windows(series).ends[-SHOWN:]
    gates.live(
        "lstm-live",
        coded,
        curves,
        days=[series.label(int(at)) for at in days],
        prices=series.values[days],
        called=series.name,
        last=settings.epochs - 1,
        layer=0,
        step=series.step,
        window=settings.window,
    )


# What is shown -----------------------------------------------------------------------------------


def _trained(desk: Desk, held: Trainings) -> None:
    sides.chooser(held, lambda run: f"{run.called} ({run.data.name})")
    shown = held.shown
    for run in shown:
        _said(run)
    first, *others = shown
    beside = (look_of(others[0]), others[0].called) if others else None
    label = first.called if others or first.shipped else ""
    rewind = None if first.shipped else functools.partial(_rewind, desk, held, first)
    lstm_explore.show(look_of(first), label, desk, rewind=rewind, beside=beside)


def _said(run: Run) -> None:
    own = look_of(run).recording
    values = own.settings
    trained = (
        f"{own.series.name}, {own.series.span()}; {values.layers} layer"
        f"{'' if values.layers == 1 else 's'} of {values.hidden_size} units, window "
        f"{values.window}, learning rate {values.learning_rate:g}, {len(own)} epochs, seed "
        f"{values.seed}"
    )
    versions = run.shown.get("versions")
    if versions is not None:
        made = versions["vitrine"]
        views.line(f"Recording: {trained}. {prices.ABOUT} Made with Vitrine {made}.")
        return
    views.line(f"Trained here, {run.title}: {trained}.")
    for note in own.notes:
        views.finding(note, warning=note.startswith(("In epoch", "Stopped")))


def _story() -> None:
    views.title("How it works")
    items = "".join(f"<li>{text.emphasised(sentence)}</li>" for sentence in STORY)
    st.html(f'<ol class="v-told">{items}</ol>')
