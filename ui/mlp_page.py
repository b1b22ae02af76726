"""The page on the MLP: its form, its presets, what was trained, and what it shows."""

from __future__ import annotations

import streamlit as st

from loaders.trainings import shipped
from ui import (
    jobs,
    mlp_data,
    mlp_details,
    mlp_view,
    page,
    settings_form,
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

NAME, TITLE = "mlp", "MLP"
KNOW = (
    "How a network of dense layers learns: which units answer to which digits, when units die, and "
    "how to tell that it learns by heart."
)
CONTRAST = ("mlp-dying", "mlp-overfit")
"""One that has dark lines and does not overfit, one that overfits without them."""
WATCH = "mlp-watch"


def show() -> None:
    """Draw the page."""
    with page.opened(TITLE, KNOW, bench=True) as here:
        desk = here.desk
        held = trainings.of(desk, NAME, _start)
        busy = held.job(desk) is not None
        with here.rail():
            settings_form.show(
                NAME, MlpSettings, disabled=busy, between=lambda: _submit(desk, held, busy)
            )
            _presets(busy)
            mlp_data.choose(desk, busy)
        with here.stage():
            here.place_progress({held.slot: _under_way})
            if held.note:
                views.error(held.note) if not held.note.startswith("Stopped") else views.line(
                    held.note, "v-prose"
                )
            if not busy and held.shown:
                _trained(desk, held)
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


def recorded(name: str) -> Run | None:
    """Return a recording that ships as a run."""
    found = shipped(name)
    if found is None:
        return None
    values = MlpSettings(**found.values)
    return Run(settings=values, recording=found.recording, title="Recording", shipped=True)


def _presets(busy: bool) -> None:
    views.line("Presets", "v-label")
    with st.container(horizontal=True, gap="small", key="presets"):
        for preset in PRESETS:
            st.button(
                preset.title,
                key=f"mlp-preset-{preset.name}",
                on_click=_set,
                args=(preset,),
                disabled=busy,
            )
    if watch := st.session_state.get(WATCH):
        views.line(watch)


def _set(preset: MlpPreset) -> None:
    settings_form.put(NAME, MlpSettings, preset.values)
    st.session_state[WATCH] = (
        f"{preset.title}: {preset.watch} Its values stand in the fields; Submit trains it."
    )


def _submit(desk: Desk, held: Trainings, busy: bool) -> None:
    """Draw the button that trains, and say beforehand how large the recording may be."""
    try:
        settings = MlpSettings(**settings_form.values(NAME, MlpSettings))
        task = TrainMlp(settings=settings, samples=mlp_data.own(desk))
        size = task.size()
    except VitrineError as error:
        views.error(str(error))
        st.button("Submit", type="primary", disabled=True, key="mlp-submit", width="stretch")
        return
    if st.button("Submit", type="primary", disabled=busy, key="mlp-submit", width="stretch"):
        title = f"Run {held.number()}"
        asked = Asked(settings=settings, title=title, data=task.samples)
        trainings.begin(desk, held, task, asked)
        st.rerun()
    views.line(f"{mlp_data.said(desk)} Its recording has at most {size / 1e6:.1f} MB.")


def _under_way(desk: Desk, work: Work) -> None:
    training_progress.show(desk, work)
    mlp_view.live(desk, work)


def _trained(desk: Desk, held: Trainings) -> None:
    _chooser(held)
    shown = held.shown
    for run in shown:
        if run.shipped:
            views.line(
                f"Recording: {run.recording.words.get('data', '')}, trained with Vitrine before. "
                "Submit trains one of your own."
            )
            break
    mlp_view.show(held, desk)
    _verdict(shown)
    _contrast(held)
    branch(desk, held)
    mlp_details.show(desk, held)


def _chooser(held: Trainings) -> None:
    """Let the reader choose which runs stand side by side, where there are several."""
    if len(held.runs) < 2:
        return
    names = {run.id: f"{run.title} ({run.settings.hidden_size} units)" for run in held.runs}
    key = f"mlp-sides-{'-'.join(map(str, held.sides))}"

    def chosen() -> None:
        if found := st.session_state.get(key):
            held.sides = list(found)
            held.picked = None

    st.multiselect(
        "Side by side",
        list(names),
        default=held.sides,
        format_func=lambda id: names[id],
        max_selections=trainings.SIDES,
        key=key,
        on_change=chosen,
    )


def _verdict(shown: list[Run]) -> None:
    views.title("What it shows")
    for run in shown:
        if len(shown) > 1:
            views.line(mlp_view.said(run), "v-label")
        items = "".join(
            f"<li>{text.emphasised(each)}</li>"
            for each in mlp_verdict.says(run.recording, run.settings.names()[0])
        )
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
        runs = [
            next(
                (each for each in held.runs if each.shipped and each.shown.get("of") == name), None
            )
            or recorded(name)
            for name in CONTRAST
        ]
        found = [run for run in runs if run is not None]
        for name, run in zip(CONTRAST, runs, strict=True):
            if run is not None:
                run.shown["of"] = name
        held.show(*found)
        held.picked = None
        st.rerun()
