"""Activation maximisation: what a picture is made of, and what the built-in models say of it."""

import dataclasses

import numpy as np
import pytest

from loaders import catalogue
from loaders.load import load
from tests.fakes import tiny
from tests.xai_core.test_inversion import Stops, slope_of
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.probes.maximisation import PAINTS, Maximise
from xai_core.probes.maximisation_paint import Frequencies
from xai_core.target import BoxTarget, ClassTarget, UnitTarget
from xai_core.task import silent


@pytest.mark.parametrize("size", [(6, 8), (5, 7)])
@pytest.mark.parametrize("space", PAINTS)
def test_the_way_back_is_the_gradient(space, size):
    paint = PAINTS[space](size, np.random.default_rng(1))
    weights = np.random.default_rng(2).normal(size=(*size, 3))
    start = paint.values

    def value(values):
        paint.values = values
        return float((paint.picture() * weights).sum())

    wanted = slope_of(value, start)
    value(start)
    np.testing.assert_allclose(paint.back(weights), wanted, atol=1e-6)


def test_frequencies_are_a_slow_transform():
    paint = Frequencies((4, 6), np.random.default_rng(1))
    picture = paint.picture()
    spectrum = np.zeros((4, 6, 3), complex)
    half = (paint.values[0] + 1j * paint.values[1]) * paint._scale
    for row in range(4):
        for column in range(6):
            if column <= 3:
                spectrum[row, column] = half[row, column]
            else:
                spectrum[row, column] = np.conj(half[-row % 4, 6 - column])
    for column in (0, 3):  # those hold their own counterparts: what is real of a wave counts
        kept = spectrum[:, column].copy()
        for row in range(4):
            spectrum[row, column] = (kept[row] + np.conj(kept[-row % 4])) / 2
    rows, columns = np.indices((4, 6))
    mix = np.array([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]])
    mix = mix / np.sqrt((mix**2).sum(0)).max()
    for y in range(4):
        for x in range(6):
            turns = np.exp(2j * np.pi * (rows * y / 4 + columns * x / 6))
            wave = mix @ ((spectrum * turns[..., None]).sum((0, 1)).real / 24)
            np.testing.assert_allclose(picture[y, x], 1 / (1 + np.exp(-wave)), atol=1e-9)


@pytest.mark.parametrize("name", [entry.name for entry in catalogue.models()])
def test_every_class_of_the_built_in_models_is_reached(name):
    entry = catalogue.find(name)
    model = load(entry.path, entry.options, name=entry.name)
    for index in range(len(model.labels)):
        made = Maximise(target=ClassTarget(index), steps=40).maximised(model, None, silent)
        made.consistent(len(model.labels))
        assert made.probabilities[-1, index] >= 0.99
        assert made.scores[-1] > made.scores[0]
        said = model.logits(made.picture[None].astype(np.float32) / 255)
        assert made.scores[-1] == pytest.approx(said[0, index], rel=1e-3)


@pytest.mark.parametrize("space", PAINTS)
def test_a_unit_rises_above_what_a_photo_gives(space):
    model = tiny.torch_model()
    pixels = np.random.default_rng(2).integers(0, 256, (*tiny.SIZE, 3), np.uint8)
    view, _ = model.preprocessing.view(pixels)
    target = UnitTarget("4", 2)
    asked = Maximise(target=target, pixels=pixels, steps=80, space=space, jitter=2, blur=0.5)
    made = asked.maximised(model, view, silent)
    assert made.photo == pytest.approx(float(target.of_views(model, view[None])[0]), rel=1e-4)
    assert made.scores[-1] > max(made.photo, made.scores[0])


def test_torch_and_keras_climb_alike():
    made = [
        Maximise(target=ClassTarget(1), steps=20, jitter=2).maximised(model, None, silent)
        for model in (tiny.torch_model(), tiny.keras_model())
    ]
    np.testing.assert_allclose(made[0].scores, made[1].scores, rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(made[0].picture, made[1].picture, atol=3)


class Silent:
    """A model whose unit answers to strong contrasts, or to nothing."""

    labels, input_size = ("one", "two"), (8, 8)

    def __init__(self, least):
        self.least = least

    def gradients(self, images, target):
        return np.full_like(images, 1.0 if np.ptp(images) > self.least else 0.0)

    def logits(self, images):
        return np.stack([images.mean((1, 2, 3)), images.mean((1, 2, 3))], 1)

    class head:  # noqa: N801 - stands where an instance does
        @staticmethod
        def probabilities(logits):
            return np.full_like(logits, 0.5)


@pytest.mark.parametrize("space", PAINTS)
def test_a_silent_unit_gets_a_start_of_more_contrast(space):
    asked = Maximise(target=ClassTarget(0), steps=10, space=space)
    assert asked.maximised(Silent(0.0), None, silent).contrast == 1
    assert asked.maximised(Silent(0.6), None, silent).contrast > 1
    with pytest.raises(UnsupportedModel, match="answers to none of the starts"):
        asked.maximised(Silent(2.0), None, silent)


def test_a_stop_keeps_what_there_is():
    stops = Stops(5)
    made = Maximise(target=ClassTarget(0), steps=50).maximised(tiny.torch_model(), None, stops)
    assert made.done == made.at[-1] == 5
    made.consistent(3)
    assert stops.told[-1] == (5, 50, ["picture"])


def test_what_is_refused():
    with pytest.raises(ParamError, match="blur must be"):
        Maximise(target=ClassTarget(0), blur=9.0)
    with pytest.raises(ParamError, match="from 0 to 2"):
        Maximise(target=ClassTarget(7)).maximised(tiny.torch_model(), None, silent)
    with pytest.raises(ParamError, match="detector"):
        Maximise(target=BoxTarget((0, 0, 1, 1), 0)).maximised(tiny.torch_model(), None, silent)


def test_what_does_not_fit_is_refused():
    asked = Maximise(target=ClassTarget(0), steps=10)
    made = asked.maximised(tiny.torch_model(), None, silent)
    asked.check(made, None)
    for change in (
        {"target": ClassTarget(1)},
        {"at": made.at[::-1]},
        {"scores": made.scores[1:]},
        {"scores": np.full_like(made.scores, np.nan)},
        {"probabilities": made.probabilities + 1},
        {"photo": 1.0},
        {"contrast": 2.0},
    ):
        with pytest.raises(ValueError, match=r"frames|scores|target|photo"):
            asked.check(dataclasses.replace(made, **change), None)
