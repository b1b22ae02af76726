"""Changed copies: ReLU rules against hooks and a library, drawn weights, other output weights."""

import copy
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.fakes.tiny import torch_model
from tests.fakes.tiny import view as tiny_view
from tests.loaders.torch.nets import (
    SIZE,
    Inception,
    Residual,
    Shared,
    Vit,
    network,
    photos,
    scripted,
    served,
    views,
)
from xai_core.changes import OutputWeights, Randomised, ReluRule
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import HasNative, Head, Rewrites, RunsFrom
from xai_core.target import ClassTarget, UnitTarget

RULES = ("guided", "deconvolution")


class Modular(nn.Module):
    """The same network twice over: its ReLUs as modules, or called in every other way."""

    def __init__(self, ways: bool) -> None:
        super().__init__()
        self.ways = ways
        self.convs = nn.ModuleList(nn.Conv2d(3 if not i else 6, 6, 3, padding=1) for i in range(8))
        self.relus = nn.ModuleList(nn.ReLU6() if i > 4 else nn.ReLU() for i in range(8))
        self.fc = nn.Linear(6, 3)

    def called(self, number: int, x: torch.Tensor) -> torch.Tensor:
        match number:
            case 0:
                return functional.relu(x)
            case 1:
                functional.relu(x, inplace=True)
                return x
            case 2:
                return x.relu_()
            case 3:
                return torch.clamp(x, min=0)
            case 4:
                return x.clamp_min(0)
            case 5:
                return x.clamp(0, 6)
            case 6:
                return functional.hardtanh(x, 0.0, 6.0, inplace=True)
        return functional.relu6(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for number, conv in enumerate(self.convs):
            x = conv(x) * 3
            x = self.called(number, x) if self.ways else self.relus[number](x)
        return self.fc(x.mean((2, 3)))


def by_hooks(net: nn.Module, rule: str, given: Any, index: int) -> Any:
    """Return a class's gradient with the rule, by backward hooks on modules (no in-place)."""

    def back(part: nn.Module, slopes: Any, above: Any) -> Any:
        # at a plain ReLU, what comes through it is zero where its input was not positive
        return (slopes[0].clamp_min(0) if rule == "guided" else above[0].clamp_min(0),)

    handles = []
    for part in net.modules():
        if isinstance(part, nn.ReLU | nn.ReLU6):
            part.inplace = False
            handles.append(part.register_full_backward_hook(back))
    source = photos(given).requires_grad_()
    net(source)[:, index].sum().backward()
    for handle in handles:
        handle.remove()
    return source.grad.permute(0, 2, 3, 1).numpy()


def close(ours: Any, wanted: Any) -> None:
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-5 * float(np.abs(wanted).max()))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("ways", [False, True])
def test_relus_whatever_they_are_called_by(rule: Any, ways: bool) -> None:
    nets = [network(lambda way=way: Modular(way)) for way in (ways, False)]
    model, view = served(nets[0]), views(2)
    wanted = by_hooks(copy.deepcopy(nets[1]), rule, view, 1)
    plain = model.gradients(view, ClassTarget(1))
    made = model.rewritten(ReluRule(rule))
    np.testing.assert_array_equal(made.logits(view), model.logits(view))
    close(made.gradients(view, ClassTarget(1)), wanted)
    assert np.abs(wanted - plain).max() > 0.1 * np.abs(plain).max()
    np.testing.assert_array_equal(model.gradients(view, ClassTarget(1)), plain)
    source = torch.from_numpy(view.transpose(0, 3, 1, 2).copy()).requires_grad_()
    made.native()(source)[:, 1].sum().backward()
    close(source.grad.permute(0, 2, 3, 1).numpy(), wanted)
    assert made.findings == model.findings


