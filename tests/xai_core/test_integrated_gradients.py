"""Integrated gradients: completeness, closed forms, a slow transcription, and what it says."""

from typing import Any

import numpy as np
import pytest

from loaders import catalogue
from loaders.images import decode
from loaders.load import load
from tests.fakes import tiny
from tests.fakes.linear import LinearModel
from xai_core import perturb
from xai_core.explainers.integrated_gradients import IntegratedGradients
from xai_core.report.numbers import percent
from xai_core.target import ClassTarget

SIZE = (4, 5)
NODES = ("midpoint", "gauss-legendre", "trapezoid")
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(2, *SIZE, 3)).astype(np.float32)
VIEW = RNG.random((*SIZE, 3), np.float32)


class Powers(LinearModel):
    """Each class's score is its weighted sum of the view's values to a power."""

    power = 4

    def logits(self, images: Any) -> Any:
        return super().logits(images**self.power)

    def gradients(self, images: Any, target: Any, batch: int = 0) -> Any:
        return super().gradients(images, target) * self.power * images ** (self.power - 1)


@pytest.mark.parametrize("nodes", NODES)
def test_a_linear_model_is_shared_out_exactly(nodes: str) -> None:
    method = IntegratedGradients(nodes=nodes, steps=7, value=0.25)
    result = method.explain(LinearModel(WEIGHTS), VIEW, ClassTarget(0, against=1))
    parts = (WEIGHTS[0] - WEIGHTS[1]) * (VIEW - 0.25)
    np.testing.assert_allclose(result.attribution, parts.sum(2), atol=1e-5)
    assert result.scalars["sum"] == pytest.approx(parts.sum(), abs=1e-5)
    assert result.scalars["gap"] == pytest.approx(0, abs=1e-5)
    assert result.signed
    sizes = IntegratedGradients(value=0.25, colours="size").explain(
        LinearModel(WEIGHTS), VIEW, ClassTarget(0, against=1)
    )
    np.testing.assert_allclose(sizes.attribution, np.abs(parts).sum(2), atol=1e-5)
    assert not sizes.signed


def test_gauss_and_legendre_are_exact_where_even_nodes_are_not() -> None:
    exact = (WEIGHTS[1] * VIEW**4).sum(2)  # of a gradient of degree 3, which two nodes integrate
    off = {}
    for nodes in NODES:
        result = IntegratedGradients(nodes=nodes, steps=2).explain(
            Powers(WEIGHTS), VIEW, ClassTarget(1)
        )
        off[nodes] = np.abs(result.attribution - exact).max()
        off_by = result.attribution.sum() - exact.sum()
        assert result.scalars["gap"] == pytest.approx(off_by, rel=1e-3, abs=1e-5)
    assert off["gauss-legendre"] < 1e-5
    assert off["midpoint"] > 0.01
    assert off["trapezoid"] > off["midpoint"]


@pytest.mark.parametrize("name", ["mean", "blur", "black", "grey", "white"])
def test_is_the_slow_transcription(name: str) -> None:
    model, view, target = tiny.torch_model(), tiny.view(2), ClassTarget(0, of="probability")
    start, total = perturb.baseline(name, view), np.zeros_like(view)
    for step in range(20):
        total += model.gradients((start + (step + 0.5) / 20 * (view - start))[None], target)[0]
    result = IntegratedGradients(steps=20, baseline=name, batch=7).explain(model, view, target)
    expected = (total / 20 * (view - start)).sum(2)
    np.testing.assert_allclose(result.attribution, expected, atol=1e-6)
    slopes = result.arrays["slopes"]
    assert slopes.mean() == pytest.approx(result.scalars["sum"], abs=1e-5)
    before, after = target.of_views(model, np.stack([start, view]))
    assert result.scalars["score"] == pytest.approx(after)
    assert result.scalars["baseline_score"] == pytest.approx(before)
    assert result.scalars["gap"] == pytest.approx(expected.sum() - (after - before), abs=1e-5)


@pytest.mark.parametrize("name", ["shapes", "shapes_shortcut", "shapes_keras"])
def test_the_gap_is_small_on_the_built_in_models(name: str) -> None:
    entry = next(entry for entry in catalogue.models() if entry.name == name)
    model = load(entry.path, entry.options, name=entry.name)
    gaps = []
    for sample in catalogue.photos():
        view, _ = model.preprocessing.view(decode(sample.path.read_bytes()).pixels)
        first = int(np.argmax(model.logits(view[None])[0]))
        result = IntegratedGradients().explain(model, view, ClassTarget(first))
        assert f"the gap is {percent(result.scalars['gap_share'])}." in result.notes[-1]
        gaps.append(result.scalars["gap_share"])
    assert np.median(gaps) < 0.01


def test_a_large_gap_and_a_short_way_are_said() -> None:
    few = IntegratedGradients(steps=2).explain(Powers(WEIGHTS), VIEW, ClassTarget(1))
    assert few.scalars["gap_share"] > 0.05
    assert "Take more steps" in few.notes[-1]
    same = IntegratedGradients(value=0.5).explain(
        LinearModel(np.full((2, *SIZE, 3), 9, np.float32)),
        np.full((*SIZE, 3), 0.501, np.float32),
        ClassTarget(0),
    )
    assert "Take another baseline" in same.notes[-1]


def test_partial_maps_grow_into_the_result() -> None:
    partials: list[Any] = []

    def keep(done: int, total: int, partial: Any = None) -> None:
        partials.append((done, total, partial))

    result = IntegratedGradients(steps=20, batch=8).explain(
        tiny.torch_model(), tiny.view(), ClassTarget(0), progress=keep
    )
    assert [told[:2] for told in partials] == [(2, 22), (10, 22), (18, 22), (22, 22)]
    np.testing.assert_allclose(partials[-1][2], result.attribution, atol=1e-6)
