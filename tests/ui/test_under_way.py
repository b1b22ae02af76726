"""Any task runs in a slot of a desk, by whatever handle, and its result stays there."""

import dataclasses

import numpy as np
import pytest

from tests.ui.conftest import ask, until
from workers.tasks.explain import Explain
from workers.tasks.predict import Predict
from xai_core.errors import JobError, ParamError

SLOT = "looking"


@dataclasses.dataclass
class Refusing:
    """Stands for a handle that takes no task."""

    def run(self, task):
        raise ParamError("This worker takes no task.")


def test_a_task_in_a_slot_of_its_own_gives_its_result(desk):
    task = Predict(pixels=desk.photo.pixels)
    before = desk.version
    desk.begin(SLOT, desk.model.handle, task, what="a look")
    assert desk.version == before + 1
    assert desk.pending
    assert desk.slots.what(SLOT) == "a look"
    until(desk, lambda: not desk.pending)
    given = desk.results[SLOT].probabilities
    np.testing.assert_array_equal(given, desk.prediction.probabilities)
    assert desk.notes == {}


def test_it_leaves_the_other_slots_alone(desk):
    desk.start(ask())
    job = desk.run.job
    desk.begin(SLOT, desk.model.handle, Predict(pixels=desk.photo.pixels))
    assert desk.run.job is job
    until(desk, lambda: desk.answer and SLOT in desk.results)
    assert desk.run_note == ""


def test_one_that_fails_says_why_and_the_last_result_stays(desk, monkeypatch):
    def fails(*given):
        raise JobError("The run failed inside the model.")

    look = Predict(pixels=desk.photo.pixels)
    desk.begin(SLOT, desk.model.handle, look)
    until(desk, lambda: not desk.pending)
    kept = desk.results[SLOT]
    with monkeypatch.context() as patch:
        patch.setattr(Predict, "run", fails)
        desk.begin(SLOT, desk.model.handle, look)
        until(desk, lambda: not desk.pending)
    assert desk.notes[SLOT] == "The run failed inside the model."
    assert desk.results[SLOT] is kept
    desk.begin(SLOT, Refusing(), look)
    assert desk.notes[SLOT] == "This worker takes no task."
    desk.begin(SLOT, desk.model.handle, look)
    assert SLOT not in desk.notes


def test_one_that_is_stopped_or_replaced_ends(desk):
    desk.model.handle.model.pause = 0.05
    long = Explain(pixels=desk.photo.pixels, question=ask())
    desk.begin(SLOT, desk.model.handle, long)
    first = desk.job(SLOT)
    desk.begin(SLOT, desk.model.handle, long)
    second = desk.job(SLOT)
    desk.stop(SLOT)
    assert desk.notes[SLOT] == "Cancelled."
    assert desk.job(SLOT) is None
    for job in (first, second):
        with pytest.raises(JobError, match="cancelled"):
            job.result(10)
    desk.stop(SLOT)  # nothing to stop
    assert SLOT not in desk.results
