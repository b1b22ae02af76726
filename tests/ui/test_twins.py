"""What two runs say together that differ by the sticker alone, recomputed from both."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.fakes.explained import explanation
from ui import twins
from xai_core import render

LABELS = ("heart", "star", "ring")


def run(name, first, chance, strongest, layer="last"):
    values = np.zeros((8, 8), np.float32)
    values[6:, 4] = strongest
    probabilities = np.full(3, (1 - chance) / 2, np.float32)
    probabilities[first] = chance
    return SimpleNamespace(
        explanation=explanation(values, parameters={"layer": layer}),
        scene=SimpleNamespace(
            photo=SimpleNamespace(word=f"assets/photos/{name}.jpg"),
            card=SimpleNamespace(labels=LABELS),
            prediction=SimpleNamespace(top=(first,), probabilities=probabilities),
        ),
    )


@pytest.mark.parametrize("turned", [False, True])
def test_what_the_sticker_does_is_said_from_both_runs(turned):
    runs = [run("heart_marked", 1, 0.72, 0.58), run("heart", 0, 0.9, 0.003)]
    said = " ".join(twins.compared(*runs[:: -1 if turned else 1]))
    assert (
        "With the sticker the model says “star” with 72 %, without it the model says “heart”"
        in (said.replace("\xa0", " "))
    )
    assert "turns “heart” into “star”" in said
    assert (
        "almost nothing of that is left: the strongest place has 0.003, where it had 0.58" in said
    )


def test_both_maps_stand_on_the_scale_of_the_stronger_one():
    marked, bare = run("heart_marked", 1, 0.72, 0.58), run("heart", 0, 0.9, 0.003)
    assert twins.compared(marked, bare)[-1] == "Both maps are drawn on one scale."
    tops = [twins.scale_of(*pair) for pair in ((marked, bare), (bare, marked))]
    ends = [render.limits(each.explanation.attribution, signed=False)[1] for each in (marked, bare)]
    assert tops == [ends[0]] * 2
    assert ends[0] > ends[1]


def test_maps_made_in_two_ways_keep_their_scales():
    marked, bare = run("heart_marked", 1, 0.72, 0.58), run("heart", 0, 0.9, 0.3, layer="first")
    assert twins.scale_of(marked, bare) is None
    assert twins.compared(marked, bare)[-1] == (
        "Each of the two maps is drawn on a scale of its own."
    )


def test_what_stays_is_not_said_to_go():
    said = " ".join(twins.compared(run("heart_marked", 0, 0.9, 0.5), run("heart", 0, 0.9, 0.4)))
    assert "The sticker changes no answer here." in said
    assert "nothing of that" not in said


def test_maps_of_two_layers_are_not_measured_against_each_other():
    marked, bare = run("heart_marked", 1, 0.72, 0.58), run("heart", 0, 0.9, 0.003, layer="first")
    assert "nothing of that" not in " ".join(twins.compared(marked, bare))
