"""Two maps of one view: rank correlation, overlap and where they differ, against hand-made ones."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from tests.fakes.explained import explanation
from xai_core.agreement import Agreement, agreement, apart, resolution, same_question
from xai_core.errors import ParamError
from xai_core.grain import Cells, Patches, Superpixels
from xai_core.model import Geometry
from xai_core.report import agreement_sentences, pair_sentence
from xai_core.report.agreement import verdict
from xai_core.target import ClassTarget

SIZE = (12, 20)
NBSP = "\u00a0"


def drawn(seed, size=SIZE):
    return np.random.default_rng(seed).random(size).astype(np.float32)


def signed(seed):
    return np.random.default_rng(seed).normal(size=SIZE).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_pixels_are_ranked_as_scipy_ranks_them(seed):
    first, second = drawn(seed), drawn(seed) + drawn(seed + 9)
    first[:3] = 0.5  # equal ranks
    found = agreement(explanation(first), explanation(second))
    assert (found.rows, found.columns) == SIZE
    assert found.rank == pytest.approx(spearmanr(first.ravel(), second.ravel()).statistic)
    assert found.apart.shape == SIZE


def test_cells_and_patches_meet_on_the_coarser_grid():
    cells, fine = drawn(1, (6, 4)), drawn(2)
    one = explanation(np.kron(cells, np.ones((2, 5))), grain=Cells(6, 4, cells))
    two = explanation(fine, grain=Patches(height=4, width=2), signed=True)
    found = agreement(one, two)
    assert (found.rows, found.columns) == (3, 4)
    coarse = [cells.reshape(3, 2, 4).mean(1), fine.reshape(3, 4, 4, 5).mean((1, 3))]
    wanted = spearmanr(coarse[0].ravel(), coarse[1].ravel()).statistic
    assert found.rank == pytest.approx(wanted)
    # the difference of ranks, 0 the weakest and 1 the strongest, in cells of that grid
    ranks = [each.ravel().argsort().argsort().reshape(3, 4) / 11 for each in coarse]
    np.testing.assert_allclose(found.apart[::4, ::5], ranks[0] - ranks[1], atol=1e-6)
    assert len(np.unique(found.apart[:4, :5])) == 1
    assert agreement(two, one).rank == pytest.approx(wanted)


def test_what_a_map_can_tell_apart():
    labels = np.zeros(SIZE, np.int32)
    labels[:, 5:10], labels[:, 10:15], labels[:, 15:] = 1, 2, 7
    parts = Superpixels(labels, np.arange(9.0))
    assert resolution(explanation(labels, grain=parts)) == (2, 2)
    assert resolution(explanation(labels, grain=Cells(40, 5))) == (12, 5)
    assert resolution(explanation(labels, grain=Patches(height=5, width=20))) == (2, 1)
    assert resolution(explanation(labels)) == SIZE


def test_overlap_of_sets_made_by_hand():
    first, second = np.full(SIZE, 0.1), np.full(SIZE, 0.1)
    first[0], first[1, :4] = 2, 1  # 24 of 240 pixels: exactly a tenth
    second[0, :12], second[5, :12] = 1, 3
    found = agreement(explanation(first), explanation(second))
    assert found.overlap == pytest.approx(12 / (24 + 24 - 12))
    assert found.chance == pytest.approx(24 / (480 - 24))
    half = agreement(explanation(first), explanation(second), strongest=20 / 240)
    assert half.overlap == pytest.approx(12 / (20 + 24 - 12))  # a tie has no first
    assert agreement(explanation(first), explanation(first)).overlap == 1
    few = np.zeros(SIZE)
    few[0, :6] = 1
    assert agreement(explanation(few), explanation(first)).overlap == pytest.approx(6 / 24)


def test_two_random_maps_overlap_by_chance():
    found = [agreement(explanation(drawn(at)), explanation(drawn(at + 50))) for at in range(30)]
    assert np.mean([each.overlap for each in found]) == pytest.approx(found[0].chance, abs=0.02)
    assert abs(np.mean([each.rank for each in found])) < 0.05


def test_what_speaks_against_counts_only_where_both_have_it():
    one, two = signed(1), signed(1) + signed(2)
    both = agreement(explanation(one, signed=True), explanation(two, signed=True))
    assert both.rank == pytest.approx(spearmanr(one.ravel(), two.ravel()).statistic)
    cut = agreement(explanation(one, signed=True), explanation(np.maximum(two, 0)))
    wanted = spearmanr(np.maximum(one, 0).ravel(), np.maximum(two, 0).ravel()).statistic
    assert cut.rank == pytest.approx(wanted)
    assert both.rank != pytest.approx(cut.rank)


def test_flat_maps_have_no_correlation():
    flat, some = explanation(np.zeros(SIZE)), explanation(drawn(1))
    assert agreement(flat, some).rank is None
    assert agreement(flat, some).overlap == 0
    assert agreement(flat, flat).overlap is None
    one = explanation(np.ones((1, 1)))
    assert agreement(one, one).rank is None


def test_other_photos_and_other_views_are_refused():
    here, there = (explanation(drawn(1), image_hash=name) for name in ("a", "b"))
    with pytest.raises(ParamError, match="explain different photos"):
        agreement(here, there)
    small = explanation(drawn(1, (6, 10)), image_hash="a")
    with pytest.raises(ParamError, match=r"different views of the photo \(12 x 20 and 6 x 10"):
        agreement(here, small)
    placed = [Geometry((40, 40), (0, left, 24, left + 40), SIZE) for left in (0, 1)]
    with pytest.raises(ParamError, match="different views"):
        agreement(*(explanation(drawn(1), geometry=each) for each in placed))  # of which photo?
    corners = [Geometry((40, 40), (at, at, at + 24, at + 24), SIZE) for at in (0, 14)]
    with pytest.raises(ParamError, match="hardly overlap"):
        agreement(*(explanation(drawn(1), geometry=each, image_hash="a") for each in corners))
    assert apart(here, here) == ""


def on(photo, box, values, **more):
    """Return a map that lies on a box of a photo."""
    return explanation(values, geometry=Geometry(photo, box, values.shape), image_hash="a", **more)


def test_two_models_that_see_the_photo_at_two_sizes_meet_in_the_photo():
    photo, coarse = (60, 80), drawn(3, (6, 8))
    fine = np.kron(coarse, np.ones((4, 4), np.float32))  # the same places, four times as fine
    one, two = on(photo, (0, 0, 60, 80), coarse), on(photo, (0, 0, 60, 80), fine)
    found = agreement(one, two)
    assert (found.rows, found.columns, found.common) == (6, 8, 1)
    assert found.rank == pytest.approx(1)
    assert found.overlap == 1
    assert np.abs(found.apart).max() == 0
    other = drawn(4, (24, 32))
    mixed = agreement(one, on(photo, (0, 0, 60, 80), other))
    means = other.reshape(6, 4, 8, 4).mean((1, 3))
    assert mixed.rank == pytest.approx(spearmanr(coarse.ravel(), means.ravel()).statistic)


def test_a_crop_is_compared_where_both_models_see_the_photo():
    photo, whole = (60, 80), drawn(5, (12, 16))  # five pixels a cell
    crop = whole[:, 2:14] + 3  # the middle: columns 10 to 70
    found = agreement(on(photo, (0, 0, 60, 80), whole), on(photo, (0.0, 10.0, 60.0, 70.0), crop))
    assert (found.rows, found.columns) == (12, 12)
    assert found.rank == pytest.approx(1)
    assert found.common == pytest.approx(60 / 80)
    assert found.placed == Geometry(photo, (0.0, 10.0, 60.0, 70.0), (12, 12))
    assert found.apart.shape == (12, 12)
    padded = on(photo, (-10.0, 0.0, 70.0, 80.0), np.pad(whole, ((2, 2), (0, 0))))
    outside = agreement(on(photo, (0, 0, 60, 80), whole), padded)  # sees more than there is
    assert outside.rank == pytest.approx(1)
    assert outside.common == 1


def test_one_model_prepared_in_two_ways_is_not_the_same_question():
    photo = (60, 80)
    one = on(photo, (0, 0, 60, 80), drawn(1), model_hash="m")
    two = on(photo, (0.0, 10.0, 60.0, 70.0), drawn(1), model_hash="m")
    assert not same_question(one, two)


def test_the_same_question():
    def run(**more):
        return explanation(drawn(1), **{"image_hash": "a", "model_hash": "m"} | more)

    assert same_question(run(), run(method="occlusion"))
    assert same_question(run(), run(parameters={"layer": "x"}))
    assert not same_question(run(), run(target=ClassTarget(1, against=0)))
    assert not same_question(run(), run(model_hash="n"))
    assert not same_question(run(), run(image_hash="b"))
    assert not same_question(run(), run(image_hash=""))


def plain(sentences):
    return [each.replace(NBSP, " ") for each in sentences]


def test_agreement_in_words():
    base = np.zeros(SIZE)
    base[:2, :12] = np.arange(24).reshape(2, 12) + 5
    near = base + 0.5 * (base > 0)
    other = np.roll(base, 6, 0)
    found = [
        (called, agreement(explanation(base), explanation(each)))
        for called, each in (("Occlusion", near), ("LIME", other), ("a blank", base * 0))
    ]
    rank = spearmanr(base.ravel(), other.ravel()).statistic
    assert plain(agreement_sentences(found)) == [
        "On the same question, Occlusion agrees: the rank correlation is 1.00, and 100 % of what "
        "either counts among its strongest 10 % is in both (by chance about 5 %).",
        f"On the same question, LIME disagrees: the rank correlation is \u2212{-rank:.2f}, and 0 % "
        "of what either counts among its strongest 10 % is in both (by chance about 5 %).",
        "On the same question, a blank cannot be compared: one of the two maps is flat.",
        "1 of 3 other runs on the same question agrees with this map.",
        "Two maps that agree may still be wrong in the same way.",
    ]
    assert len(agreement_sentences(found[:1])) == 2
    assert "2 of 2 other runs on the same question agree " in agreement_sentences(found[:1] * 2)[2]
    assert agreement_sentences([]) == []
    half = base.copy()
    half[0, :12] = 0
    assert verdict(agreement(explanation(base), explanation(half))) == "agrees in part"


def test_a_pair_in_words():
    base = explanation(drawn(1))
    assert plain([pair_sentence("Run 1", "run 3", agreement(base, base))]) == [
        "Run 1 and run 3 agree: the rank correlation is 1.00, and 100 % of what either counts "
        "among its strongest 10 % is in both (by chance about 5 %)."
    ]
    other = agreement(base, explanation(1 - drawn(1)))
    assert pair_sentence("Run 1", "run 2", other).startswith("Run 1 and run 2 disagree: the rank")
    flat = agreement(base, explanation(np.zeros(SIZE)))
    assert "cannot be compared" in pair_sentence("Run 1", "run 2", flat)


@pytest.mark.parametrize(
    ("rank", "overlap", "said"),
    [
        (0.7, 0.6, "agrees"),
        (0.7, 0.5, "agrees in part"),
        (0.1, 0.4, "agrees in part"),
        (0.4, 0.1, "agrees in part"),
        (0.2, 0.2, "disagrees"),
        (None, 0.9, ""),
        (0.9, None, ""),
    ],
)
def test_a_verdict_asks_both_numbers(rank, overlap, said):
    made = Agreement(rank, overlap, 0.05, 1, 1, np.zeros((1, 1), np.float32))
    assert verdict(made) == said
