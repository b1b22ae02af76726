"""What is said of inversions and maximisations, recomputed from their numbers; and their films."""

import json

import numpy as np
import pytest

from tests.fakes import tiny
from xai_core.errors import ParamError
from xai_core.model import Layer
from xai_core.probes import inversion_film, inversion_words, maximisation_words
from xai_core.probes.inversion import Invert, Inverted
from xai_core.probes.maximisation import Maximise
from xai_core.target import ClassTarget, UnitTarget
from xai_core.task import silent

LABELS = ("one", "two", "three")


def inversion(**changes):
    shape = (8, 9, 3)
    made = {
        "layers": ("early", "late"), "done": 12,
        "photo": np.zeros(shape, np.uint8), "pictures": np.zeros((2, *shape), np.uint8),
        "frames": np.zeros((2, 2, *shape), np.uint8), "at": np.array([0, 12], np.int32),
        "distances": np.linspace([2, 1], [0.001, 0.25], 13).astype(np.float32),
        "correlations": np.array([0.98, -0.03]), "first": 1, "chance": 0.9,
        "firsts": np.array([1, 1], np.int32), "chances": np.array([0.9, 0.8], np.float32),
    }  # fmt: skip
    return Inverted(**made | changes)


def test_each_sentence_has_its_number():
    said = inversion_words.sentences(inversion(), LABELS)
    text = " ".join(said)
    assert "“early” is 2,000 times nearer" in text
    assert "0.1\u00a0% off (the squared distance" in text
    assert "“late” is 4 times nearer to the photo\u2019s, 25\u00a0% off." in text
    assert "“early” gives the photo back (correlation 0.98)" in text
    assert "“late” does not give the photo back (correlation \u22120.03)" in text
    assert "“late” the model says “two” all the same (80\u00a0%; of the photo 90\u00a0%)" in text
    assert "code at “late” is still more than 5\u00a0% off" in text
    assert "“early” the model says" not in text


def test_another_answer_and_no_way_down():
    made = inversion(
        firsts=np.array([1, 0], np.int32),
        distances=np.linspace([2, 1], [0.001, 1.5], 13).astype(np.float32),
    )
    text = " ".join(inversion_words.sentences(made, LABELS))
    assert "no nearer to the photo\u2019s" in text
    assert "“late” the model says “one”, and of the photo “two”" in text


@pytest.mark.parametrize(("alike", "said"), [(0.9, " gives the photo"), (0.5, "parts of"),
                                             (0.49, "does not give")])  # fmt: skip
def test_what_a_correlation_is_called(alike, said):
    text = inversion_words.sentences(inversion(correlations=np.array([alike, 0.0])), LABELS)[2]
    assert said in text


def test_the_layers_that_are_taken():
    rows = [Layer("in", "InputLayer", (32, 32), 3)]
    rows += [Layer(f"{side}{at}", "Conv2d", (side, side), 8) for side in (32, 16, 8, 4, 2, 1)
             for at in "ab"]  # fmt: skip
    assert inversion_words.suggested(rows) == ("32b", "16b", "4b", "2b")
    tokens = [Layer(f"block{at}", "Block", (14, 14), 8) for at in range(12)]
    assert inversion_words.suggested(tokens) == ("block0", "block4", "block7", "block11")
    assert inversion_words.suggested(tokens[:1]) == ("block0",)


def test_the_record_is_what_was_made():
    found = json.loads(json.dumps(inversion_words.record(inversion(), LABELS)))
    assert [row["layer"] for row in found["layers"]] == ["early", "late"]
    assert found["layers"][1]["nearer"] == pytest.approx(4)
    assert found["prediction"] == {"index": 1, "label": "two", "probability": 0.9}
    assert found["sentences"][-1] == inversion_words.ONE_OF_MANY


def test_a_maximisation_says_its_numbers():
    model = tiny.torch_model()
    pixels = np.random.default_rng(2).integers(0, 256, (*tiny.SIZE, 3), np.uint8)
    view, _ = model.preprocessing.view(pixels)
    for target in (ClassTarget(1), UnitTarget("4", 2)):
        asked = Maximise(target=target, pixels=pixels, steps=30, jitter=2)
        made = asked.maximised(model, view, silent)
        text = " ".join(maximisation_words.sentences(made, LABELS))
        assert f"to {maximisation_words.amount(float(made.scores[-1]))}" in text
        assert f"On the photo it is {maximisation_words.amount(made.photo)}" in text
        assert ("the probability of “two” goes from" in text) == (target == ClassTarget(1))
        record = json.loads(json.dumps(maximisation_words.record(made, LABELS)))
        assert record["score"] == float(made.scores[-1])
        film = inversion_film.film(inversion_film.of_target(made, LABELS))
        assert len(film.frames) == len(made.at)
        assert "After 30 of 30 steps" in film.still.caption


def test_the_film_has_photo_and_panels():
    made = inversion(pictures=np.full((2, 8, 9, 3), 200, np.uint8),
                     frames=np.full((2, 2, 8, 9, 3), 200, np.uint8))  # fmt: skip
    film = inversion_film.film(inversion_film.of_layers(made))
    assert film.frames[0].caption == (
        "After 0 of 12 steps the code is 200\u00a0% off at “early”, 100\u00a0% off at “late”."
    )
    picture = film.still.picture
    assert picture.shape[1] == 640
    # two panels of the pictures' grey, and a black photo before them
    grey = (picture == 200).all(2).any(0)
    assert not grey[:200].any()
    assert grey[230:410].any()
    assert grey[440:].any()
    for layers in range(1, 7):
        many = inversion_film.Growth(
            title="", frames=np.zeros((1, layers, 300, 200, 3), np.uint8), names=("a",) * layers,
            lines=(("",) * layers,), captions=("",), photo=np.zeros((300, 200, 3), np.uint8),
        )  # fmt: skip
        assert max(inversion_film.film(many).still.picture.shape) <= 640
    with pytest.raises(ParamError, match="one size"):
        inversion_film.Growth(title="", frames=made.frames, names=("a",), lines=(), captions=())


def test_real_sentences_are_of_real_numbers():
    model = tiny.torch_model()
    pixels = np.random.default_rng(2).integers(0, 256, (*tiny.SIZE, 3), np.uint8)
    view, _ = model.preprocessing.view(pixels)
    made = Invert(pixels=pixels, layers=("1", "4"), steps=20).inverted(model, view, silent)
    said = inversion_words.sentences(made, LABELS)
    for at in range(2):
        factor = float(made.distances[0, at]) / float(made.distances[-1, at])
        assert f"{inversion_words.times(factor)} times nearer" in said[at]
