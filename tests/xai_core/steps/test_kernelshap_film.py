"""KernelSHAP's film against closed forms, and a fit that is solved another way."""

import dataclasses
import math
import re

import numpy as np
import pytest

from tests.fakes import tiny
from tests.fakes.linear import LinearModel
from tests.xai_core.steps.test_films import VIEW, cells, changed, panel
from xai_core import render, stage
from xai_core.explainer import make
from xai_core.film import film_of
from xai_core.perturb import baseline
from xai_core.report import percent, place_of
from xai_core.report.numbers import beside
from xai_core.shapley_line import ENDS, draw
from xai_core.target import ClassTarget

GRID = {"segmentation": "grid", "hide": "black", "seed": 3}


def plain(words):
    """Read a number of a sentence."""
    return float(words.replace("\u2212", "-").replace(",", "").rstrip("."))


def run(model, view, **values):
    return make("kernelshap", GRID | values, size=tiny.SIZE).explain(model, view, ClassTarget(1))


@pytest.fixture(scope="module")
def linear():
    """Return a run on a linear model, its view, and what each superpixel adds by closed form."""
    weights = np.zeros((2, *tiny.SIZE, 3), np.float32)
    weights[1] = np.random.default_rng(4).normal(size=(*tiny.SIZE, 3)) / 50
    weights[1, 2:8, -9:-3] += 0.1
    explanation = run(LinearModel(weights), VIEW, segments=12, samples=120)
    labels = explanation.grain.labels
    gone = VIEW - baseline("black", VIEW)
    each = (weights[1] * gone).sum(2, dtype=np.float64)
    return explanation, np.bincount(labels.ravel(), each.ravel())


@pytest.fixture(scope="module")
def bent():
    """Return a run on a network, whose values depend on what is drawn."""
    return run(tiny.torch_model(), VIEW, segments=12, samples=120)


def solved(explanation, end):
    """Fit the first photos: the last slope is what the others leave of the difference."""
    asked = draw(3, 120, 12).first(end)
    scores = np.asarray(explanation.arrays["scores"][ENDS:end], np.float64)
    none, whole = explanation.scalars["hidden_score"], explanation.scalars["score"]
    on, root = asked.bits[ENDS:].astype(float), np.sqrt(asked.kernel[ENDS:, None])
    free = np.linalg.lstsq(
        root * (on[:, :-1] - on[:, -1:]),
        root[:, 0] * (scores - none - on[:, -1] * (whole - none)),
        rcond=None,
    )[0]
    return np.append(free, whole - none - free.sum())


def test_on_a_linear_model_what_is_put_down_is_its_weights(linear):
    explanation, exact = linear
    made, labels = film_of(explanation, VIEW), explanation.grain.labels
    order = np.argsort(-np.abs(exact), kind="stable")
    level = none = explanation.scalars["hidden_score"]
    assert none == pytest.approx(0)
    put = [frame for frame in made.frames if frame.caption.startswith("Superpixel ")]
    assert len(put) == 6
    top = np.abs(exact).max()
    for rank, (frame, part) in enumerate(zip(put, order, strict=False), 1):
        told = re.fullmatch(r"Superpixel (\d+), (.*), adds (\S+): from (\S+) to (\S+)",
                            frame.caption)  # fmt: skip
        assert told[1] == str(rank)
        assert told[2] == place_of(labels == part)
        values = [level, exact[part], level := level + exact[part]]
        for said, value in zip((told[4], told[3], told[5]), values, strict=True):
            assert plain(said) == pytest.approx(value, abs=0.006)
        shown = np.where(np.isin(labels, order[:rank]), exact[labels], 0).astype(np.float32)
        wanted = cells(shown, signed=True, vmax=top).astype(int)
        assert np.abs(panel(frame.picture, 1) - wanted).max() <= 6
    score = explanation.scalars["score"]
    assert exact.sum() == pytest.approx(score - none, abs=1e-4)
    last = re.fullmatch(
        r"All 12 values add up to (\S+), and lead from (\S+) with all hidden to the photo's (\S+)",
        made.frames[-1].caption,
    )
    assert [plain(each) for each in last.groups()] == pytest.approx([score, 0, score], abs=0.006)
    for rank, row in enumerate(made.steps[3].table.rows):
        assert row[0] == str(rank + 1)
        assert plain(row[1]) == pytest.approx(exact[order[rank]], abs=0.006)
        assert row[3] == place_of(labels == order[rank])


