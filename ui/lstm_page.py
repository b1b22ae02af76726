"""The page on the LSTM: what it keeps from day to day, and whether its forecast is worth anything.

It opens on a recording; a training takes its place, and goes on while the page is left.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, cast

import streamlit as st

from loaders import trainings
from ui import gates, jobs, lstm_explore, lstm_form, lstm_own, lstm_quotes, page, text, views
from ui.desk import Desk
from ui.slots import Work
from workers.tasks.train_lstm import TrainLstm
from xai_core.errors import VitrineError
from xai_core.task import Command
from xai_core.training import prices
from xai_core.training.course import Turn
from xai_core.training.lstm import LEARNING_RATE, RECORDED, SHOWN, LstmRecording
from xai_core.training.lstm_view import Look

TITLE = "LSTM"
KNOW = (
    "See what a recurrent network keeps from day to day and what it forgets, and whether its "
    "forecast is worth more than yesterday's price."
)
LABEL = "Recording"
_SUBMIT = "lstm-submit"
SLOT, HELD, LOOK = "lstm", "lstm-worker", "lstm-look"
LEFT, TURNS = "lstm-left", "lstm-turns"
"""The training that a branch left, with the ways it took; those of the training that is shown."""
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
        with here.rail():
            asked = lstm_form.draw(desk)
            _submit(desk, asked)
        with here.stage():
            here.place_progress({SLOT: under_way, lstm_quotes.FETCH: lstm_quotes.fetching})
            if note := desk.notes.get(SLOT):
                views.error(note)
            shown = _look(desk) if desk.job(SLOT) is None else None
            if shown is not None:
                look, made = shown
                _said(look, made)
                rewind = functools.partial(_rewind, desk, look) if made is None else None
                lstm_explore.show(look, "" if made is None else LABEL, desk, rewind=rewind)
            _story()
            lstm_own.show(desk, asked.series)
            jobs.say(*_aloud(desk))


def _aloud(desk: Desk) -> tuple[str, str]:
    if (job := desk.job(SLOT)) is not None:
        return "The training runs.", f"run-{job.id}"
    if SLOT in desk.results:
        return "The training has ended.", f"end-{id(desk.results[SLOT])}"
    return "", ""


def _submit(desk: Desk, asked: lstm_form.Asked) -> None:
    """Draw Submit; what was pressed begins before it, so that the page need not be drawn twice."""
    series, settings = asked.series, asked.settings
    free = desk.job(SLOT) is None
    if st.session_state.get(_SUBMIT) and free and series is not None and settings is not None:
        try:
            task = TrainLstm(series=series, settings=settings)
            desk.begin(SLOT, _worker(desk), task, what=task)
        except VitrineError as error:
            desk.notes[SLOT] = str(error)
        free = desk.job(SLOT) is None
    ready = series is not None and settings is not None
    with asked.place, st.container(key="run"):
        st.button(
            "Submit", type="primary", width="stretch", key=_SUBMIT, disabled=not ready or not free
        )


def _worker(desk: Desk) -> Any:
    """Return the worker that this visitor's trainings run in, one after the other."""
    held = desk.results.get(HELD)
    if held is None or held.state in ("closed", "failed"):
        held = desk.results[HELD] = desk.session.hold(TrainLstm.worker)
    return held


def _rewind(desk: Desk, look: Look, after: int, rate: float) -> None:
    """Take a training up again at the end of an epoch, in the worker that keeps its states."""
    own = look.recording
    of, taken = desk.results.get(TURNS, (None, ()))
    before = [turn for turn in taken if turn.after < after] if of is own else []
    try:
        turns = (*before, Turn(after, {LEARNING_RATE: rate}))
        task = TrainLstm(series=own.series, settings=own.settings, turns=turns)
        desk.results[LEFT] = (own, turns)
        desk.begin(SLOT, _worker(desk), task, what=task)
    except VitrineError as error:
        desk.notes[SLOT] = str(error)


