"""Each preset shows on the built-in digits what it is named for, and no other one does."""

import dataclasses
import functools

import numpy as np
import pytest

from xai_core.task import silent
from xai_core.training import mlp_verdict as verdict
from xai_core.training.course import train
from xai_core.training.digits import digits
from xai_core.training.mlp_learner import MlpLearner, one_thread
from xai_core.training.mlp_presets import PRESETS
from xai_core.training.recording import Recording, Writer


@functools.cache
def made(name):
    settings = next(each for each in PRESETS if each.name == name).settings()
    with one_thread():
        learner = MlpLearner(settings, digits())
        recording = train(learner, epochs=settings.epochs, progress=silent).recording
    return dataclasses.replace(recording, scalars={"learned": len(learner._y)})


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("healthy", "fits"),
        ("overfit", "overfits"),
        ("underfit", "underfits"),
        ("dying", "fits"),
        ("noise", "overfits"),
    ],
)
def test_a_preset_shows_what_it_is_named_for(name, fits):
    recording = made(name)
    assert verdict.fit(recording) == fits
    said = " ".join(verdict.says(recording, "layer 1"))
    units, dark, dead = verdict.dark(recording, "layer 1")
    assert dead <= dark
    if name == "dying":
        assert dead > units // 2
        assert f"{dead} units answer to none of the 4,000 training digits" in said
        assert "does not overfit" in said
    else:
        assert dead < units // 5
    if name == "overfit":
        assert "It overfits from epoch" in said
    learned = recording.curves.get("accuracy on wrong labels")
    assert (learned is not None) == (name == "noise")
    if learned is not None:
        assert learned[-1] > 0.9
        assert "learned them by heart" in said


def by_hand(held, loss, right=(0.9,), held_right=(0.9,), values=None):
    epochs = len(held)
    writer = Writer()
    for _ in range(epochs):
        writer.add(np.ones((10, 4), np.float32) if values is None else values)
    curves = {
        verdict.LOSS: loss,
        verdict.HELD_OUT: held,
        verdict.RIGHT: [*right] * epochs if len(right) == 1 else right,
        verdict.HELD_RIGHT: [*held_right] * epochs if len(held_right) == 1 else held_right,
    }
    return Recording(
        frames={"layer 1": writer.made()},
        curves={name: np.array(curve, np.float32) for name, curve in curves.items()},
        arrays={"each active layer 1": np.full((epochs, 4), 7, np.uint8)},
        chosen=epochs - 1,
        scalars={"learned": 100},
    )


def test_overfitting_is_read_off_the_curves_alone():
    falling, rising = [1.0, 0.5, 0.3, 0.1], [1.0, 0.6, 0.7, 0.9]
    lines = np.ones((10, 4), np.float32)
    lines[:, 1:] = 0
    for values in (None, lines):
        assert verdict.fit(by_hand(rising, falling, values=values)) == "overfits"
        assert verdict.fit(by_hand([1, 0.6, 0.5, 0.4], falling, values=values)) == "fits"
    # both losses rise: it fell apart, and did not learn by heart
    assert verdict.fit(by_hand(rising, [1.0, 0.5, 0.6, 0.8], right=(0.5,), held_right=(0.5,))) == (
        "underfits"
    )
    assert verdict.fit(by_hand([1, 0.9], [1, 0.5], right=(1.0,), held_right=(0.85,))) == "overfits"
    early = dataclasses.replace(by_hand(rising, falling), chosen=1)
    assert verdict.fit(early) == "fits"


def test_dark_lines_are_said_to_be_what_they_are():
    lines = np.ones((10, 4), np.float32)
    lines[:, 1:] = 0
    recording = by_hand([1, 0.5], [1, 0.5], values=lines)
    assert verdict.dark(recording, "layer 1") == (4, 3, 0)
    said = verdict.lines_say(recording, "layer 1")
    assert "3 only answer to other digits" in said
    assert "nothing about overfitting" in said
    assert "no dark line" in verdict.lines_say(by_hand([1], [1]), "layer 1")
