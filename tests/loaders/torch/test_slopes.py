"""Passes there and back by joined steps: there to the last bit, and the same slopes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.speed.rows import parity
from benchmarks.speed.rows.gradients import slopes_apart
from loaders import backend
from loaders.backend import Refused, difference
from loaders.torch import slopes
from loaders.torch.forward import JOINED_FROM, nchw
from loaders.torch.slopes import ThereAndBack, checked
from tests.loaders.torch import nets
from tests.loaders.torch.nets import Residual, Vit, network, served, views
from tests.loaders.torch.test_shared import Fused
from xai_core.target import ClassTarget


@pytest.fixture
def any_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slopes, "QUICKER", 0.0)


def passed(run: Callable[[torch.Tensor], torch.Tensor], given: Any) -> list[Any]:
    (scores, slope), _ = slopes._scores_and_slopes(run, nchw(given))
    return [scores.numpy(), slope.numpy()]


@pytest.mark.parametrize("net", [*nets.NETS, Fused])
def test_scores_are_the_networks_to_the_last_bit_and_slopes_its_own(net: Any) -> None:
    module = served(network(net))._module
    made, view = ThereAndBack(module, nchw(views(2))), views(3, seed=4)
    own, found = passed(module, view), passed(made, view)
    np.testing.assert_array_equal(found[0], own[0])
    assert difference(found[1], own[1]) < 1e-5


class Repeated(nn.Module):
    """A convolution that runs twice, each time before another norm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 3, 3, padding=1), nn.Linear(3, 3)
        self.one, self.two = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.one(self.conv(x)).relu()
        return self.fc(self.two(self.conv(x)).relu().mean((2, 3)))


@pytest.mark.usefixtures("any_gain")
def test_a_long_run_takes_them_and_a_short_one_does_not() -> None:
    model, view = served(network(Repeated)), views(3)
    target = ClassTarget(1, of="probability")
    before = model.gradients(view, target)
    model.expects(JOINED_FROM - 1)
    assert model._forward._lighter is None
    model.expects(JOINED_FROM)
    assert model._forward._lighter is not None
    assert difference(model.gradients(view, target), before) < 1e-5
    assert "Slopes of long runs go back by joined steps" in model.backend.words()
    # the network that libraries and layers get is as it was
    assert isinstance(model.native().body.one, nn.BatchNorm2d)
    assert model.activation_gradients(view, "conv", ClassTarget(1))[0].shape == (3, 16, 24, 3)


def test_one_map_of_four_is_kept() -> None:
    module = served(network(Residual))._module
    made, view = ThereAndBack(module, nchw(views(2))), nchw(views(2))

    def kept(run: Any) -> int:
        held: dict[int, int] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            if tensor.ndim == 4 and len(tensor) == 2:
                held[tensor.data_ptr()] = tensor.nbytes
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            run(view.detach().requires_grad_())
        return sum(held.values())

    assert 0 < kept(made) < 0.6 * kept(module)


SHAPES = [  # channels in and out, kernel, step, border, dilation, groups, side
    (5, 6, (3, 3), (1, 1), (1, 1), (1, 1), 1, (9, 12)),
    (4, 8, (3, 2), (1, 1), (0, 1), (2, 1), 2, (9, 12)),
    (6, 6, (5, 5), (1, 1), (2, 2), (1, 1), 6, (9, 12)),
    (4, 6, (1, 1), (1, 1), (2, 2), (1, 1), 1, (9, 12)),  # a border that nothing reaches
    (8, 6, (3, 3), (2, 2), (1, 1), (1, 1), 1, (9, 12)),
    (8, 6, (1, 1), (2, 2), (0, 0), (1, 1), 1, (9, 12)),
    (8, 6, (3, 2), (3, 2), (1, 0), (1, 2), 1, (11, 12)),
    (6, 6, (3, 3), (2, 2), (1, 1), (1, 1), 6, (9, 12)),
    (3, 8, (7, 7), (2, 2), (3, 3), (1, 1), 1, (16, 19)),
    (3, 8, (4, 4), (4, 4), (0, 0), (1, 1), 1, (18, 16)),  # rows that no step reaches
    (3, 8, (2, 2), (3, 3), (0, 0), (1, 1), 1, (17, 16)),
    (1, 8, (11, 11), (4, 4), (2, 2), (1, 1), 1, (40, 43)),
    (3, 8, (3, 2), (2, 1), (1, 0), (1, 1), 1, (9, 12)),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_kind_of_convolution_goes_back_as_torch_goes(shape: Any) -> None:
    taken, given, kernel, step, border, dilation, groups, side = shape
    torch.manual_seed(0)
    conv = nn.Conv2d(taken, given, kernel, step, border, dilation, groups)
    for parameter in conv.parameters():
        parameter.requires_grad_(False)
    body = nn.Sequential(conv, nn.BatchNorm2d(given), nn.ReLU()).eval()
    body[1].running_var.uniform_(0.5, 2)
    photos = torch.randn(2, taken, *side).contiguous(memory_format=torch.channels_last)
    leaf = photos.clone().requires_grad_()
    out = body(leaf)
    some = torch.randn_like(out)
    (wanted,) = torch.autograd.grad(out, leaf, some)
    traced = torch.fx.symbolic_trace(body)
    chain = slopes.Chain(*list(traced.graph.nodes)[1:3])
    chain.norm, chain.act = chain.last, ("relu", ())
    unit = slopes._Unit(chain, dict(body.named_modules()))
    known = {chain.first.args[0]: photos}
    with torch.no_grad():
        unit.settle(known)
    leaf = photos.clone().requires_grad_()
    made = unit({chain.first.args[0]: leaf})
    np.testing.assert_array_equal(made.detach().numpy(), out.detach().numpy())
    (found,) = torch.autograd.grad(made, leaf, some)
    assert found.shape == wanted.shape
    assert difference(found.numpy(), wanted.numpy()) < 2e-6


@pytest.mark.usefixtures("any_gain")
def test_a_wrong_way_back_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    own = slopes._turned
    monkeypatch.setattr(slopes, "_turned", lambda weight, groups: own(weight.flip(3), groups))
    module = served(network(Residual))._module
    with pytest.raises(Refused, match="otherwise"):
        checked(module, nchw(views(2)))


def test_a_network_that_gains_nothing_keeps_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slopes, "QUICKER", 1e9)
    with pytest.raises(Refused, match="no quicker"):
        checked(served(network(Residual))._module, nchw(views(2)))


class Dark(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x.mean((2, 3)))


def test_a_network_without_convolutions_has_nothing_to_join() -> None:
    with pytest.raises(Refused, match="no convolution"):
        ThereAndBack(served(Dark())._module, nchw(views(2)))
    ThereAndBack(served(network(Vit))._module, nchw(views(2)))  # one is enough


@pytest.mark.parametrize("name", parity.chosen(2))
def test_published_networks_give_the_same_maps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slopes, "QUICKER", 0.0)
    assert backend.AGREES <= 1e-5
    apart = slopes_apart(name, steps=4)
    assert apart is not None
    assert apart < 1e-4
