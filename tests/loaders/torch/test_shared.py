"""What one photo's pass leaves for the next question, and the network in two halves."""

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from loaders import backend
from loaders.backend import Refused
from loaders.torch import forward, shared
from loaders.torch.halves import Halves
from loaders.torch.packed import Packed
from tests.loaders.torch import nets
from tests.loaders.torch.nets import Dense, Inception, Residual, network, scripted, served, views
from xai_core.changes import Randomised, ReluRule
from xai_core.explainer import make
from xai_core.target import ClassTarget

CAMS = ("grad-cam", "hirescam", "layercam", "eigencam")


class Fused(nn.Module):
    """All that a convolution takes with it, and what it must leave alone."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.an = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)
        self.b, self.bn = nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.BatchNorm2d(8)
        self.c, self.d = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1, bias=False)
        self.clip, self.swish, self.hard = nn.ReLU6(), nn.SiLU(), nn.Hardswish()
        self.twice, self.fc = nn.Conv2d(8, 6, 3, padding=2, dilation=2), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.clip(self.an(self.a(x)))
        x = self.swish(self.bn(self.b(x))) + x
        x = nn.functional.relu(self.c(x) + self.d(x), inplace=True)
        x = self.twice(self.hard(self.d(x)) + x.mean((2, 3), keepdim=True))
        return self.fc((x + x.relu()).mean((2, 3)))


def resnet() -> nn.Module:
    return models.resnet18(num_classes=3)


def slopes(model: Any, view: Any, layer: str) -> tuple[Any, Any]:
    return model.activation_gradients(view, layer, ClassTarget(1, against=2))


def trusting(model: Any) -> Any:
    """Let a model take its halves at every layer that they know."""
    made = model._forward.shared
    made.settle()
    assert not made.refused
    made._trusted = {row.name: made._halves.knows(row.name) for row in model.layers()}
    return model


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return what says how many convolutions ran since it was asked last, packed or not."""
    ran = [0]
    for kind, name in ((nn.Conv2d, "_conv_forward"), (Packed, "__call__")):
        own = getattr(kind, name)

        def counted(*args: Any, own: Any = own) -> Any:
            ran[0] += 1
            return own(*args)

        monkeypatch.setattr(kind, name, counted)

    def asked() -> int:
        found, ran[0] = ran[0], 0
        return found

    return asked


