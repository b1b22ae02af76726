"""What a taken-over worker may answer: refused in one sentence, or made harmless."""

import copy

import numpy as np
import pytest

from tests.fakes.explained import explanation
from tests.workers.operations import CARD
from workers import results
from xai_core.errors import JobError
from xai_core.model import Geometry

GEOMETRY = {"photo": [4, 6], "box": [0, 0, 4, 6], "view": [2, 3]}


def scores(**changed):
    made = {
        "probabilities": np.array([0.5, 0.5], np.float32),
        "logits": np.zeros(2, np.float32),
        "view": np.zeros((2, 3, 3), np.float32),
    }
    return made | changed


def said(**changed):
    return {"geometry": GEOMETRY, "seconds": 0.1, "findings": []} | changed


def test_a_good_card_passes():
    made = results.card(copy.deepcopy(CARD))
    assert (made.labels, made.input_size, made.pace.forward) == (("a", "b"), (8, 8), 1.0)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("labels", [1, 2]),
        ("labels", "ab"),
        ("input_size", [8]),
        ("input_size", [0, 8]),
        ("input_size", [1 << 40, 8]),
        ("input_size", ["a", "b"]),
        ("layers", [{"name": 3}]),
        ("layers", [3]),
        ("findings", [{"level": "alert", "message": "x"}]),
        ("methods", {"rise": None}),
        ("methods", []),
        ("parameters", "many"),
        ("preprocessing", None),
    ],
)
def test_a_bad_card_is_refused(key, value):
    with pytest.raises(JobError, match="made no sense"):
        results.card(CARD | {key: value})


@pytest.mark.parametrize("key", sorted(CARD))
def test_a_card_that_lacks_something_is_refused(key):
    with pytest.raises(JobError):
        results.card({name: value for name, value in CARD.items() if name != key})


def test_text_is_made_plain():
    made = results.card(CARD | {"architecture": "a\x1b[31mred\x00\u202eb" + "x" * 9000})
    assert made.architecture.startswith("a[31mredb")
    assert len(made.architecture) <= results.TEXT_CAP


def test_a_good_prediction_is_rebuilt():
    made = results.prediction(said(), scores())
    assert made["geometry"] == Geometry(photo=(4, 6), box=(0.0, 0.0, 4.0, 6.0), view=(2, 3))


@pytest.mark.parametrize(
    ("answer", "arrays"),
    [
        (said(geometry={}), scores()),
        (said(geometry=GEOMETRY | {"view": [3, 3]}), scores()),
        (said(geometry=GEOMETRY | {"box": [1, 2, 3]}), scores()),
        (said(geometry=GEOMETRY | {"photo": [1.5, 2]}), scores()),
        (said(seconds="soon"), scores()),
        (said(findings=[1]), scores()),
        (said(), {}),
        (said(), scores(logits=np.zeros(3, np.float32))),
        (said(), scores(logits=np.zeros(2))),
        (said(), scores(logits=np.array([np.nan, 0], np.float32))),
        (said(), scores(view=np.zeros((2, 3), np.float32))),
    ],
)
def test_a_bad_prediction_is_refused(answer, arrays):
    with pytest.raises(JobError, match="made no sense"):
        results.prediction(answer, arrays)


def explained(**changed):
    made = explanation(
        np.ones((2, 3)),
        signed=True,
        method="rise",
        parameters={"masks": 10},
        geometry=Geometry(photo=(4, 6), box=(0.0, 0.0, 4.0, 6.0), view=(2, 3)),
        arrays={"x": np.arange(3)},
        notes=("a",),
    )
    answer, arrays = made.to_wire()
    return made, answer | changed, arrays


def test_an_explanation_is_rebuilt_with_the_client_s_hashes():
    made, answer, arrays = explained(model_hash="a lie")
    back = results.explanation(answer, arrays, model_hash="m", image_hash="i")
    assert (back.model_hash, back.image_hash) == ("m", "i")
    assert (back.question, back.geometry, back.notes) == (made.question, made.geometry, ("a",))
    np.testing.assert_array_equal(back.arrays["x"], [0, 1, 2])


@pytest.mark.parametrize(
    ("changed", "arrays"),
    [
        ({"question": {}}, {}),
        ({"question": {"method": "rise", "target": {"kind": "class", "number": 1}}}, {}),
        ({"question": {"method": "rise", "target": {"kind": "other"}}}, {}),
        ({"grain": {"kind": "superpixels"}}, {}),
        ({"geometry": None}, {}),
        ({"geometry": GEOMETRY | {"view": [9, 9]}}, {}),
        ({"surprise": 1}, {}),
        ({"notes": 3}, {}),
        ({}, {"attribution": np.ones(3, np.float32)}),
        ({}, {"attribution": np.full((2, 3), np.inf, np.float32)}),
    ],
)
def test_a_bad_explanation_is_refused(changed, arrays):
    _, answer, good = explained(**changed)
    with pytest.raises(JobError):
        results.explanation(answer, good | arrays, model_hash="m", image_hash="i")
