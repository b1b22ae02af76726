"""Weights wherever they stand in a file, against the network that plain torch filled."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torchvision import models

from loaders import recognise
from loaders.formats import sniff
from loaders.options import Options
from loaders.torch import contents, networks, weights
from loaders.torch.sets import parts
from xai_core.errors import LoadError, NeedsSource, UnsupportedModel


def small(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return models.shufflenet_v2_x0_5(weights=None, num_classes=3).eval()


@pytest.fixture(scope="module")
def net() -> nn.Module:
    return small()


@pytest.fixture(scope="module")
def averaged() -> nn.Module:
    return small(9)


def content_of(tmp_path: Path, content: object, **options: Any) -> contents.Content:
    torch.save(content, tmp_path / "w")
    return contents.read(tmp_path / "w", sniff(tmp_path / "w"), Options(**options))


def built(tmp_path: Path, content: object, **options: Any) -> networks.Built:
    """Return the network that is made of a file, and what is said of it."""
    asked = Options(**options)
    sets = content_of(tmp_path, content, **options).sets
    found = weights._matches(sets) or weights._matches(parts(sets))
    if not found:
        raise weights._unknown(sets, asked)
    taken, said = weights.choose([weights._place(*each) for each in found], asked.weights)
    made = networks.build(found[taken][1], found[taken][0].tensors, asked)
    strays = weights._strays(found[taken][1])
    return dataclasses.replace(made, findings=(*said, *strays, *made.findings))


def same(made: Any, network: nn.Module, side: int = 64, channels: int = 3) -> None:
    photos = torch.rand(2, channels, side, side, generator=torch.Generator().manual_seed(0))
    module = made.module if isinstance(made, networks.Built) else made
    with torch.no_grad():
        torch.testing.assert_close(module.eval()(photos), network.eval()(photos))


def said(made: networks.Built) -> str:
    return " ".join(f"{finding.level}: {finding.message}" for finding in made.findings)


def under(prefix: str, network: nn.Module) -> dict[str, torch.Tensor]:
    return {prefix + key: tensor for key, tensor in network.state_dict().items()}


PREFIXES = ("backbone.", "_module.", "model.module.", "student.", "a.b.c.d.", "net_", "x" * 900)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_any_prefix(tmp_path: Path, net: nn.Module, prefix: str) -> None:
    same(built(tmp_path, under(prefix, net)), net)


def test_wrappers_in_the_middle_of_a_name(tmp_path: Path, net: nn.Module) -> None:
    state = {
        key.replace("stage2.", "stage2.module.").replace("fc.", "fc._orig_mod."): tensor
        for key, tensor in net.state_dict().items()
    }
    same(built(tmp_path, state), net)


STRAYS: dict[str, tuple[dict[str, torch.Tensor], str]] = {
    "a loss": ({"criterion.weight": torch.ones(3)}, "info"),
    "a centre loss": ({"center_loss.centers": torch.ones(3, 9)}, "info"),
    "metrics": ({"val_confmat.confmat": torch.ones(3, 3), "train_acc.tp": torch.ones(3)}, "info"),
    "counters": ({"n_averaged": torch.tensor(3), "net.stage2.total_ops": torch.ones(1)}, "info"),
    "something": ({"log_vars": torch.ones(2)}, "warning"),
    "its own scale": ({"mean": torch.ones(1, 3, 1, 1)}, "warning"),
}


@pytest.mark.parametrize("case", STRAYS)
def test_strays_take_no_part_and_are_said(tmp_path: Path, net: nn.Module, case: str) -> None:
    strays, level = STRAYS[case]
    made = built(tmp_path, {"state_dict": {**under("net.", net), **strays}})
    same(made, net)
    if case != "counters":
        assert f"{level}: " in said(made)
    if level == "info":
        assert "warning" not in said(made)


def test_of_several_sets_one_is_taken_by_a_rule_and_another_can_be_asked(
    tmp_path: Path, net: nn.Module, averaged: nn.Module
) -> None:
    both = {"model_ema": averaged.state_dict(), "model": net.state_dict()}
    made = built(tmp_path, both)
    same(made, net)
    assert "warning: The file holds 2 sets of weights, 'model_ema' and 'model'" in said(made)
    assert "(--weights)" in said(made)
    same(built(tmp_path, both, weights="model_ema"), averaged)
    same(built(tmp_path, both, weights="model"), net)
    with pytest.raises(LoadError, match="no weights under 'swa'; it has 'model_ema' and 'model'"):
        built(tmp_path, both, weights="swa")
    flat = {**under("ema_model.", averaged), **under("online_model.", net)}
    same(built(tmp_path, flat), net)
    same(built(tmp_path, flat, weights="ema_model"), averaged)
    same(built(tmp_path, {"ema": {"module": averaged.state_dict(), "updates": 3}}), averaged)


def test_weights_at_any_depth_and_in_parts(tmp_path: Path, net: nn.Module) -> None:
    state = net.state_dict()
    same(built(tmp_path, {"a": {"b": {"c": {"state": under("module.", net)}}}}), net)
    same(built(tmp_path, {"folds": [state, state]}), net)
    body = {key: tensor for key, tensor in state.items() if not key.startswith("fc.")}
    head = {"weight": state["fc.weight"], "bias": state["fc.bias"]}
    same(built(tmp_path, {"encoder": body, "classifier": head}), net)
    optimiser = {"optimizer": {"state": {"0": {"exp_avg": torch.ones(3, 3)}}, "param_groups": []}}
    same(built(tmp_path, {"model": state, **optimiser}), net)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_any_precision(tmp_path: Path, net: nn.Module, kind: torch.dtype) -> None:
    state = {k: v.to(kind) if v.is_floating_point() else v for k, v in net.state_dict().items()}
    rounded = small()
    rounded.load_state_dict(state)
    same(built(tmp_path, state), rounded)


def _pruned(network: Any) -> None:
    prune.l1_unstructured(network.conv1[0], "weight", 0.4)
    prune.random_unstructured(network.fc, "weight", 0.5)


def _spectral(network: Any) -> None:
    nn.utils.spectral_norm(network.fc)
    network.train()(torch.rand(4, 3, 64, 64))
    network.eval()


FOLDED: dict[str, Any] = {
    "pruned": _pruned,
    "weight norm": lambda n: parametrizations.weight_norm(n.fc),
    "spectral norm": _spectral,
    "spectral norm of today": lambda n: parametrizations.spectral_norm(n.fc),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("case", FOLDED)
def test_weights_in_parts_are_put_together(tmp_path: Path, case: str) -> None:
    network = small()
    FOLDED[case](network)
    same(built(tmp_path, dict(network.state_dict())), network)


def test_whole_networks_inside_wrappers(tmp_path: Path, net: nn.Module) -> None:
    pruned = small()
    _pruned(pruned)
    wrapped = (
        nn.DataParallel(net),
        torch.optim.swa_utils.AveragedModel(net),
        torch.optim.swa_utils.AveragedModel(nn.DataParallel(net)),
        {"epoch": 1, "net": torch.compile(net)},
    )
    for each in wrapped:
        module = content_of(tmp_path, each).module
        assert type(module).__name__ == "ShuffleNetV2"
        same(module, net)
    module = content_of(tmp_path, pruned).module
    assert recognise.body({k: tuple(v.shape) for k, v in module.state_dict().items()})
    same(module, pruned)


def resnet(change: Any) -> nn.Module:
    torch.manual_seed(1)
    network = models.resnet18(weights=None, num_classes=3)
    change(network)
    return network.eval()


def test_a_grey_stem(tmp_path: Path) -> None:
    for bias in (False, True):
        grey = resnet(lambda n, b=bias: setattr(n, "conv1", nn.Conv2d(1, 64, 7, 2, 3, bias=b)))
        made = built(tmp_path, grey.state_dict())
        assert made.channels == 1
        assert "warning: The network's first convolution takes one grey channel" in said(made)
        same(made, grey, channels=1)


def test_a_stem_for_small_photos(tmp_path: Path) -> None:
    def change(network: Any) -> None:
        network.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        network.maxpool = nn.Identity()

    cifar = resnet(change)
    made = built(tmp_path, under("module.", cifar))
    assert made.preprocessing.size == (32, 32)
    assert "its stride: 1 is assumed, without the max pooling" in said(made)
    same(made, cifar, side=32)


def test_a_stem_of_other_channels_is_named(tmp_path: Path) -> None:
    network = resnet(lambda n: setattr(n, "conv1", nn.Conv2d(4, 64, 7, 2, 3, bias=False)))
    with pytest.raises(UnsupportedModel, match="takes 4 channels"):
        built(tmp_path, network.state_dict())


class Beside(nn.Module):
    """A body without its head, or whole, and layers beside it."""

    def __init__(self, head: nn.Module, whole: bool = False) -> None:
        super().__init__()
        self.backbone = models.resnet18(weights=None)
        if not whole:
            self.backbone.fc = nn.Identity()
        self.head = head

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(photos))


def test_a_head_beside_its_body(tmp_path: Path) -> None:
    mlp = nn.Sequential(nn.Linear(512, 9), nn.ReLU(), nn.Dropout(), nn.Linear(9, 3))
    for head in (nn.Linear(512, 3), mlp):
        network = Beside(head).eval()
        made = built(tmp_path, network.state_dict())
        same(made, network)
        assert "warning: The head stands beside its body" in said(made)


def test_layers_behind_a_whole_network(tmp_path: Path) -> None:
    network = Beside(nn.Sequential(nn.ReLU(), nn.Linear(1000, 3)), whole=True).eval()
    made = built(tmp_path, network.state_dict(), activation="relu")
    same(made, network)
    plain = Beside(nn.Linear(1000, 3), whole=True).eval()
    made = built(tmp_path, plain.state_dict())
    same(made, plain)
    assert "(--activation)" in said(made)


class Children(nn.Module):
    """The body as a Sequential of a known network's children, with fastai's pooling or the mean."""

    def __init__(self, both: bool) -> None:
        super().__init__()
        self.features = nn.Sequential(*list(models.resnet18(weights=None).children())[:-2])
        self.both, self.fc = both, nn.Linear(1024 if both else 512, 3)

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        maps = self.features(photos)
        means = maps.mean((2, 3))
        return self.fc(torch.cat([maps.amax((2, 3)), means], 1) if self.both else means)


@pytest.mark.parametrize("both", [False, True])
def test_a_body_of_a_networks_children(tmp_path: Path, both: bool) -> None:
    network = Children(both).eval()
    made = built(tmp_path, network.state_dict())
    same(made, network)
    assert ("maxima and means" in said(made)) == both


def test_several_heads_are_asked_for_by_name(tmp_path: Path) -> None:
    network = Beside(nn.Linear(512, 2))
    state = network.state_dict() | {"age.weight": torch.ones(1, 512), "age.bias": torch.ones(1)}
    with pytest.raises(LoadError, match=r"2 heads on one body \('head', 'age'\).*\(--output\)"):
        built(tmp_path, state)
    same(built(tmp_path, state, output="head"), network)


MORE: dict[str, Any] = {
    "inside a block": lambda n: n.layer1[0].add_module("se", nn.Linear(64, 64)),
    "at the top": lambda n: n.add_module("attention", nn.Conv2d(512, 512, 1)),
    "two streams": lambda n: n.add_module("other", models.resnet18(weights=None)),
}


@pytest.mark.parametrize("case", MORE)
def test_a_known_body_with_more_in_it_is_no_known_network(tmp_path: Path, case: str) -> None:
    network = resnet(MORE[case])
    if case == "two streams":  # one body twice, and one head for both
        network.fc, network.other.fc = nn.Linear(1024, 3), nn.Identity()
    with pytest.raises(LoadError, match="source of its class"):
        built(tmp_path, network.state_dict())


def test_a_body_without_a_head_is_named(tmp_path: Path) -> None:
    network = resnet(lambda n: setattr(n, "fc", nn.Identity()))
    with pytest.raises(NeedsSource, match="torchvision's resnet18, a body without its head"):
        built(tmp_path, under("encoder.", network))


def test_what_is_known_of_an_unknown_networks_input_goes_along(tmp_path: Path) -> None:
    state = {"a.weight": torch.ones(4, 1, 3, 3), "b.weight": torch.ones(2, 4)}
    with pytest.raises(NeedsSource) as caught:
        built(tmp_path, state, size=(48, 40))
    assert caught.value.example == (1, 48, 40)


LABELS = ["mole", "newt", "owl"]
NAMED: dict[str, Any] = {
    "top": {"classes": LABELS},
    "hyper-parameters": {"hyper_parameters": {"class_names": LABELS, "lr": 0.1}},
    "nested": {"meta": {"data": {"idx_to_class": dict(enumerate(LABELS))}}},
    "an argparse namespace": {"args": argparse.Namespace(lr=0.1, names=LABELS)},
}


@pytest.mark.parametrize("case", NAMED)
def test_names_of_classes_are_found(tmp_path: Path, net: nn.Module, case: str) -> None:
    ((where, inside),) = content_of(tmp_path, {"net": net.state_dict(), **NAMED[case]}).names
    assert list(inside.values() if isinstance(inside, dict) else inside) == LABELS
    assert where.startswith("the checkpoint's '")


def test_names_of_a_whole_network_and_no_counts(tmp_path: Path, net: nn.Module) -> None:
    named = small()
    named.class_to_idx = {"mole": 0, "newt": 1, "owl": 2}
    ((where, _),) = content_of(tmp_path, nn.DataParallel(named)).names
    assert where == "the network's own 'class_to_idx'"
    other = {"net": net.state_dict(), "classes": 3, "labels": [0, 1, 2, 1], "names": ""}
    assert content_of(tmp_path, other).names == ()


def test_hostile_nesting_and_names_end_in_a_sentence(tmp_path: Path) -> None:
    deep: Any = {"w": torch.ones(3, 3, 3, 3)}
    for _ in range(20):
        deep = {"a": deep}
    with pytest.raises(LoadError, match="holds no model weights"):
        content_of(tmp_path, deep)
    state = {f"{'x' * 100_000}.{i}.conv1.weight": torch.ones(4, 3, 3, 3) for i in range(20)}
    with pytest.raises(NeedsSource, match="No torchvision classifier has these 20 tensors"):
        built(tmp_path, state)
    wide = {f"{i}.conv1.weight": (64, 3, 7, 7) for i in range(30_000)}
    assert recognise.matches(wide) == []


def test_a_pickle_of_many_records_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "MAX_RECORDS", 1_000)
    with pytest.raises(LoadError, match="MB of records beside its tensors"):
        content_of(tmp_path, {"class_to_idx": {f"class {i}": i for i in range(1_000)}})