@pytest.mark.parametrize("net", [*nets.NETS, Fused])
def test_the_halves_are_the_network(net: Any) -> None:
    plain, model, view = served(network(net)), served(network(net)), views()
    trusting(model)
    followed = [row.name for row in model.layers() if model._forward.shared._trusted[row.name]]
    assert len(followed) >= 2
    for layer in followed[:: max(1, len(followed) // 3)]:
        pairs = [*zip(slopes(model, view, layer), slopes(plain, view, layer), strict=True)]
        maps = np.concatenate([pairs[0][1], pairs[0][1][:, ::-1] * 0.5])
        pairs.append((model.run_from(layer, maps, view[0]), plain.run_from(layer, maps, view[0])))
        rows = np.eye(3, dtype=np.float32)[:2]
        pairs.append(tuple(each.vjp_from(layer, maps, view[0], rows) for each in (model, plain)))
        for found, own in pairs:
            np.testing.assert_allclose(found, own, rtol=0, atol=2e-5 * np.abs(own).max())
    assert model._forward.shared._halves._packed


def test_one_convolution_takes_all_that_follows_it() -> None:
    model = trusting(served(network(resnet)))
    halves = model._forward.shared._halves
    steps = halves._plan("layer4.1").before
    kinds = [step.node.target for step in steps]
    # 20 convolutions, the pool, and nothing else: norms, sums and ReLUs are in them
    assert len(steps) == 21, kinds


class Sums(nn.Module):
    """Sums of which the first alone may be written over what is added; all else is read again."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3 if at == 0 else 6, 6, 1) for at in range(8))
        self.fc = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        convs = [*self.convs]
        a = convs[0](x)
        b = torch.relu(convs[2](convs[1](a)) + a)
        part = b[:, :3]
        c = torch.relu(convs[4](convs[3](b)) + b)
        d = torch.relu(convs[5](c) + c)
        e = torch.relu(convs[6](d) + d) + d
        return self.fc(convs[7](e + part.mean(1, keepdim=True)).mean((2, 3)))


def test_a_sum_is_written_over_what_nothing_else_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    over: list[bool] = []
    own = Packed.__call__

    def noted(self: Any, act: Any, over_: bool, *maps: torch.Tensor) -> torch.Tensor:
        over.extend([over_] * (len(maps) == 2))
        return own(self, act, over_, *maps)

    monkeypatch.setattr(Packed, "__call__", noted)
    plain, model, view = served(network(Sums)), served(network(Sums)), views()
    trusting(model)
    for found, wanted in zip(
        slopes(model, view, "convs.7"), slopes(plain, view, "convs.7"), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6 * np.abs(wanted).max())
    assert over == [True, False, False, False]


def test_a_wrong_fold_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Packed.__init__

    def wrong(self: Any, *args: Any) -> None:
        own(self, *args)
        self._bias = 1e-3 * torch.ones(len(args[0].weight)) + (
            0 if self._bias is None else self._bias
        )

    monkeypatch.setattr(Packed, "__init__", wrong)
    monkeypatch.setattr(backend, "QUICKER", 0.0)
    model, view = served(network(Residual)), views()
    model._forward.shared.settle()
    before = slopes(served(network(Residual)), view, "layer2")
    for found, wanted in zip(slopes(model, view, "layer2"), before, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert model._forward.shared._trusted == {"layer2": False}
    assert "run as the network does" in model.backend.words()


class Asks(nn.Module):
    """A network whose code goes another way for a symbol than for a photo."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3)
        self.fc = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.one(x)
        x = self.two(x) if isinstance(x, torch.Tensor) else self.two(x.relu())
        return self.fc(x.relu().mean((2, 3)))


def test_a_trace_that_went_another_way_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "QUICKER", 0.0)
    model, view = served(network(Asks)), views()
    model._forward.shared.settle()
    found = slopes(model, view, "one")
    np.testing.assert_array_equal(found[1], slopes(served(network(Asks)), view, "one")[1])
    assert model._forward.shared._trusted == {"one": False}


class Writes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.fc = nn.Conv2d(3, 6, 3), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.one(x)
        x.clamp_(min=0)
        return self.fc(x.mean((2, 3)))


def test_what_is_written_in_place_is_not_followed_and_not_kept() -> None:
    with pytest.raises(Refused):
        Halves(served(network(Writes))._module, nets.SIZE)
    model, view = served(network(Writes)), views()
    first = slopes(model, view, "one")
    for found, wanted in zip(slopes(model, view, "one"), first, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert (first[0] < 0).any()  # as they were before that


@pytest.mark.parametrize(
    ("net", "halves"), [(Residual, False), (Residual, True), (Inception, True), (Dense, False)]
)
def test_other_questions_about_a_photo_cost_no_pass_and_change_nothing(
    net: Any, halves: bool, passes: Callable[[], int]
) -> None:
    def served_so() -> Any:
        made = served(network(net))
        return trusting(made) if halves else made

    model, view = served_so(), views()[0]
    target, layer = ClassTarget(0), {Residual: "layer2", Inception: "mix", Dense: "a"}[net]
    for place, name in enumerate(CAMS):
        fresh = served_so()
        passes()
        wanted = make(name, {"layer": layer}).explain(fresh, view, target)
        cost = passes()
        found = make(name, {"layer": layer}).explain(model, view, target)
        assert passes() == (cost if place == 0 else 0)
        assert cost
        np.testing.assert_array_equal(found.attribution, wanted.attribution)
    for other in (ClassTarget(2), ClassTarget(1, against=0), ClassTarget(1, of="probability")):
        found = make("grad-cam", {"layer": layer}).explain(model, view, other)
        assert passes() == 0
        wanted = make("grad-cam", {"layer": layer}).explain(served_so(), view, other)
        passes()
        np.testing.assert_array_equal(found.attribution, wanted.attribution)


def test_slopes_are_pulled_back_once_for_each_question(monkeypatch: pytest.MonkeyPatch) -> None:
    pulls: list[str] = []
    own = forward.pulled
    monkeypatch.setattr(
        forward, "pulled", lambda *args, **more: [pulls.append(""), own(*args, **more)][1]
    )
    model, view = served(network(Residual)), views()
    one, other = ClassTarget(0), ClassTarget(0, of="probability")
    for layer in ("layer2", "layer1"):  # the earlier one begins anew, and forgets the later
        for target, pulled in ((one, 1), (one, 0), (other, 1), (ClassTarget(1), 1), (one, 1)):
            pulls.clear()
            found = model.activation_gradients(view, layer, target)
            assert len(pulls) == pulled
            fresh = served(network(Residual)).activation_gradients(view, layer, target)
            for each, wanted in zip(found, fresh, strict=True):
                np.testing.assert_array_equal(each, wanted)
                each[:] = 7


def test_a_later_layer_of_the_same_photo_costs_no_pass(passes: Callable[[], int]) -> None:
    model, view = served(network(Residual)), views()
    slopes(model, view, "layer1")
    passes()
    for layer in ("layer1", "layer2.conv1", "layer2.conv2", "layer2"):
        found = slopes(model, view, layer)
        assert passes() == 0
        wanted = slopes(served(network(Residual)), view, layer)
        passes()
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)
    # what was written over, as by a sum in its place, has to be made again, as has an earlier one
    for layer in ("layer2.bn2", "stem"):
        slopes(model, view, layer)
        assert passes()


def test_another_photo_is_not_taken_for_the_last(passes: Callable[[], int]) -> None:
    model, (one, other) = served(network(Residual)), views(2)
    slopes(model, one[None], "layer2")
    almost = one.copy()
    almost[3, 4, 1] += 1e-4
    for photo in (other, almost):
        passes()
        found = slopes(model, photo[None], "layer2")
        assert passes()
        wanted = slopes(served(network(Residual)), photo[None], "layer2")
        for each, its in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(each, its)


@pytest.mark.parametrize("change", [Randomised(("fc",), seed=3), ReluRule("guided")], ids=repr)
def test_a_changed_network_shares_nothing_with_its_original(change: Any) -> None:
    model, view = served(network(Residual)), views()
    before = slopes(model, view, "layer1")
    made = model.rewritten(change)
    assert made._forward.shared._kept is None
    assert made._forward.shared._halves is None
    wanted = slopes(served(network(Residual)).rewritten(change), view, "layer1")
    for _ in range(2):
        for found, other in zip(slopes(made, view, "layer1"), wanted, strict=True):
            np.testing.assert_array_equal(found, other)
    assert not np.allclose(wanted[1], before[1])
    for found, other in zip(slopes(model, view, "layer1"), before, strict=True):
        np.testing.assert_array_equal(found, other)


def test_what_is_handed_out_can_be_written_into() -> None:
    model, view = served(network(Residual)), views()
    maps, gradients = slopes(model, view, "layer2")
    kept = maps.copy(), gradients.copy()
    maps[:], gradients[:] = 7, 7
    view_again = view.copy()
    view[:] = 0
    model.activations(view_again, "layer2")[:] = 5
    for found, wanted in zip(slopes(model, view_again, "layer2"), kept, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_it_is_bounded_and_goes_with_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    model, view = served(network(Residual)), views()
    slopes(model, view, "layer1")
    kept = model._forward.shared._kept
    assert 0 < kept.bytes < shared.MOST
    gone = [weakref.ref(each) for each in kept.outputs.values()]
    monkeypatch.setattr(shared, "MOST", kept.bytes - 1)  # the maps alone have room
    del kept
    slopes(model, views(seed=5), "layer1")
    assert model._forward.shared._kept.scores is None
    assert not any(ref() for ref in gone)
    monkeypatch.setattr(shared, "MOST", 10)
    slopes(model, view, "layer1")
    assert model._forward.shared._kept is None


@pytest.mark.parametrize(
    "model",
    [
        lambda: served(network(Residual), mode_reason="dropout that is on"),
        lambda: served(scripted(network(Residual), traced=True)),
    ],
    ids=["random", "TorchScript"],
)
@pytest.mark.filterwarnings("ignore")
def test_some_networks_are_run_each_time(model: Any) -> None:
    made, view = model(), views()
    layer = made.layers()[-1].name
    made.activations(view, layer)
    slopes(made, view, layer)
    assert made._forward.shared._kept is None
    made._forward.shared.settle()
    assert made._forward.shared._halves is None


def test_it_is_followed_once_passes_have_taken_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "QUICKER", 0.0)
    model = served(network(Residual))
    made = model._forward.shared
    slopes(model, views(), "layer2")
    assert made._spent > 0
    assert made._halves is None
    assert not model.backend.layers
    monkeypatch.setattr(shared, "REPAYS", made._spent)
    slopes(model, views(seed=2), "layer2")
    assert made._halves is not None
    assert made._trusted == {"layer2": True}
    gain, apart = f"up to {made._gain:.1f} times", f"at most {made._apart:.0e} of the largest"
    assert 0 < made._apart < 1e-4
    assert gain in model.backend.words()
    assert apart in model.backend.words()
