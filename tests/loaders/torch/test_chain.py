"""Heads rebuilt from their tensors alone, each against the head that plain torch made."""

from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import nn

from loaders.torch import chain
from xai_core.errors import LoadError


class Inner(nn.Module):
    """A head of one's own class, with a Sequential inside."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block(x)


class Named(nn.Module):
    """A head whose layers have names: fc1, bn1, relu, fc2."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.bn1 = nn.Linear(8, 6), nn.BatchNorm1d(6)
        self.relu, self.drop = nn.ReLU(), nn.Dropout()
        self.fc2 = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.drop(self.relu(self.bn1(self.fc1(x)))))


class Blocks(nn.Module):
    """Two Sequentials after each other, the second of one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout())
        self.out = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.hidden(x))


def seq(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers)


L, B = nn.Linear, nn.BatchNorm1d
HEADS: dict[str, Any] = {
    "linear, bn, relu, dropout, linear": lambda: seq(
        L(8, 6), B(6), nn.ReLU(), nn.Dropout(), L(6, 4)
    ),
    "linear, relu, bn, dropout, linear": lambda: seq(
        L(8, 6), nn.ReLU(), B(6), nn.Dropout(), L(6, 4)
    ),
    "linear, relu, bn, linear": lambda: seq(L(8, 6), nn.ReLU(), B(6), L(6, 4)),
    "linear, relu, dropout, bn, linear": lambda: seq(
        L(8, 6), nn.ReLU(), nn.Dropout(), B(6), L(6, 4)
    ),
    "fastai": lambda: seq(
        B(8), nn.Dropout(), L(8, 6, bias=False), nn.ReLU(), B(6), nn.Dropout(), L(6, 4, bias=False)
    ),
    "bn, linear": lambda: seq(B(8), L(8, 4)),
    "bn, dropout, linear": lambda: seq(B(8), nn.Dropout(), L(8, 4)),
    "dropout, linear": lambda: seq(nn.Dropout(), L(8, 4)),
    "linear, linear": lambda: seq(L(8, 6), L(6, 4)),
    "linear, bn, linear": lambda: seq(L(8, 6), B(6), L(6, 4)),
    "prelu": lambda: seq(L(8, 6), nn.PReLU(), nn.Dropout(), L(6, 4)),
    "three": lambda: seq(
        nn.Flatten(), L(8, 6), nn.ReLU(), nn.Dropout(), L(6, 5), nn.ReLU(), L(5, 4)
    ),
    "layer norm": lambda: seq(nn.LayerNorm(8), L(8, 6), nn.ReLU(), L(6, 4)),
    "sequentials in a sequential": lambda: seq(
        seq(L(8, 6), nn.ReLU(), nn.Dropout()), seq(L(6, 5), nn.ReLU()), L(5, 4)
    ),
    "ordered names": lambda: nn.Sequential(
        OrderedDict(fc1=L(8, 6), relu=nn.ReLU(), fc2=L(6, 5), relu2=nn.ReLU(), output=L(5, 4))
    ),
    "a class with a sequential": Inner,
    "a class with names": Named,
    "a class with two blocks": Blocks,
}


def shaken(head: nn.Module) -> nn.Module:
    """Give its normalisations numbers of their own, of either sign."""
    torch.manual_seed(3)
    for layer in head.modules():
        if isinstance(layer, nn.BatchNorm1d):
            for tensor in (layer.weight.data, layer.bias.data, layer.running_mean):
                tensor.uniform_(-1, 1)
    return head.eval()


def rebuilt(head: nn.Module, activation: Any = None) -> chain.Chain:
    """Rebuild a head from the names and shapes of its tensors, and fill it."""
    state = head.state_dict()
    shapes = {k: tuple(v.shape) for k, v in state.items() if not k.endswith("batches_tracked")}
    made = chain.build(shapes, "fc", activation)
    missing, left = made.module.load_state_dict(state, strict=False)
    assert not [name for name in (*missing, *left) if not name.endswith("batches_tracked")]
    return made


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_rebuilt_as_it_was(name: str) -> None:
    head = shaken(HEADS[name]())
    made = rebuilt(head)
    rows = torch.randn(16, 8)
    with torch.no_grad():
        torch.testing.assert_close(made.module.eval()(rows), head(rows))
    assert (made.takes, made.gives) == (8, 4)
    told = ("linear, linear", "linear, bn, linear", "prelu", "bn, linear")
    certain = name in told or (name.endswith("dropout, linear") and "relu" not in name)
    assert (made.assumed == 0) == certain


def test_what_a_gap_behind_a_normalisation_was_is_not_sure() -> None:
    assert rebuilt(HEADS["linear, relu, bn, dropout, linear"]()).unsure
    assert rebuilt(seq(L(8, 6), B(6), nn.Dropout(), L(6, 4))).unsure
    assert not rebuilt(HEADS["linear, relu, bn, linear"]()).unsure


@pytest.mark.parametrize("asked", chain.TITLES)
def test_the_activation_that_is_asked_for_stands_in_every_gap(asked: Any) -> None:
    act = getattr(nn, chain.TITLES[asked])
    head = shaken(seq(L(8, 6), act(), L(6, 5), act(), L(5, 4)))
    rows = torch.randn(16, 8)
    with torch.no_grad():
        torch.testing.assert_close(rebuilt(head, asked).module.eval()(rows), head(rows))


WRONG = {
    "widths": ({"0.weight": (6, 8), "1.weight": (4, 5)}, "do not follow one another: fc.1 takes 5"),
    "a convolution": ({"0.weight": (6, 8, 1, 1)}, "'fc.0' that is not a Linear"),
    "crossed": (
        {"a.0.weight": (8, 8), "b.0.weight": (8, 8), "a.1.weight": (4, 8)},
        "under fc.a do not follow one another",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_chain_is_refused(case: str) -> None:
    shapes, sentence = WRONG[case]
    with pytest.raises(LoadError, match=sentence):
        chain.build(shapes, "fc", None)