def test_the_values_settle_as_a_fit_of_so_many_photos_does(bent):
    made = film_of(bent, VIEW)
    last, top = bent.grain.weights, np.abs(bent.grain.weights).max()
    np.testing.assert_allclose(solved(bent, 120), last, atol=1e-5)
    looks = [frame for frame in made.frames if frame.caption.startswith("After ")]
    assert len(looks) == 7
    whole = bent.scalars["score"] - bent.scalars["hidden_score"]
    for frame in looks[1:-1]:  # the first has too few for one answer
        told = re.fullmatch(
            r"After (\d+) of 120 masked photos the values add up to (\S+), and are up to (\S+) "
            r"from where they end\.", frame.caption,
        )  # fmt: skip
        end = int(told[1])
        assert plain(told[2]) == pytest.approx(whole, rel=0.01)
        values = solved(bent, end)
        digits = len(told[3].partition(".")[2])
        assert plain(told[3]) == pytest.approx(np.abs(values - last).max(), abs=0.6 * 10**-digits)
        shown = values[bent.grain.labels].astype(np.float32)
        wanted = cells(shown, signed=True, vmax=top).astype(int)
        assert np.abs(panel(frame.picture, 1) - wanted).max() <= 6
    assert looks[-1].caption.startswith("After all 120 masked photos the values add up to ")
    assert plain(looks[-1].caption.rpartition(" ")[2]) == pytest.approx(whole, rel=0.01)


def test_masked_photos_are_those_that_were_scored(bent):
    made, arrays = film_of(bent, VIEW), bent.arrays
    asked, labels, photo = draw(3, 120, 12), bent.grain.labels, render.pixels(VIEW)
    one = [frame for frame in made.frames if frame.caption.startswith("Masked photo ")]
    told = [re.fullmatch(r"Masked photo (\d+) of 120(.*) shows (\d+) of 12 superpixels: the score "
                         r"is (\S+)", frame.caption) for frame in one]  # fmt: skip
    drawn = [int(each[1]) - 1 for each in told]
    assert drawn == [ENDS, asked.known - 1, asked.known, asked.known + 1]
    assert "opposite of the one before" in told[-1][2]
    assert not any(each[2] for each in told[:-1])
    np.testing.assert_array_equal(asked.bits[drawn[-1]], ~asked.bits[drawn[-2]])
    for at, each, shown in zip(drawn, told, made.steps[1].pictures, strict=True):
        assert int(each[3]) == asked.bits[at].sum()
        assert plain(each[4]) == pytest.approx(arrays["scores"][at], abs=0.006)
        seen = np.where(asked.bits[at][labels][..., None], photo, 0)
        np.testing.assert_array_equal(shown.picture, seen)
        assert f", {each[3]} shown: the score is {each[4].rstrip('.')}" in shown.caption
    model = tiny.torch_model()
    views = np.where(asked.bits[drawn][:, labels][..., None], VIEW, np.float32(0))
    np.testing.assert_allclose(model.logits(views)[:, 1], arrays["scores"][drawn], atol=1e-4)
    assert f"{asked.known - ENDS} that show or hide few superpixels" in made.steps[1].sentence
    assert f"{120 - asked.known} were drawn" in made.steps[1].sentence


def test_bars_are_the_kernel_and_the_stairs_lead_to_the_score(bent, monkeypatch):
    drawn, climbed = [], []
    bars, stairs = stage.Stage.bars, stage.Stage.stairs

    def noted(self, values, lit, **within):
        drawn.append((np.asarray(values), list(lit)))
        bars(self, values, lit, **within)

    def taken(self, levels, shown):
        climbed.append((np.asarray(levels), shown))
        stairs(self, levels, shown)

    monkeypatch.setattr(stage.Stage, "bars", noted)
    monkeypatch.setattr(stage.Stage, "stairs", taken)
    made = film_of(bent, VIEW)
    # Lundberg and Lee, theorem 2: one coalition's weight, times how many there are of its size
    each = [11 / (math.comb(12, k) * k * (12 - k)) for k in range(1, 12)]
    kernel = np.array([math.comb(12, k) * w for k, w in zip(range(1, 12), each, strict=True)])
    kernel /= kernel.sum()
    for values, lit in drawn[:5]:
        np.testing.assert_allclose(values, kernel, rtol=1e-6)
        assert lit
    assert drawn[0][1] == [0, 10]
    order = np.argsort(-np.abs(bent.grain.weights), kind="stable")
    ends = [int(re.search(r"\d+", each.caption)[0]) for each in made.frames[8:13]]
    for end, (values, _) in zip(ends, drawn[6:11], strict=True):
        np.testing.assert_allclose(values, solved(bent, end)[order], atol=1e-5)
    said = (
        f"By the Shapley kernel, all photos that show 1 of 12 superpixels count "
        f"{percent(kernel[0])} together, as do those that hide 1; those that show 6, of which "
        f"there are most, count {percent(kernel[5])}."
    )
    assert made.frames[2].caption == said
    assert said in made.steps[2].sentence
    none, whole = bent.scalars["hidden_score"], bent.scalars["score"]
    wanted = none + np.cumsum(np.append(0, bent.grain.weights[order]))
    assert wanted[-1] == pytest.approx(whole, abs=1e-9)
    np.testing.assert_allclose(climbed[0][0], [none, whole])
    assert [shown for _, shown in climbed[1:]] == [1, 2, 3, 4, 5, 6, 12, 12]
    for levels, _ in climbed[1:]:
        np.testing.assert_allclose(levels, wanted, atol=1e-9)


