"""Back to an epoch of a training, and on with other values."""

from __future__ import annotations

import dataclasses

import streamlit as st

from ui import settings_form, trainings, views
from ui.desk import Desk
from ui.trainings import Asked, Run, Trainings
from workers.tasks.train_mlp import TrainMlp
from xai_core import params
from xai_core.errors import VitrineError
from xai_core.training.course import Turn
from xai_core.training.mlp import BRANCHES, MlpSettings
from xai_core.training.recording import EPOCHS


def branch(desk: Desk, held: Trainings) -> None:
    """Draw the form that takes a run up again at an epoch, with the same weights."""
    shown = [each for each in held.shown if each.settings is not None]
    if not shown:
        return
    run = next((each for each in shown if held.branch and each.id == held.branch[0]), shown[0])
    last = run.recording.last
    if last < 1:
        return
    views.title("Rewind, with the same weights")
    views.line(
        "Go back to the weights of an epoch and train on from there with other values. With the "
        "same values the branch repeats the original exactly.",
        "v-prose",
    )
    if run.shipped:
        views.line(
            "A branch off the recording is trained here from its first epoch: on another kind of "
            "machine than the recording's its last digits may differ from it."
        )
    with st.container(key="mlp-branch-form"):
        _form(desk, held, run)


def _form(desk: Desk, held: Trainings, run: Run) -> None:
    if len(held.shown) > 1:
        views.line(f"Branches off {run.called}. The button under a picture chooses its run.")
    after = held.branch[1] if held.branch else run.recording.last // 2
    scope = f"mlp-branch-{run.id}-{after}"
    now = _now(run)
    declared = params.declared(MlpSettings)
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        left = st.number_input(
            "Back to epoch", 0, EPOCHS - 2, min(after, EPOCHS - 2), key=f"{scope}-after",
            help="The branch begins with the weights that the network had after this epoch.",
        )  # fmt: skip
        epochs = st.number_input(
            "Epochs", 2, EPOCHS, max(run.settings.epochs, min(after, EPOCHS - 2) + 2),
            key=f"{scope}-epochs", help="How many epochs the whole training has, the branch's too.",
        )  # fmt: skip
        values = {
            name: float(
                settings_form.widget(scope, declared[name], start=float(getattr(now, name)))
            )
            for name in BRANCHES
        }
    if not st.button("Branch", key="mlp-branch"):
        return
    try:
        task, asked = _asked(held, run, int(left), int(epochs), values)
    except VitrineError as error:
        views.error(str(error))
        return
    trainings.begin(desk, held, task, asked)
    st.rerun()


def _now(run: Run) -> MlpSettings:
    """Return the values that a run ended with."""
    now: MlpSettings = run.settings
    for turn in run.turns:
        now = now.changed(turn.values)
    return now


def _asked(
    held: Trainings, run: Run, after: int, epochs: int, values: dict[str, float]
) -> tuple[TrainMlp, Asked]:
    """Return the task and what it is for. Raises ParamError."""
    if after >= run.recording.last + 1:
        raise trainings.past(after, run)
    settings = dataclasses.replace(run.settings, epochs=epochs, stop_early=False)
    turns = (*(turn for turn in run.turns if turn.after < after), Turn(after, values))
    asked = Asked(
        settings=settings,
        title=f"Run {held.number()}",
        turns=turns,
        parent=run,
        data=run.data,
    )
    task = TrainMlp(settings=settings, turns=turns, whole=asked.whole, samples=run.data)
    return task, asked
