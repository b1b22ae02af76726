"""Saliency, gradient x input, SmoothGrad and guided backprop against what they are defined by."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.fakes import tiny
from tests.fakes.linear import LinearModel
from xai_core.errors import UnsupportedModel
from xai_core.explainer import make
from xai_core.explainers.gradient_x_input import GradientXInput
from xai_core.explainers.guided_backprop import GuidedBackprop
from xai_core.explainers.saliency import Saliency
from xai_core.explainers.smoothgrad import SmoothGrad
from xai_core.target import ClassTarget

TWINS = [tiny.torch_model, tiny.keras_model]
TARGET = ClassTarget(0, against=2)
POINTWISE = ("saliency", "gradient-x-input", "guided-backprop")


def score(module: torch.nn.Module, view: torch.Tensor) -> torch.Tensor:
    logits = module(view)[0]
    return logits[0] - logits[2]


def autograd(view: Any) -> Any:
    """Return the gradient that PyTorch itself gives for the small network, `[h, w, 3]`."""
    given = torch.from_numpy(view.transpose(2, 0, 1).copy())[None].requires_grad_()
    (gradient,) = torch.autograd.grad(score(tiny.torch_model().native(), given), given)
    return gradient[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("twin", TWINS)
def test_saliency_and_gradient_x_input_are_autograds(twin: Any) -> None:
    view = tiny.view(2)
    model, gradient = twin(), autograd(view)
    for colours, expected in (
        ("largest", np.abs(gradient).max(2)),
        ("sum", np.abs(gradient).sum(2)),
    ):
        result = Saliency(colours=colours).explain(model, view, TARGET)
        np.testing.assert_allclose(result.attribution, expected, atol=1e-5)
        assert not result.signed
    for colours, value in (("sum", 0.0), ("size", 0.0), ("sum", 0.4)):
        parts = gradient * (view - value)
        result = GradientXInput(colours=colours, value=value).explain(model, view, TARGET)
        expected = parts.sum(2) if colours == "sum" else np.abs(parts).sum(2)
        np.testing.assert_allclose(result.attribution, expected, atol=1e-5)
        assert result.signed == (colours == "sum")
        assert result.scalars["sum"] == pytest.approx(parts.sum(), abs=1e-4)


def test_saliency_is_what_small_changes_do() -> None:
    model, view = tiny.torch_model(), tiny.view(2)
    result = Saliency(colours="sum").explain(model, view, TARGET)
    rng, close = np.random.default_rng(0), 0
    for _ in range(30):
        row, column = int(rng.integers(view.shape[0])), int(rng.integers(view.shape[1]))
        moved = 0.0
        for channel in range(3):
            pair = np.stack([view, view])
            pair[:, row, column, channel] += (-1e-3, 1e-3)
            low, high = TARGET.of_views(model, pair)
            moved += abs(float(high - low)) / 2e-3
        close += bool(np.isclose(moved, result.attribution[row, column], rtol=0.02, atol=3e-4))
    assert close >= 27  # a change may cross the bend of a ReLU


def test_guided_backprop_is_hooks_that_let_positive_gradients_pass() -> None:
    view, module = tiny.view(2), tiny.torch_model().native()
    for part in module.modules():
        if isinstance(part, torch.nn.ReLU):
            part.register_full_backward_hook(lambda part, given, got: (given[0].clamp_min(0),))
    given = torch.from_numpy(view.transpose(2, 0, 1).copy())[None].requires_grad_()
    (gradient,) = torch.autograd.grad(score(module, given), given)
    expected = gradient[0].permute(1, 2, 0).abs().max(2)[0].numpy()
    for twin in TWINS:
        result = GuidedBackprop().explain(twin(), view, TARGET)
        np.testing.assert_allclose(result.attribution, expected, atol=1e-5)
    plain = Saliency().explain(tiny.torch_model(), view, TARGET)
    assert np.abs(plain.attribution - expected).max() > 0.1 * expected.max()


@pytest.mark.parametrize("average", ["mean", "square"])
def test_smoothgrad_is_the_slow_transcription(average: str) -> None:
    model, view = tiny.torch_model(), tiny.view(2) * 0.5 + 0.2
    rng, gradients = np.random.default_rng(3), []
    for _ in range(20):
        noise = rng.standard_normal(view.shape, np.float32) * 0.2 * np.ptp(view)
        gradients.append(model.gradients((view + noise)[None], TARGET)[0])
    mean = np.mean(gradients if average == "mean" else np.square(gradients), 0)
    for colours, expected in (("largest", np.abs(mean).max(2)), ("sum", np.abs(mean).sum(2))):
        result = SmoothGrad(
            samples=20, noise=0.2, average=average, colours=colours, seed=3, batch=7
        ).explain(model, view, TARGET)
        np.testing.assert_allclose(result.attribution, expected, atol=1e-5)


@pytest.mark.parametrize("average", ["mean", "square"])
def test_smoothgrad_is_xpliques_at_equal_noise(
    monkeypatch: pytest.MonkeyPatch, average: str
) -> None:
    import tensorflow as tf

    model, view, rng = tiny.keras_model(), tiny.view(2), np.random.default_rng(0)
    deviation = 0.15 * float(np.ptp(view))

    def ours(shape: Any, mean: float, spread: float, dtype: Any) -> Any:
        assert spread == pytest.approx(deviation)
        return tf.constant(spread * rng.standard_normal(tuple(shape), np.float32))

    monkeypatch.setattr(tf.random, "normal", ours)
    method = SmoothGrad(average=average)
    theirs = SmoothGrad(average=average, engine="xplique").explain(model, view, TARGET)
    result = method.explain(model, view, TARGET)
    np.testing.assert_allclose(result.attribution, theirs.attribution, atol=1e-5)


@pytest.mark.parametrize("name", POINTWISE)
def test_progress_ends_and_scores_go_along(name: str) -> None:
    told: list[tuple[int, int]] = []
    view, model = tiny.view(), tiny.torch_model()
    result = make(name, {}).explain(
        model, view, TARGET, progress=lambda done, total, partial=None: told.append((done, total))
    )
    assert told == [(1, 2), (2, 2)]
    logits = model.logits(view[None])[0]
    assert result.scalars["score"] == pytest.approx(logits[0] - logits[2], abs=1e-5)


def test_a_network_without_relus_is_refused_in_a_sentence() -> None:
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.LazyLinear(3)
    )
    module(torch.zeros(1, 3, *tiny.SIZE))
    from loaders.preprocessing import preset
    from loaders.torch.model import TorchModel

    model = TorchModel(
        module,
        name="bent",
        kind="test",
        architecture="bent",
        preprocessing=preset("unit", tiny.SIZE),
        labels=tiny.CLASSES,
    )
    with pytest.raises(UnsupportedModel, match=r"one for ReLUs, and the network has none"):
        GuidedBackprop().explain(model, tiny.view(), ClassTarget(0))


def test_what_nothing_moves_is_said() -> None:
    view = tiny.view()
    still = LinearModel(np.zeros((2, *tiny.SIZE, 3), np.float32))
    for name in ("saliency", "gradient-x-input", "smoothgrad", "integrated-gradients"):
        notes = make(name, {}).explain(still, view, ClassTarget(0)).notes
        assert "is blank" in notes[0]
        assert "does not depend on the photo" in notes[1], name

    class Level(LinearModel):
        """Depends on the photo in steps, so that its gradient is zero."""

        def logits(self, images: Any) -> Any:
            return np.asarray(super().logits(np.round(images)))

        def gradients(self, images: Any, target: Any, batch: int = 0) -> Any:
            return np.zeros_like(images)

    steps = Level(np.ones((2, *tiny.SIZE, 3), np.float32))
    notes = Saliency().explain(steps, view, ClassTarget(0)).notes
    assert "the score is level here" in notes[1]


def test_a_saturated_probability_is_said() -> None:
    class Sure(LinearModel):
        def gradients(self, images: Any, target: Any, batch: int = 0) -> Any:
            return np.full_like(images, 1e-12)

    weights = np.zeros((3, *tiny.SIZE, 3), np.float32)
    weights[0] = 1
    model, view = Sure(weights), np.ones((*tiny.SIZE, 3), np.float32)
    for target, said in (
        (ClassTarget(0, of="probability"), "The probability is saturated: it is 1 to within"),
        (ClassTarget(1, of="probability"), "The probability is saturated: it is 0 to within"),
        (ClassTarget(1, against=0, of="probability"), "The lead in probability is saturated"),
    ):
        assert said in Saliency().explain(model, view, target).notes[-1]
    assert len(Saliency().explain(model, view, ClassTarget(0)).notes) == 1  # that it is flat


def test_what_is_no_number_is_no_map() -> None:
    class Broken(LinearModel):
        def gradients(self, images: Any, target: Any, batch: int = 0) -> Any:
            return np.full_like(images, np.nan)

    model = Broken(np.ones((2, *tiny.SIZE, 3), np.float32))
    with pytest.raises(UnsupportedModel, match="values that are not finite"):
        Saliency().explain(model, tiny.view(), ClassTarget(0))
