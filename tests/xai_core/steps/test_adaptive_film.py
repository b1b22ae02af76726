"""Adaptive masks' film against the windows, scores and map of its run."""

import dataclasses
import re

import numpy as np
import pytest

from tests.fakes import tiny
from tests.fakes.linear import LinearModel
from tests.xai_core.steps.test_films import VIEW, cells, changed, panel
from xai_core import render, stage
from xai_core.explainer import make
from xai_core.film import film_of
from xai_core.report import amount
from xai_core.target import ClassTarget


@pytest.fixture(scope="module")
def planted():
    """Return a run whose score lies in one corner, and its view."""
    weights = np.zeros((2, *tiny.SIZE, 3), np.float32)
    weights[1, 2:8, -9:-3] = 0.01
    method = make("adaptive-masks", {"passes": 120}, size=tiny.SIZE)
    view = np.ones((*tiny.SIZE, 3), np.float32)
    return method.explain(LinearModel(weights), view, ClassTarget(1)), view


def test_its_frames_are_the_windows_their_scores_and_the_map(planted):
    explanation, view = planted
    made = film_of(explanation, view)
    falls, whole = explanation.arrays["falls"], explanation.scalars["score"]
    assert len(made.frames) <= 16
    for frame in made.frames:
        told = re.match(
            r"Window (\d+) of 119, a (coarse|fine) one .*: the score (.*)\.", frame.caption
        )
        at, kind, moves = int(told[1]), told[2], told[3]
        assert kind == ("coarse" if at <= 36 else "fine")
        fall = float(falls[at - 1])
        said = "falls by" if fall > 0 else "rises by"
        assert moves == ("stays as it is" if fall == 0 else f"{said} {amount(abs(fall))}")
    assert made.frames[-1].caption.startswith("Window 119 of 119")
    signed, (_, top) = render.is_signed(explanation), render.scale(explanation)
    wanted = cells(explanation.attribution, signed=signed, vmax=top)
    last = panel(made.frames[-1].picture, 1).astype(int)
    assert np.abs(last - wanted).max() <= 6
    assert made.steps[0].sentence == f"1. For the whole photo the score is {amount(whole)}."
    assert "at the top right" in made.steps[1].sentence
    assert f"falls by {amount(float(falls[:36].max()))}." in made.steps[1].sentence
    within = int(re.search(r"time\. (\d+) lie in the strongest fifth", made.steps[2].sentence)[1])
    assert 83 / 5 < within <= 83  # more than by chance


def test_a_window_darkens_what_the_model_saw_less_of(planted):
    """The view is white and grey hides: a frame's darkest place is the window's middle."""
    explanation, view = planted
    made = film_of(explanation, view)
    first = panel(made.frames[0].picture, 0).astype(int).sum(2)
    down, across, width = explanation.arrays["windows"][0]
    tall, wide = first.shape
    rows, columns = np.indices(first.shape)
    away = np.hypot((rows + 0.5) / tall - down, (columns + 0.5) / wide - across) / width
    ring = (away > 0.4) & (away < 0.8)  # between the dot and the ring that are drawn
    assert np.abs(first[ring] / 765 - (1 - 0.5 * np.exp(-(away[ring] ** 2) / 2))).max() < 0.03
    far = away > 4
    assert (first[far] > 750).all()


def test_what_does_not_fit_is_no_film(planted):
    explanation, view = planted
    falls, windows = explanation.arrays["falls"], explanation.arrays["windows"]
    moved = windows.copy()
    moved[-40:, 0] = 0.1
    for wrong in ({"falls": falls * 1.1}, {"windows": moved}, {"windows": windows - 2},
                  {"windows": windows * [1, 1, 0]}):  # fmt: skip
        arrays = {name: np.asarray(each, np.float32) for name, each in wrong.items()}
        assert film_of(changed(explanation, **arrays), view) is None
    values = dict(explanation.parameters) | {"passes": 130}
    question = dataclasses.replace(explanation.question, values=values)
    assert film_of(dataclasses.replace(explanation, question=question), view) is None


def test_without_fine_windows_it_speaks_of_coarse_ones_only():
    explanation = make("adaptive-masks", {"passes": 50, "coarse": 7}).explain(
        tiny.torch_model(), VIEW, ClassTarget(0)
    )
    made = film_of(explanation, VIEW)
    assert made.still.caption == "49 coarse windows, and the map of what they cost."
    assert [step.sentence[:2] for step in made.steps] == ["1.", "2.", "3."]
    assert stage.frame_size(tiny.SIZE) == panel(made.frames[0].picture, 0).shape[:2]
