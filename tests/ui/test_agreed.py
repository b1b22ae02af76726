"""Which other runs speak for a map: those that asked the same in another way."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.fakes.explained import explanation
from ui import doubt

MAP = np.random.default_rng(0).random((8, 8)).astype(np.float32)


class Runs(list):
    def number(self, run):
        return self.index(run) + 1


def run(**asked):
    made = explanation(MAP, **asked, model_hash="m", image_hash="i")
    return SimpleNamespace(explanation=made)


@pytest.mark.parametrize(
    ("other", "counts"),
    [
        ({"parameters": {"layer": "a"}}, False),
        ({"parameters": {"layer": "b"}}, True),
        ({"parameters": {"layer": "a"}, "method": "fem"}, True),
        ({"parameters": {"layer": "a"}, "engine": "grad-cam"}, True),
    ],
)
def test_the_same_run_made_again_confirms_nothing(other, counts):
    first = run(parameters={"layer": "a"})
    said = doubt.agreed(first, SimpleNamespace(runs=Runs([first, run(**other)])))
    assert bool(said) is counts


def test_the_same_question_on_another_preparation_of_the_photo_counts():
    first, second = run(parameters={"layer": "a"}), run(parameters={"layer": "a"})
    second.explanation = explanation(
        MAP[::-1], parameters={"layer": "a"}, model_hash="m", image_hash="i"
    )
    assert doubt.agreed(first, SimpleNamespace(runs=Runs([first, second])))
