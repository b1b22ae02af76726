"""Timing a model: what it gives is timed, what it lacks stays open, and a stop ends it at once."""

import numpy as np
import pytest

from loaders.options import Options
from tests.fakes import boxes
from tests.fakes.wall import LinearModel
from workers.tasks.measure import Measure
from xai_core.errors import UnsupportedModel
from xai_core.task import Bench, silent


class Counted(LinearModel):
    """Counts what is asked of it; it gives gradients too."""

    def __init__(self):
        super().__init__(Options(), "counted")
        self.asked = {"gradients": 0, "tails": 0}

    def gradients(self, images, target, batch=0):
        self.asked["gradients"] += 1
        return np.zeros_like(images)

    def activation_gradients(self, images, layer, target):
        self.asked["tails"] += 1
        return super().activation_gradients(images, layer, target)


class Hears:
    """Is told to stop when so many steps are made."""

    def __init__(self, at):
        self.at, self.stopping, self.told = at, False, []

    def __call__(self, done, total, partial=None, arrays=None):
        self.told.append((done, total))
        self.stopping = done >= self.at


def measured(model, progress=silent):
    return Measure().run(Bench(model=model), progress).pace


def test_all_that_a_model_gives_is_timed():
    hears = Hears(99)
    pace = measured(Counted(), hears)
    assert min(pace.forward, pace.backward, pace.tail) > 0
    assert hears.told == [(0, 4), (1, 4), (2, 4), (3, 4)]


class Without(LinearModel):
    """A model that gives no gradients of its view."""

    gradients = None


def test_what_a_model_lacks_stays_open():
    pace = measured(Without(Options(), "no gradients"))
    assert pace.backward is None
    assert pace.tail > 0


@pytest.mark.parametrize(("at", "gradients"), [(0, 0), (1, 1), (2, 2), (3, 2)])
def test_a_stop_is_heard_before_each_pass(at, gradients):
    model = Counted()
    measured(model)  # finds its layer
    model.asked = {"gradients": 0, "tails": 0}
    pace = measured(model, Hears(at))
    assert model.asked == {"gradients": gradients, "tails": max(0, at - 2)}
    assert (pace.backward is not None) == (at > 1)
    assert pace.tail is None
    assert pace.forward > 0


def test_one_that_cannot_after_all_stays_open(monkeypatch):
    def cannot(*given):
        raise UnsupportedModel("not this one")

    model = Counted()
    monkeypatch.setattr(model, "gradients", cannot)
    pace = measured(model)
    assert pace.backward is None
    assert pace.tail > 0


def test_a_detector_is_timed_forward_alone():
    found = Measure().run(Bench(model=boxes.detector()), silent).pace
    assert found.forward > 0
    assert (found.backward, found.tail, found.rest) == (None, None, None)
