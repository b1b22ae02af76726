"""The guess against what the model says: nine scores, told as they are."""

import dataclasses

import numpy as np
import pytest

from tests.fakes.linear import LinearModel
from xai_core import guess, stage
from xai_core.errors import ParamError
from xai_core.report import amount
from xai_core.target import ClassTarget

SIZE = (12, 15)


def answered(weights, place):
    model = LinearModel(np.stack([weights, 0 * weights]).astype(np.float32))
    model.labels = ("star", "ring")
    view = np.full((*SIZE, 3), 1.0, np.float32)
    question = guess.asked(SIZE, ClassTarget(0))
    explanation = question.made(SIZE).explain(model, view, question.target)
    return guess.seen(explanation, view, place, model.labels), explanation, view


def nine(*values):
    """Return weights [h, w, 3] that are level in each ninth."""
    rows = np.array(values, float).reshape(3, 3)
    return np.repeat(rows.repeat(4, 0).repeat(5, 1)[..., None], 3, 2)


def test_each_ninth_is_hidden_once_and_the_worst_is_named():
    values = [0.1, 0, 0, 0, 0.2, 0, -0.3, 0, 0.7]
    found, explanation, _ = answered(nine(*values), 4)
    whole = 60 * sum(values)  # 4 x 5 pixels of 3 colours in each ninth, all white
    falls = np.array(values) * 60 * 0.5  # grey takes half of it
    np.testing.assert_allclose(found.falls.ravel(), falls, atol=1e-4)
    assert found.most == 8
    assert found.sentences[0] == (
        f"The model needs the bottom right most: hiding it takes the score of \u201cstar\u201d "
        f"from {amount(whole)} to {amount(whole - falls[8])}. Hiding the middle, which you named, "
        f"takes it from {amount(whole)} to {amount(whole - falls[4])}."
    )
    assert found.sentences[1].startswith("One ninth speaks against it")
    assert explanation.passes == 10


def test_a_right_guess_and_a_photo_that_nothing_is_needed_of():
    right, _, _ = answered(nine(0, 0, 0, 0, 1, 0, 0, 0, 0), 4)
    assert right.sentences[0].startswith("You and the model agree: the middle. ")
    assert len(right.sentences) == 1
    none, _, _ = answered(nine(*[-1] * 9), 0)
    assert none.sentences[0].startswith("No ninth is needed here")
    assert none.sentences[1].startswith("9 ninths speak against it")


def test_the_lines_round_the_two_ninths_are_wide_enough_to_see():
    found, _, _ = answered(nine(0, 0, 0, 0, 0, 0, 0, 0, 1), 0)
    for colour in (stage.INK, stage.ACCENT):
        drawn = (found.picture == colour).all(2)
        rows = np.flatnonzero(drawn.any(1))
        middle = drawn[(rows[0] + rows[-1]) // 2]  # through the left side and the right one
        assert middle.sum() == 2 * guess.WIDE


def test_another_run_is_no_answer():
    _, explanation, view = answered(nine(*range(9)), 0)
    assert guess.seen(explanation, view, 9, ("a", "b")) is None
    bare = dataclasses.replace(explanation, arrays={}, scalars={})
    assert guess.seen(bare, view, 0, ("a", "b")) is None
    with pytest.raises(ParamError, match="too small"):
        guess.asked((5, 40), ClassTarget(0))


@pytest.mark.parametrize("size", [(6, 6), (128, 128), (224, 299), (299, 299), (512, 7)])
def test_any_view_has_nine_patches(size):
    method = guess.asked(size, ClassTarget(0)).made(size)
    from xai_core.lesson import Sized

    assert len(method.patches(Sized(size))) == 9
