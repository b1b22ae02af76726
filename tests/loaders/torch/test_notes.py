"""Networks whose code keeps something between passes, leaves a layer out, or has odd weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import fx, nn
from torch.nn import functional

from loaders import backend
from loaders.backend import Refused
from loaders.preprocessing import Options
from loaders.torch import occluding, shared, slopes
from loaders.torch.module import from_module
from loaders.torch.notes import untouched
from tests.loaders.torch.nets import SIZE, network, served, views
from xai_core.changes import Randomised
from xai_core.errors import UnsupportedModel
from xai_core.explainer import make
from xai_core.target import ClassTarget, UnitTarget


class Keeps(nn.Module):
    """It keeps its last map, a list of them, and tables by size, which it multiplies by."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.fc = nn.Conv2d(3, 6, 3, padding=1), nn.Linear(6, 3)
        self.weights = nn.Parameter(torch.rand(6, 1, 1))
        self.tables: dict[tuple[int, ...], torch.Tensor] = {}
        self.maps: list[torch.Tensor] = []
        self.last: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if (key := (len(x),)) not in self.tables:
            self.tables[key] = torch.hann_window(x.shape[-1]) * self.weights
        self.last = (self.stem(x) * self.tables[key]).relu()
        self.maps.append(self.last)
        return self.fc(self.last.mean((2, 3)))


class Notes(nn.Module):
    """It keeps its last map, and can be followed."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.fc = nn.Conv2d(3, 6, 3, padding=1), nn.Linear(6, 3)
        self.maps: list[torch.Tensor] = []
        self.last: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.last = self.stem(x + torch.ones(1)).relu()
        self.maps.append(self.last)
        return self.fc(self.last.mean((2, 3)))


class EachAlone(nn.Module):
    """Bright photos go another way, each by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.dark = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3)
        self.bright, self.fc = nn.Conv2d(6, 6, 3), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ways = [self.bright if each.mean() > 0.7 else self.dark for each in x]
        maps = [
            way(each[None])[0].relu() for way, each in zip(ways, self.stem(x).relu(), strict=True)
        ]
        return self.fc(torch.stack(maps).mean((2, 3)))


class Narrow(nn.Module):
    """A part of it computes in 16 bits."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.fc = nn.Conv2d(3, 6, 3), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            maps = self.stem(x)
        return self.fc(maps.relu().float().mean((2, 3)))


class Capsules(nn.Module):
    """Weights with five axes, and photos beside which numbers of places are read."""

    def __init__(self, more: int = 0) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.rand(1, 8, 1, 1))
        self.stem = nn.Conv2d(3 + more, 8, 3, padding=1)
        self.turns = nn.Parameter(torch.rand(1, 2, 1, 4, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        given = self.stem.in_channels - x.shape[1]
        x = torch.cat([x, x.new_ones(len(x), given, *x.shape[2:])], 1)
        poses = (self.stem(x).relu() + self.places).mean((2, 3)).view(len(x), 2, 1, 1, 4)
        return (poses @ self.turns).sum((1, 2, 3))


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Follow networks at once."""
    monkeypatch.setattr(shared, "REPAYS", 0.0)
    monkeypatch.setattr(occluding, "SHORT", 0.0)
    monkeypatch.setattr(occluding, "WORTH", 9.0)
    monkeypatch.setattr(occluding, "SLOWER", 99.0)
    monkeypatch.setattr(backend, "QUICKER", 0.0)


def symbols(body: Any) -> bool:
    """Say whether a network holds a symbol of a trace."""
    return any(isinstance(each, fx.Proxy) for each in [body.last, *body.maps])


@pytest.mark.usefixtures("eager")
def test_what_a_network_keeps_serves_slopes_and_holds_no_symbols() -> None:
    module = network(Keeps)
    model, plain, view = served(module), network(Keeps), views()
    photo = torch.from_numpy(view).permute(0, 3, 1, 2).contiguous().requires_grad_()
    (wanted,) = torch.autograd.grad(plain(photo)[0, 1], photo)
    for _ in range(2):  # the second time among what a run without slopes has kept
        found = model.gradients(view, ClassTarget(1))
        np.testing.assert_allclose(found[0], wanted[0].permute(1, 2, 0), atol=1e-6)
        model.logits(views(3))
    assert model.gradients(views(3), ClassTarget(1)).any()


@pytest.mark.usefixtures("eager")
def test_a_trace_leaves_nothing_in_a_network_and_copies_leave_the_pass() -> None:
    model, view = served(network(Notes)), views()
    before = model.activation_gradients(view, "stem", ClassTarget(0))[1]
    model._forward.shared.settle()
    assert not model._forward.shared.refused
    values = {"patch_height": 4, "patch_width": 4, "stride_height": 4, "stride_width": 3}
    made = make("occlusion", values, size=SIZE).explain(model, view[0], ClassTarget(0))
    assert "Only what each patch can reach" in made.way
    assert not symbols(model._module.body)
    model.gradients(view, ClassTarget(0))  # its last map hangs on a pass
    copied = model.rewritten(Randomised(("stem",)))
    assert (copied.logits(view) != model.logits(view)).any()
    again = model.activation_gradients(view, "stem", ClassTarget(0))[1]
    np.testing.assert_allclose(again, before, atol=1e-6)


