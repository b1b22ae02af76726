"""Integrated gradients: completeness, closed forms, a slow transcription, and what it says."""

from typing import Any

import numpy as np
import pytest

from loaders import catalogue
from loaders.images import decode
from loaders.load import load
from loaders.preprocessing import Options, preset
from tests.fakes import tiny
from tests.fakes.linear import LinearModel
from xai_core import perturb
from xai_core.explainers.integrated_gradients import IntegratedGradients
from xai_core.report.numbers import percent
from xai_core.target import ClassTarget, UnitTarget

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


class Hill(LinearModel):
    """Each class's score is a weighted sum that goes up on the way to white, and down again."""

    def logits(self, images: Any) -> Any:
        return super().logits(images**2 * (1 - images))

    def gradients(self, images: Any, target: Any, batch: int = 0) -> Any:
        return super().gradients(images, target) * (2 * images - 3 * images**2)


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


def test_steps_are_doubled_until_the_gap_is_small() -> None:
    model, target = Powers(WEIGHTS), ClassTarget(1)
    told: list[tuple[int, int]] = []

    def keep(done: int, total: int, partial: Any = None) -> None:
        told.append((done, total))

    method = IntegratedGradients(steps=2, stop_at_gap=True, largest_gap=1.0, batch=256)
    result = method.explain(model, VIEW, target, progress=keep)
    alone = {n: IntegratedGradients(steps=n).explain(model, VIEW, target) for n in (2, 4, 8, 16)}
    gaps = {n: made.scalars["gap_share"] for n, made in alone.items()}
    used = next(n for n, gap in gaps.items() if gap <= 0.01)
    assert used > 4
    assert result.scalars["steps"] == used
    np.testing.assert_array_equal(result.attribution, alone[used].attribution)
    assert result.scalars["gap_share"] == gaps[used]
    rounds = [n for n in gaps if n <= used]
    said = result.notes[-2]
    assert all(f"{n} steps the gap is {gaps[n] * 100:.3g}\u00a0%" in said for n in rounds)
    assert said.endswith(f"{used} are enough for the 1\u00a0% that was asked for.")
    assert result.passes == 2 + sum(rounds)
    total = method.cost(model).passes
    assert total == 2 + 2 + 4 + 8 + 16 + 32
    assert method.cost(model).at_most
    assert not IntegratedGradients(steps=2).cost(model).at_most
    assert told[-1] == (total, total)
    assert told == sorted(told)


def test_doubling_ends() -> None:
    hard = IntegratedGradients(steps=2, stop_at_gap=True, largest_gap=0.01).explain(
        Powers(WEIGHTS), VIEW, ClassTarget(1)
    )
    assert hard.scalars["steps"] == 32
    assert hard.scalars["gap_share"] > 1e-4
    assert "the 0.01\u00a0% that was asked for is not reached" in hard.notes[-2]
    assert IntegratedGradients(steps=600, stop_at_gap=True).rounds() == [600, 1000]
    assert IntegratedGradients(steps=1000, stop_at_gap=True).rounds() == [1000]
    at_once = IntegratedGradients(steps=2, stop_at_gap=True, nodes="gauss-legendre").explain(
        Powers(WEIGHTS), VIEW, ClassTarget(1)
    )
    assert (at_once.scalars["steps"], at_once.passes) == (2, 4)
    still = IntegratedGradients(steps=2, stop_at_gap=True).explain(
        Hill(WEIGHTS), np.ones((*SIZE, 3), np.float32), ClassTarget(0)
    )
    assert still.scalars["steps"] == 2
    assert still.notes[-2].endswith("more were not tried, as the score hardly changes.")


def test_partial_maps_grow_into_the_result() -> None:
    partials: list[Any] = []

    def keep(done: int, total: int, partial: Any = None) -> None:
        partials.append((done, total, partial))

    result = IntegratedGradients(steps=20, batch=8).explain(
        tiny.torch_model(), tiny.view(), ClassTarget(0), progress=keep
    )
    assert [told[:2] for told in partials] == [(2, 22), (10, 22), (18, 22), (22, 22)]
    np.testing.assert_allclose(partials[-1][2], result.attribution, atol=1e-6)


# Each output