def _joined(desk: Desk, own: LstmRecording) -> LstmRecording:
    """Return a training with the epochs before it where it was taken up again."""
    left, turns = desk.results.pop(LEFT, (None, ()))
    if left is None or not own.first:
        return own
    made = cast(LstmRecording, own.after(left))
    desk.results[SLOT], desk.results[TURNS] = made, (made, turns)
    return made


# While it trains ---------------------------------------------------------------------------------


def under_way(desk: Desk, work: Work) -> None:
    """Draw a training under way: how far it is, its gates by now, and what can be said to it."""
    task: TrainLstm = work.what
    now = work.job.snapshot()
    curves = now.arrays.get("curves")
    epochs = 0 if curves is None else len(curves)
    with st.container(horizontal=True, vertical_alignment="center", key="progress"):
        said = jobs.said(now) if now.state == "queued" else _progress(task, epochs, now)
        st.progress(jobs.share(now), text=text.markdown(said))
    with st.container(horizontal=True, gap="small", key="lstm-commands"):
        if now.paused:
            _command(work, "Go on", "go on")
            _command(work, "Step one epoch", "step")
        else:
            _command(work, "Pause", "pause")
        _command(work, "Stop and keep", "stop")
    coded = now.arrays.get(f"frame.{task.settings.names()[0]}")
    if coded is not None and curves is not None and epochs:
        made = task.settings.windows(task.series)
        days = made.ends[-SHOWN:]
        gates.live(
            "lstm-live",
            coded,
            curves,
            days=[task.series.label(int(at)) for at in days],
            prices=task.series.values[days],
            called=task.series.name,
            last=task.settings.epochs - 1,
            layer=0,
            step=task.series.step,
            window=task.settings.window,
        )


def _progress(task: TrainLstm, epochs: int, now: Any) -> str:
    if not now.total:
        return now.doing or "Starting"
    if now.paused:
        return f"Paused after {epochs} of {task.settings.epochs} epochs"
    left = f", {text.estimate(now.left)} left" if now.left is not None and now.seconds > 1 else ""
    return f"Training: {epochs} of {task.settings.epochs} epochs{left}"


def _command(work: Work, title: str, command: Command) -> None:
    def give() -> None:
        work.job.command(command)

    st.button(title, key=f"lstm-{command}", on_click=give)


# What is shown -----------------------------------------------------------------------------------


@functools.cache
def _recorded() -> tuple[Look, Mapping[str, str]] | None:
    """Read the recording that ships, once."""
    found = trainings.shipped(RECORDED, LstmRecording)
    return None if found is None else (Look(found.recording), found.versions)


def _look(desk: Desk) -> tuple[Look, Mapping[str, str] | None] | None:
    """Return what is shown, and for the recording that ships the versions that made it."""
    own: LstmRecording | None = desk.results.get(SLOT)
    if own is None:
        return _recorded()
    own = _joined(desk, own)
    held: Look | None = desk.results.get(LOOK)
    if held is None or held.recording is not own:
        held = desk.results[LOOK] = Look(own)
    return held, None


def _said(look: Look, made: Mapping[str, str] | None) -> None:
    own = look.recording
    values = own.settings
    trained = (
        f"{own.series.name}, {own.series.span()}; {values.layers} layer"
        f"{'' if values.layers == 1 else 's'} of {values.hidden_size} units, window "
        f"{values.window}, learning rate {values.learning_rate:g}, {len(own)} epochs, seed "
        f"{values.seed}"
    )
    if made is not None:
        views.line(f"{LABEL}: {trained}. {prices.ABOUT} Made with Vitrine {made['vitrine']}.")
    else:
        views.line(f"Trained here: {trained}.")
    for note in own.notes if made is None else ():
        views.finding(note, warning=note.startswith(("In epoch", "Stopped")))


def _story() -> None:
    views.title("How it works")
    items = "".join(f"<li>{text.emphasised(sentence)}</li>" for sentence in STORY)
    st.html(f'<ol class="v-told">{items}</ol>')
