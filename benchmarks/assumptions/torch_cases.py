"""PyTorch files of which something has to be assumed, with plain torch's own answers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision import models

from benchmarks.assumptions.case import Truth, case, pair, softmax
from benchmarks.assumptions.torch_files import (
    CODE,
    UNIT,
    photos,
    saved,
    scores,
    small,
    sourced,
)
from loaders.options import Options

# -- weights: what stands around them ----------------------------------------------------------

Wrap = Callable[[Mapping[str, Any]], Any]


def _prefixed(prefix: str) -> Wrap:
    return lambda state: {prefix + key: value for key, value in state.items()}


WRAPS: dict[str, Wrap] = {
    "under backbone.": _prefixed("backbone."),
    "under model.module.": _prefixed("model.module."),
    "under _orig_mod.": _prefixed("_orig_mod."),
    "under student.net.body.": _prefixed("student.net.body."),
    "beside a criterion": lambda s: {**_prefixed("model.")(s), "criterion.weight": torch.ones(3)},
    "beside counters": lambda s: {"n_averaged": torch.tensor(7), **_prefixed("module.")(s)},
    "beside profiler's counts": lambda s: {**s, "total_ops": torch.zeros(1)},
    "two levels deep": lambda s: {"state": {"model": dict(s), "step": 9}},
    "three levels deep": lambda s: {"best": {"checkpoint": {"state_dict": dict(s)}}, "lr": 0.1},
    "in half precision": lambda s: {
        k: v.half() if v.is_floating_point() else v for k, v in s.items()
    },
    "in bfloat16": lambda s: {
        k: v.bfloat16() if v.is_floating_point() else v for k, v in s.items()
    },
}  # fmt: skip


def _wrap_case(name: str, wrap: Wrap) -> None:
    @case("torch", f"weights {name}", "weights")
    def write(folder: Path) -> Truth:
        network = small()
        return saved(folder, wrap(network.state_dict()), network)


for _name, _wrap in WRAPS.items():
    _wrap_case(_name, _wrap)


@case("torch", "averaged weights beside the trained ones", "weights")
def _averaged(folder: Path) -> Truth:
    network, other = small(seed=1), small(seed=2)
    content = {"model": other.state_dict(), "model_ema": network.state_dict(), "epoch": 3}
    return saved(folder, content, network, weights="model_ema")


@case("torch", "pruned weights", "weights")
def _pruned(folder: Path) -> Truth:
    from torch.nn.utils import prune

    network = small()
    prune.l1_unstructured(network.conv5[0], "weight", 0.3)
    network(torch.zeros(1, 3, 64, 64))
    return saved(folder, network.state_dict(), network)


@case("torch", "a whole module in DataParallel", "weights")
def _parallel(folder: Path) -> Truth:
    network = small()
    return saved(folder, nn.DataParallel(network), network)


@case("torch", "class_to_idx beside the weights", "labels")
def _named(folder: Path) -> Truth:
    network = small()
    content = {"state_dict": network.state_dict(), "class_to_idx": {"newt": 1, "mole": 0, "owl": 2}}
    return saved(folder, content, network, labels=("mole", "newt", "owl"))


@case("torch", "id2label beside the weights", "labels")
def _id2label(folder: Path) -> Truth:
    network = small()
    names = {"0": "mole", "1": "newt", "2": "owl"}
    content = {"model": network.state_dict(), "config": {"id2label": names}}
    return saved(folder, content, network, labels=("mole", "newt", "owl"))


# -- heads of weights --------------------------------------------------------------------------


class _Inside(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Linear(1024, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 4)
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.block(maps)


def _mlp(*middle: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(1024, 32), *middle, nn.Linear(32, 4))


HEADS: dict[str, Callable[[], nn.Module]] = {
    "Linear, ReLU, Linear": lambda: _mlp(nn.ReLU()),
    "Linear, ReLU, Dropout, Linear": lambda: _mlp(nn.ReLU(), nn.Dropout()),
    "a class with a Sequential inside": _Inside,
    "Linear, BatchNorm, ReLU, Dropout, Linear": lambda: _mlp(
        nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout()
    ),
    "Linear, ReLU, BatchNorm, Dropout, Linear": lambda: _mlp(
        nn.ReLU(), nn.BatchNorm1d(32), nn.Dropout()
    ),
    "BatchNorm, Dropout, Linear": lambda: nn.Sequential(
        nn.BatchNorm1d(1024), nn.Dropout(), nn.Linear(1024, 4)
    ),
    "BatchNorm, Dropout, Linear, ReLU, BatchNorm, Dropout, Linear": lambda: nn.Sequential(
        nn.BatchNorm1d(1024), nn.Dropout(), nn.Linear(1024, 32), nn.ReLU(), nn.BatchNorm1d(32),
        nn.Dropout(), nn.Linear(32, 4),
    ),
    "Dropout, Linear": lambda: nn.Sequential(nn.Dropout(), nn.Linear(1024, 4)),
    "named layers": lambda: nn.Sequential(
        OrderedDict(fc1=nn.Linear(1024, 32), relu=nn.ReLU(), fc2=nn.Linear(32, 4))
    ),
    "Linear, GELU, Linear": lambda: _mlp(nn.GELU()),
    "Linear, Tanh, Linear": lambda: _mlp(nn.Tanh()),
    "Linear, Linear": lambda: _mlp(),
}  # fmt: skip


def _head_case(name: str, build: Callable[[], nn.Module]) -> None:
    @case("torch", f"a head of {name}", "activation", "head")
    def write(folder: Path) -> Truth:
        torch.manual_seed(4)
        network: Any = models.shufflenet_v2_x0_5(weights=None)
        network.fc = build()
        for part in network.fc.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.running_mean = 0.2 * torch.randn_like(part.running_mean)
                part.bias.data = 0.3 * torch.randn_like(part.bias)
        last = [part for part in network.fc.modules() if isinstance(part, nn.Linear)][-1]
        last.weight.data *= 8
        network.eval()
        return saved(folder, network.state_dict(), network)


for _name, _build in HEADS.items():
    _head_case(_name, _build)


# -- what a whole network ends in --------------------------------------------------------------


ENDS: dict[str, tuple[str, int, Callable[[torch.Tensor], Any]]] = {
    "logits": ("scores", 3, softmax),
    "F.softmax": ("F.softmax(scores, dim=1)", 3, np.asarray),
    "F.log_softmax": ("F.log_softmax(scores, dim=1)", 3, np.exp),
    "torch.sigmoid": ("torch.sigmoid(scores)", 3, np.asarray),
    "one sigmoid": ("torch.sigmoid(scores)", 1, lambda answer: pair(float(answer[0]))),
    "two logits in 0..1": ("0.5 + 0.01 * scores", 2, softmax),
    "a tuple with features": ("(scores, code)", 3, softmax),
    "a dict with features": ("{'features': code, 'logits': scores}", 3, softmax),
    "one photo squeezed": ("scores.squeeze()", 3, softmax),
    "maps of 1 x 1": ("scores[:, :, None, None]", 3, lambda answer: softmax(answer[:, 0, 0])),
}


def _first(answer: Any) -> Any:
    if isinstance(answer, dict):
        answer = answer["logits"]
    if isinstance(answer, tuple):
        answer = answer[0]
    return answer if answer.ndim == 1 else answer[0]


def _end_cases(name: str, end: str, units: int, chances: Callable[[Any], Any]) -> None:
    def make(folder: Path) -> tuple[Any, str, Any]:
        text = CODE.format(units=units, end=end)
        network, _ = sourced(folder, text, seed=8)
        return network, text, chances(_first(scores(network, photos(96))))

    @case("torch", f"a source that ends in {name}", "head", "output")
    def source(folder: Path) -> Truth:
        network, text, answer = make(folder)
        torch.save(network.state_dict(), folder / "model.pth")
        options = Options(**UNIT, source=text, size=(96, 96))
        return Truth(folder / "model.pth", options, np.asarray(answer, np.float64))

    @case("torch", f"a script that ends in {name}", "head", "output")
    def script(folder: Path) -> Truth:
        network, _, answer = make(folder)
        traced = torch.jit.trace(network, torch.rand(1, 3, 96, 96), strict=False)
        traced.save(folder / "model.pt")
        options = Options(**UNIT, size=(96, 96))
        return Truth(folder / "model.pt", options, np.asarray(answer, np.float64))


for _name, (_end, _units, _chances) in ENDS.items():
    _end_cases(_name, _end, _units, _chances)


from benchmarks.assumptions import torch_source_cases  # noqa: F401 - they come after these