def flat(framework: str, head: str) -> tuple[Any, Any]:
    """Return a dense layer on the view itself, and its weights [classes, h, w, 3]."""
    weights = np.random.default_rng(5).normal(0, 0.4, (3, *tiny.SIZE, 3)).astype(np.float32)
    if framework == "torch":
        import torch

        from loaders.torch.model import TorchModel

        module = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(weights[0].size, 3, bias=False)
        )
        with torch.no_grad():
            module[1].weight.copy_(torch.from_numpy(weights.transpose(0, 3, 1, 2).reshape(3, -1)))
        made = TorchModel(
            module, name="flat", kind="test", architecture="flat",
            preprocessing=preset("unit", tiny.SIZE), labels=tiny.CLASSES,
        )  # fmt: skip
        return made, weights
    import keras

    from loaders.keras.model import KerasModel

    dense = keras.layers.Dense(3, use_bias=False, activation=head)
    network = keras.Sequential([keras.layers.Input((*tiny.SIZE, 3)), keras.layers.Flatten(), dense])
    dense.set_weights([weights.reshape(3, -1).T])
    options = Options(classes=tiny.CLASSES)
    made = KerasModel(network, options, name="flat", preprocessing=preset("unit", tiny.SIZE))
    return made, weights


def by_hand(weights: Any, view: Any, index: int, head: str, of: str) -> Any:
    """Return the gradient of a class's output at a view, [h, w, 3]."""
    scores = np.einsum("khwc,hwc->k", weights, view, dtype=np.float64)
    if of == "logit":
        return weights[index].astype(np.float64)
    if head == "sigmoid":
        chance = 1 / (1 + np.exp(-scores[index]))
        return chance * (1 - chance) * weights[index]
    chances = np.exp(scores - scores.max())
    chances /= chances.sum()
    return chances[index] * (weights[index] - np.tensordot(chances, weights, 1))


@pytest.mark.parametrize("of", ["logit", "probability"])
@pytest.mark.parametrize(
    ("framework", "head"), [("torch", "softmax"), ("keras", "softmax"), ("keras", "sigmoid")]
)
def test_a_dense_layer_s_outputs_are_shared_out_by_their_closed_form(
    framework: str, head: str, of: Any
) -> None:
    model, weights = flat(framework, head)
    view, far = 0.1 * tiny.view(3), 2000
    for index, against in ((1, None), (0, 2)):
        target = ClassTarget(index, against, of)

        def slope(at: Any, index: int = index, against: Any = against) -> Any:
            found = by_hand(weights, at, index, head, of)
            if against is not None:
                found = found - by_hand(weights, at, against, head, of)
            return found

        np.testing.assert_allclose(model.gradients(view[None], target)[0], slope(view), atol=1e-5)
        mean = sum(slope((step + 0.5) / far * view) for step in range(far)) / far
        result = IntegratedGradients(steps=20, nodes="gauss-legendre").explain(model, view, target)
        np.testing.assert_allclose(result.attribution, (mean * view).sum(2), atol=2e-5)
        ends = target.of_views(model, np.stack([np.zeros_like(view), view]))
        assert result.scalars["sum"] == pytest.approx(ends[1] - ends[0], abs=2e-4)


@pytest.mark.parametrize("twin", [tiny.torch_model, tiny.keras_model])
def test_completeness_is_of_the_output_that_was_chosen(twin: Any) -> None:
    model, view = twin(), tiny.view(2)
    layer = model.layers()[-1]
    changes = []
    for target in (
        ClassTarget(0),
        ClassTarget(0, of="probability"),
        ClassTarget(1, against=2, of="probability"),
        UnitTarget(layer.name, 3),
        UnitTarget(layer.name, 5, at=(2, 3)),
    ):
        result = IntegratedGradients(steps=200).explain(model, view, target)
        before, after = target.of_views(model, np.stack([np.zeros_like(view), view]))
        assert result.scalars["score"] == pytest.approx(after, abs=1e-5)
        assert result.scalars["baseline_score"] == pytest.approx(before, abs=1e-5)
        assert result.scalars["gap_share"] < 0.01, target
        assert result.attribution.sum() == pytest.approx(after - before, rel=0.01)
        changes.append(float(after - before))
    assert len({round(change, 5) for change in changes}) == len(changes)