def test_untouched_puts_lists_and_tables_back() -> None:
    body: Any = Keeps()
    with untouched(body):
        body.maps.append(torch.ones(1))
        body.tables[(1,)], body.last, body.more = torch.ones(1), torch.ones(1), 1
        body._tensor_constant0 = torch.ones(1)
    assert (body.maps, body.tables, body.last) == ([], {}, None)
    assert not hasattr(body, "more")
    assert body._tensor_constant0 == 1  # what is traced reads it


BRIGHT = np.ones((2, *SIZE, 3), np.float32)


@pytest.mark.parametrize(
    "ask",
    [
        lambda model, view: model.activations(view[:1], "dark"),
        lambda model, view: model.activation_gradients(view[:1], "dark", ClassTarget(0)),
        lambda model, view: model.gradients(view[:1], UnitTarget("dark", 0)),
        lambda model, view: model.run_from("dark", np.ones((1, 14, 22, 6), np.float32), view[0]),
    ],
)
def test_a_layer_that_a_photo_does_not_come_to_is_said(ask: Callable[..., Any]) -> None:
    with pytest.raises(UnsupportedModel, match="did not run its layer dark"):
        ask(served(network(EachAlone)), BRIGHT)


def test_a_layer_that_runs_photo_by_photo_gives_one_photos_maps() -> None:
    model, view = served(network(EachAlone)), views(2) / 2
    assert model.activations(view[:1], "dark").shape == (1, 14, 22, 6)
    with pytest.raises(UnsupportedModel, match="one photo after the other"):
        model.activations(view, "dark")
    with pytest.raises(UnsupportedModel, match="one photo after the other"):
        model.run_from("dark", np.ones((2, 14, 22, 6), np.float32), view[0])


def test_maps_of_another_precision_are_read() -> None:
    model, view = served(network(Narrow)), views(2)
    for found in model.activation_gradients(view, "stem", ClassTarget(1)):
        assert found.dtype == np.float32
        assert found.shape == (2, 14, 22, 6)
    assert model.activations(view[:1], "stem").dtype == np.float32


class Overwrites(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.fc = nn.Conv2d(3, 6, 3), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.stem(x)
        scores = self.fc(torch.tanh(maps).pow(2).mean((2, 3)))
        made = functional.softplus(maps)
        maps *= 2
        return scores + self.fc(made.mean((2, 3)))


def test_slopes_that_a_network_writes_over_are_said() -> None:
    with pytest.raises(UnsupportedModel, match="writes over values"):
        served(network(Overwrites)).gradients(views(), ClassTarget(0))


@pytest.mark.parametrize("more", [0, 2])
def test_the_first_weights_need_not_be_those_of_the_photos(more: int) -> None:
    torch.manual_seed(0)
    model = from_module(Capsules(more), Options(size=SIZE), name="net", kind="test")
    assert model.channels == 3
    assert model.logits(views()).shape == (1, 3)


def test_weights_of_a_norm_are_no_channels() -> None:
    stem = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 6, 3))
    net = nn.Sequential(stem, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))
    model = from_module(net, Options(size=SIZE), name="net", kind="test")
    assert model.channels == 3


class _Turned(torch.autograd.Function):
    """Slopes change their sign on the way back."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, slopes: torch.Tensor) -> torch.Tensor:
        return -slopes


class Still(nn.Module):
    """Its class 0 does not move; another `way` of slopes than its operations tell."""

    def __init__(self, way: str = "") -> None:
        super().__init__()
        self.stem, self.fc, self.way = nn.Conv2d(3, 6, 3), nn.Linear(6, 3), way
        with torch.no_grad():
            self.fc.weight[: 3 if way == "none" else 1] = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).relu()
        if self.way == "turned":
            x = _Turned.apply(x)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.way != "half"):
            y = x * x  # what goes round it has slopes
        return self.fc((x + y).mean((2, 3)))


@pytest.mark.parametrize(
    ("way", "why"),
    [("turned", "cannot follow it"), ("half", "answers otherwise"), ("none", "no slopes")],
)
def test_slopes_that_a_trace_does_not_show_are_not_joined(
    way: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slopes, "QUICKER", 0.0)
    given = torch.from_numpy(views(2)).permute(0, 3, 1, 2)
    assert slopes.checked(served(network(Still))._module, given).said
    with pytest.raises(Refused, match=why):
        slopes.checked(served(network(lambda: Still(way)))._module, given)


class ReadsWritten(nn.Module):
    """Its shortcut is what the activation wrote over."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3, padding=1)
        self.relu, self.fc = nn.ReLU(inplace=True), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x) - 0.2
        return self.fc((self.conv(self.relu(x)) + 3 * x).mean((2, 3)))


def test_what_an_activation_writes_over_is_read_as_in_the_network() -> None:
    plain, given = network(ReadsWritten), views(2)
    options = Options(size=SIZE, preprocessing="unit")
    model = from_module(network(ReadsWritten), options, name="net", kind="test")
    wanted = plain(torch.from_numpy(given).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(model.logits(given), wanted, atol=1e-5)
    copied = model.rewritten(Randomised(()))
    np.testing.assert_allclose(copied.logits(given), wanted, atol=1e-5)
    maps = model.activations(given[:1], "stem")
    np.testing.assert_allclose(model.run_from("stem", maps, given[0]), wanted[:1], atol=1e-5)