def test_stairs_go_up_in_the_accent_and_down_in_ink():
    blank = np.zeros((40, 40, 3), np.uint8)
    drawn = stage.Stage([(blank, "")])
    drawn.stairs(np.array([0.0, 1.0, 0.25, 0.5]), 2)
    top, left, bottom, right = drawn.strip
    picture, third = drawn.done(), (right - left) / 3
    middle = [round(left + third * (at + 0.5)) for at in range(3)]
    tall = bottom - top
    assert tuple(picture[top + tall // 2, middle[0]]) == stage.ACCENT
    assert tuple(picture[top + tall // 2, middle[1]]) == stage.INK
    assert tuple(picture[bottom - tall // 8, middle[1]]) == stage.GROUND
    assert tuple(picture[top + tall // 2 + 6, middle[2]]) == stage.GROUND  # not put down yet
    dashes = picture[round(bottom - tall / 2), middle[2] : middle[2] + 20]
    assert {tuple(each) for each in dashes.tolist()} == {stage.GROUND, stage.QUIET}


@pytest.mark.parametrize(
    ("players", "said"), [(2, "all sizes count alike"), (6, "count 26\u00a0% together")]
)
def test_where_all_are_asked_nothing_is_said_of_chance(players, said):
    explanation = run(tiny.torch_model(), VIEW, segments=players, samples=100)
    made = film_of(explanation, VIEW)
    assert len(explanation.arrays["scores"]) == 2**players
    assert made.steps[3].table.head == ("Superpixel", "Value", "Where")
    assert f"All {2**players} ways to show some of {players} superpixels" in made.steps[1].sentence
    assert said in made.steps[2].sentence
    assert made.steps[2].sentence.endswith("Each counts its part of that.")
    assert not any("opposite" in frame.caption for frame in made.frames)


def test_a_run_that_ended_early_has_a_film_of_what_it_took():
    explanation = run(tiny.torch_model(), VIEW, segments=12, samples=2000, stop_at=0.7)
    used = len(explanation.arrays["scores"])
    assert used < 2000
    assert any(f"After all {used:,} masked photos" in frame.caption
               for frame in film_of(explanation, VIEW).frames)  # fmt: skip


def test_what_does_not_give_the_map_is_no_film(bent):
    assert film_of(bent, VIEW) is not None
    scores = bent.arrays["scores"]
    bumped = scores.copy()
    bumped[60] += 0.1 * np.ptp(scores)
    for wrong in (scores * 1.1, bumped, scores[:100], np.tile(scores, 200)):
        assert film_of(changed(bent, scores=wrong), VIEW) is None
    for name, value in (("samples", 130), ("seed", 4), ("samples", "many")):
        question = dataclasses.replace(
            bent.question, values=dict(bent.parameters) | {name: value}
        )  # fmt: skip
        assert film_of(dataclasses.replace(bent, question=question), VIEW) is None
    for scalar in ("score", "hidden_score"):
        scalars = dict(bent.scalars) | {scalar: bent.scalars[scalar] + 0.1}
        assert film_of(dataclasses.replace(bent, scalars=scalars), VIEW) is None
    weights = np.append(bent.grain.weights, 0.0)  # one that no pixel belongs to
    for grain in (
        dataclasses.replace(bent.grain, weights=weights),
        dataclasses.replace(bent.grain, weights=bent.grain.weights * 1.01),
        dataclasses.replace(bent.grain, labels=bent.grain.labels * 0, weights=weights[:1]),
    ):
        assert film_of(dataclasses.replace(bent, grain=grain), VIEW) is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((5.434, -0.774, 4.66), ("5.43", "\u22120.77", "4.66")),
        ((0.9, 0.0512, -0.00004), ("0.900", "0.051", "0.000")),
        ((1234.4, -3.4), ("1,234", "\u22123")),
        ((0.0,), ("0.00",)),
    ],
)
def test_numbers_beside_each_other_have_the_same_decimals(values, said):
    assert tuple(beside(value, values[0]) for value in values) == said