@pytest.mark.parametrize("rule", RULES)
def test_an_export(rule: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(
            network(Residual),
            (torch.rand(2, 3, *SIZE),),
            dynamic_shapes=({0: torch.export.Dim("n")},),
        )
        model = served(torch.export.unflatten(exported))
    own = served(network(Residual)).rewritten(ReluRule(rule))
    made, view = model.rewritten(ReluRule(rule)), views(2)
    close(made.gradients(view, ClassTarget(0)), own.gradients(view, ClassTarget(0)))
    drawn = model.rewritten(Randomised(("fc",), 3))
    close(
        drawn.logits(view), served(network(Residual)).rewritten(Randomised(("fc",), 3)).logits(view)
    )
    weights, bias = model.output_weights()
    close(
        model.rewritten(OutputWeights(weights * 2, bias * 2)).logits(view), 2 * model.logits(view)
    )


def test_the_grad_cam_library() -> None:
    from pytorch_grad_cam import GuidedBackpropReLUModel

    net = network(Inception)

    class Modules(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.relu = net, nn.ReLU()
            self.relus = nn.ModuleList(nn.ReLU() for _ in range(2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = net.stem(x)
            x = torch.cat([net.one(x), net.three(x), net.pool(x)], 1)
            return net.fc(self.relus[1](net.mix(self.relus[0](x))).mean((2, 3)))

    view = views()
    ours = served(copy.deepcopy(net)).rewritten(ReluRule("guided")).gradients(view, ClassTarget(2))
    library = GuidedBackpropReLUModel(model=Modules(), device="cpu")
    theirs = library(photos(view), target_category=2)
    close(ours[0], theirs)


def test_a_rule_serves_all_that_the_model_does() -> None:
    net = network(Residual)
    model = served(net)
    made, view = model.rewritten(ReluRule("guided")), views()
    for need in (RunsFrom, Rewrites, HasNative):
        assert made.lacks(need) is None
    maps = made.activations(view, "layer1.conv1")
    np.testing.assert_array_equal(maps, model.activations(view, "layer1.conv1"))
    down = made.vjp_from("layer1.conv1", maps, view[0], np.eye(3, dtype=np.float32)[[1]])
    _, slope = made.activation_gradients(view, "layer1.conv1", ClassTarget(1))
    close(down, slope)
    assert np.abs(down - model.activation_gradients(view, "layer1.conv1", ClassTarget(1))[1]).max()
    unit = UnitTarget("layer2.conv2", 1)
    assert np.abs(made.gradients(view, unit) - model.gradients(view, unit)).max() > 0
    both = made.rewritten(Randomised(("fc",), 1))
    other = model.rewritten(Randomised(("fc",), 1)).rewritten(ReluRule("guided"))
    np.testing.assert_array_equal(
        both.gradients(view, ClassTarget(0)), other.gradients(view, ClassTarget(0))
    )


def test_other_nonlinearities() -> None:
    for kind, name in ((nn.GELU, "gelu"), (nn.SiLU, "silu")):
        net = nn.Sequential(nn.Conv2d(3, 4, 3), kind(), nn.Flatten(), nn.LazyLinear(3)).eval()
        net(torch.zeros(1, 3, *SIZE))
        with pytest.raises(UnsupportedModel, match=f"none: its nonlinearity is {name}"):
            served(net).rewritten(ReluRule("guided"))
    with pytest.raises(UnsupportedModel, match="gelu"):
        served(network(Vit)).rewritten(ReluRule("guided"))
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Hardswish(), nn.Flatten())
    net.append(nn.LazyLinear(3))
    net.eval()(torch.zeros(1, 3, *SIZE))
    made = served(net).rewritten(ReluRule("guided"))
    assert made.findings[-1].message.startswith("Only its 1 ReLUs go by the rule")
    assert "hardswish (1)" in made.findings[-1].message
    with pytest.raises(ParamError, match="guided or deconvolution"):
        torch_model().rewritten(ReluRule("sideways"))  # type: ignore[arg-type]


class Beside(nn.Module):
    """Its photos pass no ReLU: the one that it has makes a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.scale = nn.Conv2d(3, 4, 3), nn.Parameter(torch.randn(4, 1, 1))
        self.fc = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = functional.gelu(self.conv(x)) * functional.relu(self.scale)
        return self.fc(maps.mean((2, 3)))


class Written(Beside):
    """Writes into the photos that it is given, and has a PReLU besides."""

    def __init__(self) -> None:
        super().__init__()
        self.prelu = nn.PReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x -= 0.5
        return super().forward(functional.relu(self.prelu(x)))


def test_a_relu_that_no_photo_reaches_does_not_count() -> None:
    with pytest.raises(UnsupportedModel, match="none: its nonlinearity is gelu"):
        served(network(Beside)).rewritten(ReluRule("guided"))
    made = served(network(Written)).rewritten(ReluRule("guided"))
    assert made.findings[-1].message.startswith("Only its 1 ReLUs go by the rule")
    assert made.findings[-1].message.endswith("stay: prelu (1) and gelu (1).")


@pytest.mark.parametrize("net", [Residual, Vit, Shared])
def test_layers_drawn_anew(net: Any) -> None:
    model, view = served(network(net)), views(2)
    names = model.weighted()
    before = model.logits(view)
    state = {key: tensor.clone() for key, tensor in model.native().state_dict().items()}
    chosen = (names[0], names[-1])
    made = model.rewritten(Randomised(chosen, seed=4))
    assert made.weighted() == names
    drawn = made.native().state_dict()
    for key, tensor in state.items():
        name = key.removeprefix("body.")
        torch.testing.assert_close(model.native().state_dict()[key], tensor, rtol=0, atol=0)
        if name in chosen or name.rpartition(".")[0] in chosen:
            assert not torch.equal(drawn[key], tensor)
            if tensor.numel() > 100:
                spread = float(tensor.std())
                assert abs(float(drawn[key].mean() - tensor.mean())) < 0.3 * spread
                assert abs(float(drawn[key].std()) / spread - 1) < 0.3
        else:
            assert torch.equal(drawn[key], tensor)
    assert np.abs(made.logits(view) - before).max() > 1e-4
    np.testing.assert_array_equal(model.logits(view), before)
    same = model.rewritten(Randomised(chosen[::-1], seed=4))
    np.testing.assert_array_equal(same.logits(view), made.logits(view))
    other = model.rewritten(Randomised(chosen, seed=5))
    assert np.abs(other.logits(view) - made.logits(view)).max() > 1e-6
    nested = model.rewritten(Randomised(names, seed=4)).native().state_dict()
    key = f"body.{names[-1]}.weight"
    assert torch.equal(nested[key], drawn[key])  # drawn alike whatever else is


def test_many_weights_keep_their_mean_and_deviation() -> None:
    model = served(nn.Sequential(nn.Flatten(), nn.Linear(SIZE[0] * SIZE[1] * 3, 3)))
    weight = model.native().body[1].weight
    weight.mul_(0.2).add_(0.7)
    drawn = model.rewritten(Randomised(("1",))).native().body[1].weight
    assert abs(float(drawn.mean() - weight.mean())) < 0.05 * float(weight.std())
    assert abs(float(drawn.std() / weight.std()) - 1) < 0.05
    assert not drawn.requires_grad


def test_the_order_of_what_has_weights() -> None:
    names = served(network(Residual)).weighted()
    assert names[:3] == ("stem", "layer1.conv1", "layer1.bn1")
    assert names[-1] == "fc"
    names = served(network(Vit)).weighted()
    assert names[:3] == ("first", "place", "patches")
    assert "blocks.0.attention" in names
    assert names.index("blocks.0.attention.out_proj") < names.index("blocks.0.norm2")
    model = served(network(Residual))
    with pytest.raises(ParamError, match=r"such as .*fc\), got 'layer1'"):
        model.rewritten(Randomised(("layer1",)))
    with pytest.raises(ParamError, match="seed"):
        model.rewritten(Randomised(("fc",), -1))


@pytest.mark.parametrize("classes", [3, 5, 1])
def test_other_output_weights(classes: int) -> None:
    net = network(Residual)
    model, view, kept = served(net), views(2), []
    handle = net.fc.register_forward_pre_hook(lambda part, args: kept.append(args[0]))
    before = model.logits(view)
    handle.remove()
    weights, bias = model.output_weights()
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(weights, net.fc.weight.numpy())
    features = kept[0].numpy()
    close(before, features @ weights.T + bias)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(classes, 8)).astype(np.float32)
    bias = rng.normal(size=classes).astype(np.float32)
    made = model.rewritten(OutputWeights(weights, bias))
    wanted = features @ weights.T + bias
    close(made.logits(view), wanted)
    assert made.labels == (
        model.labels if classes == 3 else tuple(f"class {number}" for number in range(classes))
    )
    ClassTarget(classes - 1).check(made)
    assert made.parameters - model.parameters == (classes - 3) * 9
    np.testing.assert_array_equal(model.logits(view), before)
    maps = made.activations(view[:1], "layer1.conv1")
    close(made.run_from("layer1.conv1", maps, view[0]), wanted[:1])
    for wrong in ((weights[:, :4], bias), (weights, bias[:-1])):
        with pytest.raises(ParamError, match="OutputWeights"):
            model.rewritten(OutputWeights(*wrong))


def test_one_unit_is_two_classes() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net.append(nn.Linear(4, 1))
    from loaders.preprocessing import preset
    from loaders.torch.model import TorchModel

    model = TorchModel(
        net.eval(),
        name="one",
        kind="test",
        architecture="one",
        preprocessing=preset("unit", SIZE),
        labels=("no", "yes"),
        head=Head("sigmoid"),
    )
    view = views(2)
    weights, bias = model.output_weights()
    assert weights.shape == (2, 4)
    features = net[:-1](photos(view)).numpy()
    close(model.logits(view), features @ weights.T + bias)
    made = model.rewritten(OutputWeights(weights, bias))
    close(made.logits(view), model.logits(view))
    close(made.head.probabilities(made.logits(view)), model.head.probabilities(model.logits(view)))
    assert model.rewritten(OutputWeights(weights[:1], bias[:1])).logits(view).shape == (2, 1)


class Scaled(Residual):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * 2


class Averaged(Residual):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.layer1(self.stem(x)).permute(0, 2, 3, 1)
        return self.fc(functional.pad(maps, (0, 2))).mean((1, 2))


class Rowed(Residual):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).reshape(-1, 3)


def test_scores_that_do_not_come_straight_out_of_a_dense_layer() -> None:
    for net, name in ((Scaled, "mul"), (Averaged, "mean")):
        with pytest.raises(UnsupportedModel, match=f"come out of {name}"):
            served(network(net)).output_weights()
    model = served(network(Rowed))
    weights, bias = model.output_weights()
    with pytest.raises(UnsupportedModel, match="does not bear 2 classes"):
        model.rewritten(OutputWeights(weights[:2], bias[:2]))


def test_what_cannot_be_copied() -> None:
    class Held(Inception):
        def __deepcopy__(self, memo: Any) -> Any:
            raise TypeError("no copies")

    with pytest.raises(UnsupportedModel, match="no copies"):
        served(network(Held)).rewritten(Randomised(("fc",)))
    with pytest.raises(UnsupportedModel, match="bears no str"):
        served(network(Inception)).rewritten("change")  # type: ignore[arg-type]
    model = served(scripted(network(Inception), traced=True))
    for call in (model.weighted, model.output_weights, lambda: model.rewritten(ReluRule("guided"))):
        with pytest.raises(UnsupportedModel, match=r"torch\.export\.save"):
            call()


def test_the_tiny_network() -> None:
    model = torch_model()
    assert model.weighted() == ("0", "3", "7")
    weights, bias = model.output_weights()
    assert weights.shape == (3, 8)
    assert not bias.any()
    view = tiny_view()[None]
    made = model.rewritten(OutputWeights(weights, bias + 1))
    close(made.logits(view), model.logits(view) + 1)
