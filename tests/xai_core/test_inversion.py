"""Inversion against the paper written out slowly, and on the built-in models of both kinds."""

import dataclasses

import numpy as np
import pytest

from tests.fakes import tiny, twins
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.probes import inversion_priors as priors
from xai_core.probes.inversion import START, Invert, correlation
from xai_core.probes.inversion_descent import moments, slowing
from xai_core.task import silent

PIXELS = np.random.default_rng(2).integers(0, 256, (*tiny.SIZE, 3), np.uint8)


class OneConvolution:
    """A layer that is one 2 x 2 convolution and a square, written out; its slopes are numbers'."""

    labels = ("one", "two")

    def __init__(self):
        self.kernel = np.random.default_rng(5).normal(0, 0.5, (2, 2, 3, 2))

    def activations(self, images, layer):
        count, high, wide, _ = images.shape
        code = np.zeros((count, high - 1, wide - 1, 2))
        for row in range(high - 1):
            for column in range(wide - 1):
                part = images[:, row : row + 2, column : column + 2]
                code[:, row, column] = np.einsum("nabc,abcd->nd", part, self.kernel) ** 2
        return code

    def code_gradients(self, images, layer, code):
        apart = self.distance(images[0].astype(np.float64), code)
        return np.array([apart]), slope_of(
            lambda x: self.distance(x, code), images[0].astype(np.float64)
        )[None]

    def distance(self, picture, code):
        return float(((self.activations(picture[None], "") - code) ** 2).sum())

    def logits(self, images):
        return np.stack([images.mean((1, 2, 3)), np.full(len(images), 0.5)], 1)

    class head:  # noqa: N801 - stands where an instance does
        @staticmethod
        def probabilities(logits):
            return (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)


def slope_of(value, at, step=1e-6):
    """Return a gradient by differences, one value at a time."""
    slope = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        moved = at.copy()
        moved[place] += step
        high = value(moved)
        moved[place] -= 2 * step
        slope[place] = (high - value(moved)) / (2 * step)
    return slope


def total_variation(picture, beta):
    """Equation 4, pixel by pixel."""
    high, wide, colours = picture.shape
    found = 0.0
    for row in range(high):
        for column in range(wide):
            for colour in range(colours):
                here = picture[row, column, colour]
                right = picture[row, column + 1, colour] if column + 1 < wide else here
                below = picture[row + 1, column, colour] if row + 1 < high else here
                found += ((right - here) ** 2 + (below - here) ** 2) ** (beta / 2)
    return found / (high * wide)


def grey_norm(picture, alpha):
    return sum(abs(2 * each - 1) ** alpha for each in picture.ravel()) / picture[..., 0].size


@pytest.mark.parametrize("beta", [1.5, 2.0, 3.0])
def test_variation_is_equation_4(beta):
    picture = np.random.default_rng(1).random((4, 5, 3))
    value, slope = priors.variation(picture, beta)
    assert value == pytest.approx(total_variation(picture, beta))
    np.testing.assert_allclose(
        slope, slope_of(lambda x: total_variation(x, beta), picture), atol=1e-6
    )


@pytest.mark.parametrize("alpha", [2.0, 6.0])
def test_norm_is_the_papers(alpha):
    picture = np.random.default_rng(1).random((4, 5, 3))
    value, slope = priors.norm(picture, alpha)
    assert value == pytest.approx(grey_norm(picture, alpha))
    np.testing.assert_allclose(slope, slope_of(lambda x: grey_norm(x, alpha), picture), atol=1e-6)


def test_the_whole_descent_is_the_papers_written_out():
    model, view = OneConvolution(), np.random.default_rng(3).random((4, 5, 3)).astype(np.float32)
    asked = Invert(
        pixels=PIXELS, layers=("a",), steps=10, variation=0.4, norm=0.2, beta=2.0, alpha=6.0,
        descent="momentum", rate=0.1, seed=4,
    )  # fmt: skip
    code = model.activations(view[None].astype(np.float64), "")[0]
    square = float((code**2).sum())

    def energy(picture):
        distance = model.distance(picture.astype(np.float32).astype(np.float64), code) / square
        return distance + 0.4 * total_variation(picture, 2.0) + 0.2 * grey_norm(picture, 6.0)

    noise = np.random.default_rng(4).standard_normal(view.shape)
    picture, move, pixels = np.clip(0.5 + START * noise, 0, 1), 0.0, 4 * 5
    apart = []
    for at in range(10):
        apart.append(model.distance(picture, code) / square)
        rate = 0.1 * (1 + np.cos(np.pi * at / 10)) / 2 * pixels / 10
        move = 0.9 * move - rate * slope_of(energy, picture, 1e-4)
        picture = np.clip(picture + move, 0, 1)
    made = asked.inverted(model, view, silent)
    np.testing.assert_allclose(made.pictures[0], 255 * picture, atol=1)
    np.testing.assert_allclose(made.distances[:-1, 0], apart, rtol=2e-3)
    shown = made.pictures[0] / 255
    assert made.distances[-1, 0] == pytest.approx(model.distance(shown, code) / square, rel=1e-3)
    assert made.distances[-1, 0] < 0.6 * made.distances[0, 0]
    assert made.correlations[0] == pytest.approx(
        np.corrcoef(shown.ravel(), view.ravel())[0, 1], abs=1e-9
    )


