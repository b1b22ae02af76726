"""Masking, against a linear model: what hiding does to its score has a closed form."""

import numpy as np
import pytest

from tests.fakes.linear import LinearModel
from xai_core.errors import ParamError
from xai_core.grain import Superpixels
from xai_core.perturb import baseline
from xai_core.probes.areas import LUMINANCE, flip
from xai_core.probes.fills import FILLS, INPAINTED, filled
from xai_core.probes.masking import ORDERS, POINTS, Masking
from xai_core.report.masked import masked_facts, masked_sentences
from xai_core.target import ClassTarget
from xai_core.task import silent

SIZE = (20, 16)
LABELS = ("ring", "star", "heart")
NO_PHOTO = np.zeros((4, 4, 3), np.uint8)
NBSP = "\u00a0"


def rng(seed=0):
    return np.random.default_rng(seed)


def linear(seed=1, scale=1.0):
    return LinearModel((scale * rng(seed).normal(size=(3, *SIZE, 3))).astype(np.float32))


def photo(seed=2):
    return rng(seed).random((*SIZE, 3), np.float32)


def masked(attribution, model=None, image=None, **values):
    values = {"target": ClassTarget(1), "draws": 3} | values
    task = Masking(pixels=NO_PHOTO, attribution=np.asarray(attribution, np.float32), **values)
    made = task.masked(model or linear(), photo() if image is None else image, silent)
    task.check(made, None)
    return made


@pytest.mark.parametrize("way", ["hide", "keep"])
@pytest.mark.parametrize("fill", ["mean", "grey", "black", "blur", "noise"])
def test_each_answer_is_the_closed_form(way, fill):
    model, image, scores = linear(), photo(), rng(5).random(SIZE)
    made = masked(scores, model, image, way=way, fill=fill)
    shown = baseline(fill, image)

    def known(area):
        hidden = area if way == "hide" else ~area
        view = np.where(hidden[..., None], shown, image)
        return pytest.approx(float((model.weights[1] * view).sum(dtype=np.float64)), abs=1e-3)

    ranked = np.argsort(-scores.ravel())
    light = np.argsort(-(image @ np.array(LUMINANCE)).ravel())
    for point, count in enumerate(made.counts):
        strongest, brightest, least = (np.zeros(scores.size, bool) for _ in range(3))
        strongest[ranked[:count]] = brightest[light[:count]] = True
        least[ranked[len(ranked) - count :]] = True
        for order, flat in (("strongest", strongest), ("brightest", brightest), ("least", least)):
            area = flat.reshape(SIZE)
            assert (made.area(order, point) == area).all()
            assert getattr(made, order).scores[point] == known(area)
        for draw, shift in enumerate(made.shifts):
            moved = np.roll(strongest.reshape(SIZE), shift, (0, 1))
            assert (made.drawn(point, draw) == moved).all()
            assert made.random.scores[point, draw] == known(moved)
    assert made.whole.scores[0] == pytest.approx(float((model.weights[1] * image).sum()), abs=1e-3)
    assert made.blank.scores[0] == pytest.approx(float((model.weights[1] * shown).sum()), abs=1e-3)


def test_a_control_is_as_large_as_the_area_to_the_pixel():
    """With parts of unequal sizes, where whole parts of the other end would not fit."""
    labels = np.zeros(SIZE, np.int32)
    labels[:7, :5], labels[7:, :5], labels[:, 5:7] = 1, 2, 3
    weights = np.array([0.1, 0.9, 0.5, 0.7])
    made = masked(weights[labels], grain=Superpixels(labels, weights))
    sizes = np.bincount(labels.ravel())
    assert made.counts.tolist() == [0, sizes[1], sizes[1] + sizes[3],
                                    sizes[1] + sizes[3] + sizes[2], labels.size]  # fmt: skip
    for point, count in enumerate(made.counts):
        assert {int(made.area(order, point).sum()) for order in ORDERS} == {count}
        assert {int(made.drawn(point, draw).sum()) for draw in range(3)} == {count}
    # whole parts of the map are taken, in its order
    assert (made.area("strongest", 1) == (labels == 1)).all()


def test_a_random_area_is_the_same_region_elsewhere():
    made = masked(rng(3).random(SIZE), draws=8)
    assert (made.shifts != 0).any(1).all()
    for draw, shift in enumerate(made.shifts):
        back = np.roll(made.drawn(4, draw), -shift, (0, 1))
        assert (back == made.area("strongest", 4)).all()


def test_a_signed_map_s_least_important_are_those_near_zero():
    values = rng(4).normal(size=SIZE)
    made = masked(values, signed=True)
    point = 6
    least = np.abs(values)[made.area("least", point)]
    assert least.max() <= np.abs(values)[~made.area("least", point)].min()
    assert (
        values[made.area("strongest", point)].min() >= values[~made.area("strongest", point)].max()
    )


