"""The doubts about a fresh model's answers, on answers made up here."""

import numpy as np
import pytest

from loaders import catalogue
from loaders.load import load
from loaders.sanity import judge
from xai_core.model import Head

DRAW = np.random.default_rng(0)


def said(logits: np.ndarray, exclusive: bool = True) -> str:
    logits = np.asarray(logits, np.float32)
    return judge(logits, Head("logits", exclusive=exclusive).probabilities(logits), exclusive)


@pytest.mark.parametrize(
    ("logits", "what"),
    [
        (np.full((3, 5), 2.0), "exactly the same scores"),
        (np.tile(DRAW.standard_normal(1000), (3, 1)), "exactly the same scores"),
        (DRAW.standard_normal((3, 1000)) * 0.01, "about the chance level of 0.10%"),
        (DRAW.standard_normal((3, 1000)) + 100 * np.eye(1000)[7], "scores are saturated"),
        ([[np.nan, 1.0], [0, 1], [1, 0]], "not finite"),
        (DRAW.standard_normal((3, 1000)) * 4, ""),
        (DRAW.standard_normal((3, 4)) * 0.01, ""),
        (100 * np.eye(3), ""),
    ],
)
def test_answers_are_judged(logits: np.ndarray, what: str) -> None:
    sentence = said(logits)
    assert what in sentence
    assert bool(what) == bool(sentence)


def test_many_sigmoids_may_all_say_no() -> None:
    assert said(DRAW.standard_normal((3, 400)) - 20, exclusive=False) == ""


def test_the_built_in_models_raise_no_doubt() -> None:
    for entry in catalogue.models():
        model = load(entry.path, entry.options, name=entry.name)
        assert not [row for row in model.findings if "built-in photos" in row.message]
