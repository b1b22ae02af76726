"""Runs that end once two halves agree: a planted line whose agreement is known, and mere noise."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge

from tests.fakes.linear import LinearModel
from xai_core import halves
from xai_core.explainer import make
from xai_core.explainers.lime import Lime
from xai_core.explainers.rise import Rise
from xai_core.halves import WAYS, Agreement, Halves, alike, looks, ranked
from xai_core.target import ClassTarget

SIZE = (20, 24)


class Noise(LinearModel):
    """Answers with a number that has nothing to do with where the photo shows."""

    def logits(self, images: Any) -> Any:
        self.passes += len(images)
        seeds = np.abs(images[:, ::3, ::3].sum((1, 2, 3)).view(np.uint32).astype(np.int64))
        return np.array([np.random.default_rng(seed).normal(size=2) for seed in seeds], np.float32)


def easy(kind: type[LinearModel] = LinearModel) -> Any:
    """Return a model for which a place counts the more, the further down and across it lies."""
    weights = np.random.default_rng(0).normal(0, 0.01, (2, *SIZE, 3)).astype(np.float32)
    down, across = (np.linspace(-1, 1, side) for side in SIZE)
    weights[1] += (down[:, None] + 0.5 * across)[..., None]
    return kind(weights)


VIEW = np.random.default_rng(1).random((*SIZE, 3), np.float32)
TARGET = ClassTarget(1)


def test_ranks_and_their_correlation_are_scipys() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 9, (2, 6, 7)).astype(np.float32)
    assert alike(one, other) == pytest.approx(spearmanr(one.ravel(), other.ravel()).statistic)
    assert ranked(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1, 3.5, 2]
    assert alike(one, np.zeros_like(one)) == 0
    assert alike(np.arange(3), np.arange(3)) == 0  # three places have no order worth the name


def test_looks_grow_and_end_at_the_last() -> None:
    found = looks(2000)
    assert found[0] == halves.FEWEST
    assert found[-1] == 2000
    assert all(each % halves.ROUND == 0 for each in found)
    grows = np.diff(found[:-1]) / found[:-2]
    assert (grows > 0).all()
    assert grows[5:].max() < 0.2
    assert looks(80) == [80]
    assert looks(500, fewest=300)[0] == 304


def planted(count: int, asked: float, seed: int, noise: float = 0.0) -> Halves:
    """Take masks of single pixels that are on or off, scored by a line in them."""
    rng, keep = np.random.default_rng(seed), 0.5
    weights = rng.normal(size=SIZE)
    made = Halves(SIZE, [0.0], None, count, asked)
    while made.count < count and not made.done:
        masks = (rng.random((64, *SIZE)) < keep).astype(np.float32)[: count - made.count]
        scores = np.tensordot(masks - keep, weights, 2) + noise * rng.normal(size=len(masks))
        made.add(masks, scores[:, None].astype(np.float32))
    return made


def expected(count: float, noise: float = 0.0) -> float:
    """Return the rank correlation of two halves of so many masks, in closed form.

    A pixel of weight w gets w / 2, and chance of variance s^2 / (count / 2) on top of it, where s^2
    is that of the scores: a quarter of the sum of all squared weights, and the noise's. So halves
    correlate by V / (V + 2 s^2 / count), V = 1/4; of normal values the ranks by 6/pi asin(r/2).
    """
    spread = SIZE[0] * SIZE[1] / 4 + noise**2
    pearson = 0.25 / (0.25 + 2 * spread / count)
    return float(6 / np.pi * np.arcsin(pearson / 2))


@pytest.mark.parametrize(("count", "noise"), [(500, 0.0), (2000, 0.0), (2000, 20.0)])
def test_halves_of_a_planted_line_agree_as_the_closed_form_says(count: int, noise: float) -> None:
    found = [planted(count, 1.0, seed, noise).agreements[0] for seed in range(6)]
    middle = np.mean([(each.low + each.high) / 2 for each in found])
    assert middle == pytest.approx(expected(count, noise), abs=0.03)
    assert all(each.low <= each.high for each in found)


def test_a_planted_line_ends_the_run_where_the_closed_form_reaches_what_was_asked() -> None:
    asked = 0.7
    due = next(count for count in range(100, 9000, 10) if expected(count) >= asked)
    ended = [planted(4 * due, asked, seed) for seed in range(5)]
    assert all(each.done for each in ended)
    # the lowest of three ways lies a little below their mean, and is looked at now and then only
    assert 0.9 * due < np.mean([each.count for each in ended]) < 1.35 * due


def again(scores: np.ndarray, masks: np.ndarray, used: int) -> Agreement:
    """Return the halves' agreement by a slow transcription: quarter i has every fourth mask."""
    maps = {}
    for way in WAYS:
        for half in way:
            own = [at for at in range(used) if at % 4 in half]
            shown = masks[own].astype(np.float64)
            maps[half] = np.tensordot(scores[own], shown, 1) / np.maximum(shown.sum(0), 1e-12)
    found = [spearmanr(maps[one].ravel(), maps[other].ravel()).statistic for one, other in WAYS]
    return Agreement(min(found), max(found))


