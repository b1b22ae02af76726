"""Running on from a layer, against plain torch with a hook that puts the maps in their place."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from loaders.torch.replay import Ended
from loaders.torch.wrapped import Reading
from tests.loaders.torch.nets import (
    NETS,
    SIZE,
    Inception,
    Residual,
    Shared,
    Vit,
    laid,
    network,
    photos,
    put,
    scripted,
    served,
    views,
)
from xai_core.errors import ParamError
from xai_core.model import RunsFrom
from xai_core.target import ClassTarget

KINDS = ("eager", "traced", "scripted", "pt2")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def model_of(net: nn.Module, kind: str) -> Any:
    if kind == "eager":
        return served(net)
    if kind == "pt2":
        from torch.export import Dim, export, unflatten

        photo = (torch.rand(2, 3, *SIZE),)
        return served(unflatten(export(net, photo, dynamic_shapes=({0: Dim("n")},))))
    return served(scripted(net, traced=kind == "traced"))


def module_of(net: nn.Module, model: Any, layer: str) -> str | None:
    """Return the submodule whose output a layer is, where there is one."""
    known = {name for name, _ in net.named_modules()}
    # in an export, attention gives its tensor alone
    return layer if layer in known and not layer.endswith("attention") else None


def close(ours: Any, wanted: Any, tolerance: float = 1e-5) -> None:
    scale = max(float(np.abs(wanted).max()), 1e-6)
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("net", NETS)
def test_from_every_layer(net: Any, kind: str) -> None:
    plain = network(net)
    model = model_of(network(net), kind)
    assert isinstance(model, RunsFrom)
    assert model.lacks(RunsFrom) is None
    view = views()
    wanted = model.logits(view)
    compared = 0
    for row in model.layers()[:: 5 if net is Vit else 1]:  # TorchScript plans each anew
        own = model.activations(view, row.name)
        close(model.run_from(row.name, own, view[0]), wanted)
        maps = np.concatenate([own, own[:, ::-1, ::-1] + 0.1, own * 0.5])
        ours = model.run_from(row.name, maps, view[0])
        assert ours.shape == (3, 3)
        part = module_of(plain, model, row.name)
        if part is None:
            continue
        compared += 1
        values = torch.from_numpy(maps.copy()).requires_grad_()
        handle = put(plain, part, lambda output, values=values: laid(output, values))
        scores = plain(photos(np.repeat(view, 3, 0)))
        handle.remove()
        close(ours, scores.detach().numpy())
        cotangent = np.random.default_rng(5).normal(size=(3, 3)).astype(np.float32)
        (slope,) = torch.autograd.grad(scores, values, torch.from_numpy(cotangent))
        close(model.vjp_from(row.name, maps, view[0], cotangent), slope.numpy())
    assert compared >= 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("net", "layer"), [(Residual, "stem"), (Inception, "mix"), (Shared, "stem"), (Vit, "patches")]
)
def test_back_to_the_view(net: Any, layer: str, kind: str) -> None:
    plain, model = network(net), model_of(network(net), kind)
    view = views(3)
    maps = model.activations(view, layer)
    cotangent = np.random.default_rng(5).normal(size=maps.shape).astype(np.float32)
    source = photos(view).requires_grad_()
    kept: list[torch.Tensor] = []
    handle = put(plain, layer, lambda output: kept.append(output) or output.clone())
    plain(source)
    handle.remove()
    value = kept[0].permute(0, 2, 3, 1)
    (slope,) = torch.autograd.grad(value, source, torch.from_numpy(cotangent))
    close(model.vjp_to(layer, view, cotangent), slope.permute(0, 2, 3, 1).numpy())
    # all of these networks' scores pass this layer, so both ways together are the gradient
    rows = np.eye(3, dtype=np.float32)[[1]]
    for number in range(3):
        down = model.vjp_from(layer, maps[[number]], view[number], rows)
        both = model.vjp_to(layer, view[[number]], down)
        close(both, model.gradients(view[[number]], ClassTarget(1)))


@pytest.mark.parametrize("layer", ["layer2", "layer2.conv2", "layer2.bn2", "layer1.conv1"])
def test_the_front_does_not_run_again(layer: str) -> None:
    net = network(Residual)
    model = served(net)
    view = views()
    maps = model.activations(view, layer)
    model.run_from(layer, maps, view[0])  # the first use is where the way is found
    work: list[Any] = []
    for part in (each for each in net.modules() if isinstance(each, nn.Conv2d)):
        own = part._conv_forward
        part._conv_forward = lambda *args, own=own, part=part: (  # type: ignore[assignment]
            work.append((part, len(args[0]))),
            own(*args),
        )[1]
    model.run_from(layer, np.repeat(maps, 20, 0), views(1, 2)[0])  # another photo
    names = {part: name for name, part in net.named_modules()}
    seen = [(names[part], count) for part, count in work]
    before = ["stem", "layer1.conv1"]
    assert [row for row in seen if row[0] in before] == [(name, 1) for name in before]
    after = {"layer2.conv1": 20, "layer2.conv2": 20} if layer == "layer1.conv1" else {}
    for name, count in after.items():
        assert sum(row[1] for row in seen if row[0] == name) == count
    work.clear()
    model.run_from(layer, maps, views(1, 2)[0])  # the photo is known
    assert not [part for part, _ in work if names[part] in before]


def test_nothing_is_left_behind() -> None:
    net = network(Residual)
    model = served(net)
    view = views()
    maps = model.activations(view, "layer1")
    before = {name: dict(part.__dict__) for name, part in net.named_modules()}
    model.run_from("layer1", maps, view[0])
    with pytest.raises(ParamError, match=r"activations must be an array \[1, 16, 24, 6\]"):
        model.run_from("layer1", maps[:, :3], view[0])
    with pytest.raises(ParamError, match="cotangent"):
        model.vjp_from("layer1", maps, view[0], np.ones((2, 3), np.float32))
    with pytest.raises(ParamError, match="The layer must be"):
        model.run_from("layer9", maps, view[0])

    def failing(x: torch.Tensor) -> torch.Tensor:
        raise ArithmeticError

    net.layer2.relu.forward = failing
    with pytest.raises(ArithmeticError):
        model.run_from("layer1", maps, view[0])
    assert net.layer2.relu.forward is failing
    del net.layer2.relu.__dict__["forward"]
    for name, part in net.named_modules():
        assert part.__dict__.keys() == before[name].keys()
        assert not part._forward_hooks


def test_a_network_that_takes_three_photos_only() -> None:
    class Fixed(Inception):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert len(x) == 3
            return super().forward(x)

    torch.manual_seed(0)
    model, plain = served(network(Fixed), reading=Reading(batch=3)), served(network(Inception))
    view = views()
    maps = model.activations(views(4), "three")
    close(model.run_from("three", maps, view[0]), plain.run_from("three", maps, view[0]))
    slope = np.ones((4, 3), np.float32)
    close(
        model.vjp_from("three", maps, view[0], slope),
        plain.vjp_from("three", maps, view[0], slope),
    )


def test_a_network_that_goes_by_the_photo_is_run_as_a_whole() -> None:
    class Turning(Inception):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            way = self.pool if float(x.mean()) > 0.5 else self.three
            x = self.stem(x)
            x = torch.cat([way(x), self.one(x), self.three(x)], 1)
            return self.fc(self.mix(x).relu().mean((2, 3)))

    net = network(Turning)
    model = served(net)
    for view in (views() * 0.2, views() * 0.2 + 0.7):
        own = model.activations(view, "one")
        close(model.run_from("one", np.repeat(own, 2, 0), view[0])[[1]], model.logits(view))
        maps = own * 0.5
        handle = put(net, "one", lambda output, maps=maps: laid(output, torch.from_numpy(maps)))
        wanted = net(photos(view))
        handle.remove()
        close(model.run_from("one", maps, view[0]), wanted.numpy())


def test_a_networks_own_except_does_not_catch_the_end() -> None:
    assert not issubclass(Ended, Exception)


@pytest.mark.parametrize("traced", [True, False])
def test_a_scripts_front_is_not_in_its_tail(traced: bool) -> None:
    model, view = served(scripted(network(Residual), traced=traced)), views()
    maps = model.activations(view, "layer2.bn1")
    model.run_from("layer2.bn1", maps, view[0])
    assert model._tails["layer2.bn1"]._way is not None
    counts = [
        sum(len(half.graph.findAllNodes(f"aten::{name}")) for name in ("conv2d", "_convolution"))
        for half in model._inside._halves("layer2.bn1")
    ]
    assert counts == [6, 1]  # of seven: the shortcut's belongs to the front


class Asserting(Vit):
    """Looks at the sides of its photos, which a trace keeps as operations on numbers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch._assert(x.shape[2] == SIZE[0], "a photo of another height")
        return super().forward(x)


def test_a_trace_that_compares_sides() -> None:
    net = network(Asserting)
    script, view = scripted(net, traced=True), views()
    model = served(script)
    np.testing.assert_allclose(model.logits(view), net(photos(view)).detach(), atol=1e-5)
    name = model.layers()[0].name
    maps = model.activations(view, name)
    close(model.run_from(name, maps, view[0]), model.logits(view))
    assert model._tails[name]._way is not None