@pytest.mark.parametrize("fill", FILLS)
def test_only_what_is_hidden_changes(fill):
    image, hidden = photo(), np.zeros(SIZE, bool)
    hidden[4:9, 3:8] = True
    made = filled(image, hidden, fill)
    assert (made[~hidden] == image[~hidden]).all()
    assert (made[hidden] != image[hidden]).any()
    assert (filled(image, hidden, fill) == made).all()
    assert filled(image, np.ones(SIZE, bool), fill).shape == image.shape


def test_inpainting_continues_what_stands_round_it():
    ramp = np.linspace(0, 1, SIZE[1], dtype=np.float32)
    image = np.broadcast_to(ramp[None, :, None], (*SIZE, 3)).copy()
    hidden = np.zeros(SIZE, bool)
    hidden[8:12, 6:10] = True
    holed = np.where(hidden[..., None], 0, image).astype(np.float32)
    made = filled(holed, hidden, INPAINTED)
    assert np.abs(made - image)[hidden].max() < 0.1
    assert np.abs(filled(holed, hidden, "mean") - image)[hidden].max() > 0.1


def test_where_the_answer_changes():
    assert flip(np.array([1, 1, 2, 1, 0]), 1) == 2
    assert flip(np.array([1, 1]), 1) is None
    assert flip(np.array([2, 0, 1, 1]), 1, keep=True) == 2
    assert flip(np.array([2, 0]), 1, keep=True) is None


def planted():
    """Return a model, a photo and a map: the answer hangs on four pixels that the map marks."""
    weights, image = np.zeros((3, *SIZE, 3), np.float32), np.full((*SIZE, 3), 0.5, np.float32)
    weights[1, 8:10, 8:10], weights[2] = 10, 0.01
    image[8:10, 8:10] = 0.9
    image[:6] = 1.0  # bright, and nothing to the model
    marks = np.zeros(SIZE, np.float32)
    marks[8:10, 8:10] = 1
    return LinearModel(weights), image, marks


def test_the_planted_place_flips_first_and_is_enough():
    model, image, marks = planted()
    made = masked(marks, model, image, fill="black", draws=5)
    found = masked_facts(made, 3)
    four = 4 / marks.size
    assert found["firsts"]["whole"] == 1
    assert found["flips"]["strongest"] == pytest.approx(made.areas[made.areas >= four].min())
    assert found["flips"]["brightest"] > 0.3
    assert found["sooner"] is True
    said = " ".join(masked_sentences(made, LABELS, 3))
    assert "The map finds what the answer hangs on sooner than chance and than brightness" in said
    kept = masked(marks, model, image, fill="black", draws=5, way="keep")
    assert masked_facts(kept, 3)["flips"]["strongest"] <= four + 1 / marks.size
    wrong = masked(-marks, model, image, fill="black", draws=5)
    assert masked_facts(wrong, 3)["sooner"] is False
    assert "do as well as the map" in " ".join(masked_sentences(wrong, LABELS, 3))


@pytest.mark.parametrize("way", ["hide", "keep"])
def test_the_sentences_say_what_was_measured(way):
    model, image, marks = planted()
    made = masked(marks, model, image, fill="black", draws=5, way=way)
    for point in (1, 4, 8):
        found, said = masked_facts(made, point), " ".join(masked_sentences(made, LABELS, point))
        area = f"{made.areas[point] * 100:.0f}{NBSP}%"
        assert f"the strongest {area}" in said
        chances = made.strongest.probabilities[point], made.whole.probabilities[0]
        for chance in chances:
            if 0.005 < chance < 0.995:
                assert f"{chance * 100:.0f}{NBSP}%" in said
        assert found["values"]["random"] == pytest.approx(made.random.probabilities[point])
        changes = int((made.random.firsts[point] != 1).sum())
        if way == "hide":
            assert f"changes the answer in {changes} of 5" in said
        else:
            assert f"the answer is the whole photo\u2019s in {5 - changes} of 5" in said
        assert "a hole that the model has never seen" in said


def test_a_flat_map_tests_nothing():
    made = masked(np.ones(SIZE))
    assert "nothing was tested" in " ".join(masked_sentences(made, LABELS, 2))


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"way": "burn"}, "Masking.way must be one of hide, keep"),
        ({"fill": "pink"}, "Masking.fill must be one of mean"),
        ({"draws": 0}, "Masking.draws must be from 1 to 50"),
        ({"attribution": np.full(SIZE, np.nan, np.float32)}, "must be a finite map"),
    ],
)
def test_bad_values_are_refused(values, match):
    given = {"attribution": np.ones(SIZE, np.float32)} | values
    with pytest.raises(ParamError, match=match):
        Masking(pixels=NO_PHOTO, target=ClassTarget(1), **given)


def test_it_counts_its_passes():
    model = linear()
    task = Masking(pixels=NO_PHOTO, attribution=rng(3).random(SIZE).astype(np.float32),
                   target=ClassTarget(1))  # fmt: skip
    task.masked(model, photo(), silent)
    assert 0 < model.passes <= task.passes == 2 + len(POINTS) * 8
