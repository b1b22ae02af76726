"""One pass back against leaving out each channel or keeping each cell, and where it must not do."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from loaders.preprocessing import preset
from loaders.torch.model import TorchModel
from xai_core import straight
from xai_core.explainer import make
from xai_core.explainers import ablationcam, reciprocam
from xai_core.target import ClassTarget

SIZE = (16, 20)


def model(*head: nn.Module) -> TorchModel:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 40, 3, 2, 1),
        nn.BatchNorm2d(40),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        *head,
    )
    preprocessing = preset("imagenet", SIZE)
    return TorchModel(
        module,
        name="net",
        kind="test",
        architecture="net",
        preprocessing=preprocessing,
        labels=("a", "b", "c"),
    )


def linear() -> TorchModel:
    return model(nn.Linear(40, 3))


def bent() -> TorchModel:
    """A head with a ReLU that bends for changed maps only: all of it is above zero at the photo."""
    made = nn.Linear(40, 6)
    with torch.no_grad():
        made.weight.abs_()
        made.bias.zero_()
    return model(made, nn.ReLU(), nn.Linear(6, 3))


def both(
    monkeypatch: pytest.MonkeyPatch, net: TorchModel, layer: str, target: ClassTarget
) -> tuple[Any, Any]:
    view = np.random.default_rng(1).random((*SIZE, 3), np.float32)
    method = make("ablationcam", {"layer": layer, "relu": False})
    quick = method.explain(net, view, target)
    monkeypatch.setattr(ablationcam, "ENOUGH", 1 << 20)
    return quick, method.explain(net, view, target)


@pytest.mark.parametrize(("layer", "quick"), [("2", True), ("1", False)])
@pytest.mark.parametrize("target", [ClassTarget(1), ClassTarget(0, against=2)])
def test_a_straight_line_needs_no_loop(
    monkeypatch: pytest.MonkeyPatch, layer: str, quick: bool, target: ClassTarget
) -> None:
    made, slow = both(monkeypatch, linear(), layer, target)
    scale = np.abs(slow.attribution).max()
    np.testing.assert_allclose(made.attribution, slow.attribution, atol=1e-4 * scale)
    np.testing.assert_allclose(made.arrays["weights"], slow.arrays["weights"], atol=1e-5)
    assert slow.passes == 42
    assert made.passes == (2 + straight.PROBES if quick else 42)


@pytest.mark.parametrize(
    ("net", "target"),
    [(bent, ClassTarget(1)), (linear, ClassTarget(1, of="probability"))],
    ids=["a ReLU in the head", "a probability"],
)
def test_what_bends_is_left_out_in_turn(
    monkeypatch: pytest.MonkeyPatch, net: Any, target: ClassTarget
) -> None:
    made, slow = both(monkeypatch, net(), "2", target)
    assert made.passes == slow.passes == 42
    np.testing.assert_array_equal(made.attribution, slow.attribution)


@pytest.mark.parametrize("window", ["cell", "gaussian"])
@pytest.mark.parametrize("base", ["lowest", "empty"])
@pytest.mark.parametrize(
    ("net", "layer", "quick"), [(linear, "2", True), (linear, "1", False), (bent, "2", False)]
)
def test_cells_need_no_loop_on_a_straight_line(
    monkeypatch: pytest.MonkeyPatch, net: Any, layer: str, quick: bool, base: str, window: str
) -> None:
    model, view = net(), np.random.default_rng(1).random((*SIZE, 3), np.float32)
    values = {"layer": layer, "base": base, "window": window}
    for target in (ClassTarget(1), ClassTarget(0, against=2)):
        made = make("reciprocam", values).explain(model, view, target)
        with monkeypatch.context() as patched:
            patched.setattr(reciprocam, "ENOUGH", 1 << 20)
            slow = make("reciprocam", values).explain(model, view, target)
        scale = np.abs(slow.attribution).max()
        np.testing.assert_allclose(made.attribution, slow.attribution, atol=1e-4 * scale)
        np.testing.assert_allclose(made.arrays["scores"], slow.arrays["scores"], atol=1e-5)
        assert made.scalars["empty"] == pytest.approx(slow.scalars["empty"], abs=1e-5)
        assert slow.passes == 8 * 10 + 2
        assert made.passes == (2 + straight.PROBES if quick else slow.passes)
