"""The page on the MLP: its form, its presets, what was trained, and what it shows."""

from __future__ import annotations

import dataclasses
import functools

import streamlit as st

from loaders.trainings import shipped
from ui import (
    first,
    jobs,
    mlp_data,
    mlp_details,
    mlp_own,
    mlp_view,
    pace,
    page,
    presses,
    settings_form,
    sides,
    text,
    training_progress,
    trainings,
    views,
)
from ui.desk import Desk
from ui.mlp_branch import branch
from ui.slots import Work
from ui.trainings import Asked, Run, Trainings
from workers.tasks.train_mlp import TrainMlp
from xai_core.errors import VitrineError
from xai_core.training import mlp_verdict
from xai_core.training.mlp import MlpSettings
from xai_core.training.mlp_presets import PRESETS, MlpPreset
from xai_core.training.opened import layers

NAME, TITLE = "mlp", "MLP"
KNOW = (
    "How a network of dense layers learns: which units answer to which digits, when units die, and "
    "how to tell that it learns by heart."
)
CONTRAST = ("mlp-dying", "mlp-overfit")
PLAIN = "Default"
"""What the values are called that the form begins with."""
ROUNDED = (
    "Its weights ship rounded to 8 bits each: what a unit, a mistake or a drawn digit shows is "
    "that near to what was trained. Pictures, curves and counts are those of the training itself."
)
"""One that has dark lines and does not overfit, one that overfits without them."""
WATCH = "mlp-watch"


def show() -> None:
    """Draw the page."""
    with page.opened(TITLE, KNOW, bench=True) as here:
        desk = here.desk
        held = trainings.of(desk, NAME, _start)
        busy = held.job(desk) is not None
        shown = not busy and bool(held.shown)
        here.bench()
        with here.stage():  # the picture first: a reader waits for that, and not for the form
            here.place_progress({held.slot: _under_way, mlp_data.FETCH: mlp_data.fetching})
            if held.note:
                views.error(held.note) if not held.note.startswith("Stopped") else views.line(
                    held.note, "v-prose"
                )
            if shown:
                _trained(desk, held)
                first.wait()
        with here.rail():
            settings_form.show(
                NAME, MlpSettings, disabled=busy, between=lambda: _submit(desk, held, busy)
            )
            _presets(held, busy)
            mlp_data.choose(desk, busy)
            mlp_own.choose(desk, held)
        with here.stage():
            if shown:
                _told(desk, held)
            jobs.say(*_aloud(desk, held))


def _aloud(desk: Desk, held: Trainings) -> tuple[str, str]:
    """Return what a screen reader is told, and what tells that from what it was told before."""
    if (job := held.job(desk)) is not None:
        return "The training runs.", f"training-{job.id}"
    own = [run for run in held.runs if not run.shipped]
    if not own:
        return held.note, f"note-{held.note}"
    return f"The training has ended: {own[-1].title} is shown. {held.note}", f"run-{own[-1].id}"


def _start(held: Trainings) -> None:
    """Begin with the recording that ships."""
    if (run := recorded(NAME)) is not None:
        held.show(run)


@functools.cache
def recorded(name: str) -> Run | None:
    """Return a recording that ships as a run, named by its preset; one serves all visitors."""
    found = shipped(name)
    if found is None:
        return None
    settings = MlpSettings(**found.values)
    title = _preset_of(settings) or PLAIN
    return Run(settings=settings, recording=found.recording, title=title, shipped=name)


def _preset_of(settings: MlpSettings) -> str:
    """Return what the preset is called that has these values, or nothing."""
    return next((each.title for each in PRESETS if each.settings() == settings), "")


def _presets(held: Trainings, busy: bool) -> None:
    views.line("Presets: each shows its recording, and fills the form", "v-label")
    with st.container(horizontal=True, gap="small", key="presets"):
        for preset in PRESETS:
            st.button(
                preset.title,
                key=f"mlp-preset-{preset.name}",
                on_click=_set,
                args=(held, preset),
                disabled=busy,
            )
    if watch := st.session_state.get(WATCH):
        views.line(watch)


def _set(held: Trainings, preset: MlpPreset) -> None:
    """Fill the form with a preset, and show its recording."""
    settings_form.put(NAME, MlpSettings, preset.values)
    name = f"{NAME}-{preset.name}"
    run = held.recording(name, lambda: recorded(name))
    if run is not None:
        held.show(run)
        held.picked = held.branch = None
        held.note = ""
    st.session_state[WATCH] = f"{preset.title}: {preset.watch}"