def test_torch_and_keras_go_the_same_way():
    made = []
    for model, names in ((tiny.torch_model(), ("1", "4")), (tiny.keras_model(), ("a", "b"))):
        view, _ = model.preprocessing.view(PIXELS)
        made.append(Invert(pixels=PIXELS, layers=names, steps=20).inverted(model, view, silent))
    one, other = made
    assert one.at.tolist() == other.at.tolist()
    assert (one.distances[-1] < one.distances[0] / 2).all()
    np.testing.assert_allclose(one.distances, other.distances, rtol=1e-3)
    np.testing.assert_allclose(one.pictures, other.pictures, atol=2)
    np.testing.assert_allclose(one.chances, other.chances, atol=1e-3)


@pytest.mark.parametrize("twin", [0, 1])
def test_an_early_layer_gives_the_photo_back_and_a_late_one_does_not(twin, whole_twins):
    model = whole_twins[twin]
    rows = model.layers()
    early, late = rows[0].name, rows[-1].name
    view = twins.views(model)[0]
    asked = Invert(pixels=PIXELS, layers=(early, late), steps=100)
    made = asked.inverted(model, view, silent)
    made.consistent(len(model.labels))
    assert made.correlations[0] >= 0.9
    assert abs(made.correlations[1]) < 0.5
    falls = made.distances[0] / made.distances[-1]
    assert falls[0] > 100
    assert falls[1] > 20
    code = model.activations(view[None], late)[0].astype(np.float64)
    shown = made.pictures[1:].astype(np.float32) / 255
    apart = ((model.activations(shown, late)[0] - code) ** 2).sum() / (code**2).sum()
    assert made.distances[-1, 1] == pytest.approx(apart, rel=1e-3)
    said = model.head.probabilities(model.logits(shown))[0]
    assert made.firsts[1] == said.argmax()
    assert made.chances[1] == pytest.approx(said[made.first], abs=1e-5)


class Stops:
    """Asks to stop after so many steps."""

    def __init__(self, after):
        self.after, self.stopping, self.told = after, False, []

    def __call__(self, done, total, partial=None, arrays=None):
        self.told.append((done, total, sorted(arrays)))
        self.stopping = done >= self.after


def test_a_stop_keeps_what_there_is():
    model = tiny.torch_model()
    view, _ = model.preprocessing.view(PIXELS)
    stops = Stops(7)
    made = Invert(pixels=PIXELS, layers=("1",), steps=50).inverted(model, view, stops)
    assert made.done == made.at[-1] == 7
    assert len(made.distances) == 8
    made.consistent(3)
    assert stops.told[0] == (1, 50, ["distances", "pictures"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layers": ()}, "layers must be 1 to 6"),
        ({"layers": ("1", "1")}, "each once"),
        ({"steps": 5}, "steps must be from 10"),
        ({"rate": 0.9}, "rate must be"),
        ({"descent": "newton"}, "descent must be one of"),
    ],
)
def test_what_is_refused(change, said):
    with pytest.raises(ParamError, match=said):
        Invert(**{"pixels": PIXELS, "layers": ("1",)} | change)


def test_a_large_view_keeps_fewer_frames_and_too_large_a_one_is_refused():
    model = OneConvolution()
    asked = Invert(pixels=PIXELS, layers=tuple("abcdef"))
    with pytest.raises(ParamError, match="fewer layers"):
        asked.inverted(model, np.zeros((2048, 2048, 3), np.float32), silent)


def test_a_code_of_zeros_is_refused():
    model = OneConvolution()
    with pytest.raises(UnsupportedModel, match="zero all over"):
        Invert(pixels=PIXELS, layers=("a",)).inverted(
            model, np.zeros((4, 4, 3), np.float32), silent
        )


def test_what_does_not_fit_is_refused():
    model = tiny.torch_model()
    view, _ = model.preprocessing.view(PIXELS)
    asked = Invert(pixels=PIXELS, layers=("1",), steps=10)
    made = asked.inverted(model, view, silent)
    asked.check(made, None)
    for change in (
        {"at": made.at[::-1]},
        {"distances": made.distances[1:]},
        {"distances": np.full_like(made.distances, np.nan)},
        {"correlations": np.array([3.0])},
        {"chance": 1.5},
        {"firsts": np.array([-1], np.int32)},
        {"layers": ("3",)},
    ):
        with pytest.raises(ValueError, match=r"inversion|frames|that are none|layers"):
            asked.check(dataclasses.replace(made, **change), None)


def test_moments_and_rates():
    assert moments(200, 5) == [0, 12, 50, 112, 200]
    assert moments(3, 60) == [0, 1, 2, 3]
    assert slowing(0.1, 0, 10) == 0.1
    assert slowing(0.1, 10, 10) == pytest.approx(0)
    assert correlation(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 3), np.float32)) == 0