@pytest.mark.parametrize("batch", [16, 7])
def test_rise_ends_early_on_an_easy_model_and_says_after_how_many(batch: int) -> None:
    model = easy()
    method = Rise(masks=3000, grid=4, stop_at=0.95, batch=batch, seed=3)
    steps: list[tuple[int, int]] = []
    made = method.explain(
        model, VIEW, TARGET, progress=lambda done, total, partial=None: steps.append((done, total))
    )
    used = int(made.scalars["masks_used"])
    assert used < 1000
    assert len(made.arrays["scores"]) == made.arrays["convergence"][-1, 0] == used
    assert made.passes == model.passes == 1 + -(-used // batch) * batch
    assert steps[-1] == (3001, 3001)
    masks = np.empty((used, *SIZE), np.float32)
    method.grids(model).write(masks, 0)
    agreed = again(made.arrays["scores"].astype(np.float64), masks, used)
    assert made.scalars["halves_agree_low"] == pytest.approx(agreed.low, abs=0.002)
    assert made.scalars["halves_agree_high"] == pytest.approx(agreed.high, abs=0.002)
    assert agreed.low > 0.949
    before = [look for look in looks(3000) if look < used]
    if before:
        earlier = again(made.arrays["scores"].astype(np.float64), masks, before[-1])
        assert earlier.low < 0.951
    low, high = made.scalars["halves_agree_low"], made.scalars["halves_agree_high"]
    assert made.way == (
        f"It took {used:,} of at most 3,000 masks: two halves of them, made in 3 ways, agree by a "
        f"rank correlation {Agreement(low, high).words()}, where 0.95 was asked."
    )
    assert not any("below the 0.95" in note for note in made.notes)
    plain = Rise(masks=used, grid=4, seed=3).explain(easy(), VIEW, TARGET)
    np.testing.assert_allclose(made.attribution, plain.attribution, atol=1e-6)
    assert plain.way == ""
    assert "masks_used" not in plain.scalars


def test_rise_takes_all_of_its_masks_for_noise_and_says_so() -> None:
    model = easy(Noise)
    made = Rise(masks=600, grid=4, stop_at=0.9).explain(model, VIEW, TARGET)
    assert made.scalars["masks_used"] == 600
    assert made.passes == model.passes == 601
    low, high = made.scalars["halves_agree_low"], made.scalars["halves_agree_high"]
    assert high < 0.9
    assert made.notes[-1] == (
        "It took all 600 masks, and two halves of them, made in 3 ways, agree by a rank "
        f"correlation {Agreement(low, high).words()}, below the 0.9 that was asked."
    )
    assert made.way == ""


def test_several_targets_end_together_and_a_line_goes_on_what_was_drawn() -> None:
    both = [ClassTarget(1), ClassTarget(1, against=0)]
    runs = Rise(masks=2000, grid=4, stop_at=0.9, line=True).explain_all(easy(), VIEW, both)
    used = {run.scalars["masks_used"] for run in runs}
    assert len(used) == 1
    assert all(run.scalars["halves_agree_low"] >= 0.9 for run in runs)
    plain = Rise(masks=int(used.pop()), grid=4, line=True).explain(easy(), VIEW, TARGET)
    np.testing.assert_allclose(runs[0].attribution, plain.attribution, atol=1e-5)
    assert runs[0].way.startswith("A straight line in what each block")
    assert "where 0.9 was asked." in runs[0].way


@pytest.mark.parametrize("name", ["rise", "lime", "kernelshap"])
def test_by_itself_a_run_takes_all_and_with_it_at_most_all(name: str) -> None:
    model = easy()
    plain, short = make(name, {}), make(name, {"stop_at": 0.9})
    assert plain.stop_at == halves.NEVER  # type: ignore[attr-defined]
    assert not plain.cost(model).at_most
    assert short.cost(model).at_most
    assert short.cost(model).passes == plain.cost(model).passes


LIME = {"segmentation": "grid", "segments": 30, "hide": "black", "seed": 2}


def test_lime_ends_early_on_a_line_and_its_halves_are_two_ridge_fits() -> None:
    model = easy()
    made = Lime(samples=2000, stop_at=0.9, **LIME).explain(model, VIEW, TARGET)  # type: ignore[arg-type]
    used = int(made.scalars["samples_used"])
    assert used < 500
    assert len(made.arrays["scores"]) == len(made.arrays["kernel"]) == used
    assert used <= made.passes == model.passes < used + 16
    from xai_core.explainers.lime import draw

    bits = draw(2, 2000, int(made.scalars["segments"]))[:used].astype(float)
    scores, kernel = made.arrays["scores"], made.arrays["kernel"]
    fits = {}
    for half in (half for way in WAYS for half in way):
        own = [at for at in range(used) if at % 4 in half]
        ridge = Ridge(alpha=1).fit(bits[own], scores[own], sample_weight=kernel[own])
        fits[half] = ridge.coef_
    found = [spearmanr(fits[one], fits[other]).statistic for one, other in WAYS]
    assert made.scalars["halves_agree_low"] == pytest.approx(min(found), abs=1e-6)
    assert made.scalars["halves_agree_high"] == pytest.approx(max(found), abs=1e-6)
    assert made.way == (
        f"It took {used:,} of at most 2,000 masked photos: two halves of them, made in 3 ways, "
        f"agree by a rank correlation {Agreement(min(found), max(found)).words()}, where 0.9 was "
        "asked."
    )
    plain = Lime(samples=used, **LIME).explain(easy(), VIEW, TARGET)  # type: ignore[arg-type]
    np.testing.assert_allclose(made.attribution, plain.attribution, atol=1e-6)


def test_lime_takes_all_of_its_samples_for_noise_and_says_so() -> None:
    model = easy(Noise)
    made = Lime(samples=400, stop_at=0.8, **LIME).explain(model, VIEW, TARGET)  # type: ignore[arg-type]
    assert made.passes == model.passes == made.scalars["samples_used"] == 400
    assert "It took all 400 masked photos, and two halves of them" in made.notes[-1]
    assert made.notes[-1].endswith("below the 0.8 that was asked.")


def test_an_agreement_is_said_without_rounding_up() -> None:
    assert Agreement(0.8999, 0.9399).words() == "of 0.89 to 0.93"
    assert Agreement(0.9, 0.9001).words() == "of 0.90"
    assert Agreement(-0.021, 0.1).words() == "of \u22120.03 to 0.10"