def _submit(desk: Desk, held: Trainings, busy: bool) -> None:
    """Draw the button that trains, and say beforehand how large the recording may be."""
    try:
        settings = MlpSettings(**settings_form.values(NAME, MlpSettings))
        task = TrainMlp(settings=settings, samples=mlp_data.own(desk))
        size = task.size()
    except VitrineError as error:
        views.error(str(error))
        st.button("Submit: train", type="primary", disabled=True, key="mlp-submit", width="stretch")
        return
    work = task.work()
    if presses.button(
        pace.label(NAME, work), type="primary", disabled=busy, key="mlp-submit", width="stretch",
        help=pace.ground(NAME),
    ):  # fmt: skip
        named = _preset_of(settings)
        title = f"Run {held.number()}" + (f", {named}" if named else "")
        asked = Asked(settings=settings, title=title, data=task.samples)
        trainings.begin(desk, held, task, asked, work)
        st.rerun()
    views.line(
        f"{mlp_data.said(desk, settings.share)} Its recording has at most {size / 1e6:.1f} MB."
    )


def _under_way(desk: Desk, work: Work) -> None:
    training_progress.show(desk, work)
    mlp_view.live(desk, work)


def _trained(desk: Desk, held: Trainings) -> None:
    sides.chooser(held, lambda run: f"{run.called} ({_units(run)} units)")
    shown = held.shown
    if any(run.shipped for run in shown):
        _recording(shown)
    for run in shown:
        for doubt in () if run.settings is not None else run.recording.notes:
            views.finding(doubt, warning=True)
    mlp_view.show(held, desk)


def _told(desk: Desk, held: Trainings) -> None:
    """Draw what stands under the picture."""
    _verdict(held.shown)
    _contrast(held)
    branch(desk, held)
    mlp_details.show(desk, held)


def _recording(shown: list[Run]) -> None:
    """Say that what is shown was trained before, and what Submit makes of it."""
    found = [run for run in shown if run.shipped]
    data = found[0].recording.words.get("data", "")
    form = settings_form.values(NAME, MlpSettings)
    alike = [run.title for run in found if dataclasses.asdict(run.settings) == form]
    many = len(found) > 1
    views.line(
        f"Recording{'s' if many else ''}: {data}, trained with Vitrine before. "
        + (
            f"The form has the values of “{alike[0]}”: Submit trains it here."
            if alike
            else "The form has other values: Submit trains with those."
        )
        + f" {ROUNDED.replace('Its', 'Their') if many else ROUNDED}"
    )


def _units(run: Run) -> str:
    """Return how many units the hidden layers have, each number once."""
    found = (run.recording.frames[name].sides[1] for name in layers(run.recording))
    return text.listed([str(each) for each in dict.fromkeys(found)])


def _says(run: Run) -> list[str]:
    layer = layers(run.recording)[0]
    return run.once("says", lambda: mlp_verdict.says(run.recording, layer))


def warm() -> None:
    """Read the recording and make its picture now, so that the first visitor need not wait."""
    if (run := recorded(NAME)) is not None:
        mlp_view.pane(run)
        _says(run)


def _verdict(shown: list[Run]) -> None:
    views.title("What it shows")
    for run in shown:
        if len(shown) > 1:
            views.line(mlp_view.said(run), "v-label")
        items = "".join(f"<li>{text.emphasised(each)}</li>" for each in _says(run))
        st.html(f'<ul class="v-told">{items}</ul>')


def _contrast(held: Trainings) -> None:
    """Answer the reader who takes dark lines for overfitting, with two runs."""
    views.title("Do dark lines mean overfitting?")
    views.line(
        "No. Two recordings side by side: in the left one most lines are dark and it does not "
        "overfit; the right one overfits and has next to none. Overfitting shows where the "
        "validation loss turns and rises while the training loss still falls.",
        "v-prose",
    )
    if st.button("Show the two side by side", key="mlp-contrast"):
        runs = [held.recording(name, functools.partial(recorded, name)) for name in CONTRAST]
        found = [run for run in runs if run is not None]
        held.show(*found)
        held.picked = None
        st.rerun()
