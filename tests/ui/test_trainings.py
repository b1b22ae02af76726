"""What a visitor has trained: which runs stay, and what a training says of the next one's time."""

import pytest

from ui import pace
from ui.trainings import MOST, Run, Trainings
from xai_core.training.pace import Measured, Work


def run(title, shipped=""):
    return Run(settings=None, recording=None, title=title, shipped=shipped)


def test_recordings_leave_before_a_reader_s_own_runs():
    held = Trainings("some")
    own = [run(f"Run {at}") for at in range(MOST - 1)]
    for each in own:
        held.show(each)
    for name in ("one", "two", "three"):
        made = held.recording(name, lambda name=name: run(name, shipped=name))
        held.show(made)
    assert [each for each in held.runs if not each.shipped] == own
    assert held.shown == [made]
    assert held.recording("three", lambda: None) is made
    assert (made.called, own[0].called) == ("three, a recording", "Run 0")


def test_the_button_says_what_it_took_here(monkeypatch):
    monkeypatch.setattr(pace, "_measured", {"mlp": Measured()})
    monkeypatch.setattr(pace.trainings, "pace", lambda kind: (1.0, 0.0, 0.0))
    work = Work(20, 0, 0)
    assert pace.label("mlp", work) == "Submit: train, about 20\u00a0s"
    assert pace.ground("mlp") == pace.ELSEWHERE
    pace.note("mlp", Work(1, 0, 0), 50.0, 1.0)  # too short to tell
    assert pace.ground("mlp") == pace.ELSEWHERE
    pace.note("mlp", work, 15.0, 0.5)  # half of it was made
    assert pace.label("mlp", work) == "Submit: train, about 30\u00a0s"
    assert pace.ground("mlp") == pace.HERE
    assert pace.seconds("mlp", Work(2, 0, 0)) == pytest.approx(3.0)
