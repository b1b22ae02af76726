"""PyTorch files of which something has to be assumed, with plain torch's own answers."""

from __future__ import annotations

import importlib.util
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision import models

from benchmarks.assumptions.case import Truth, case, pair, softmax, view
from loaders.options import Options

UNIT: dict[str, Any] = {"preprocessing": "unit", "fit": "stretch"}
IMAGENET: dict[str, Any] = {"preprocessing": "imagenet", "fit": "stretch"}
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


def photos(size: Any, *, grey: bool = False, imagenet: bool = False) -> torch.Tensor:
    """Return the photo as a batch of one, float32 `[1, c, h, w]`."""
    pixels = view(size, grey=grey)
    if imagenet:
        pixels = (pixels - MEAN) / STD
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32))


def scores(network: Any, batch: torch.Tensor) -> Any:
    """Return the network's answer to a batch of one."""
    with torch.no_grad():
        return network(batch)


def of_source(folder: Path, text: str) -> Any:
    """Return the class `Net` of a source, which is written to net.py beside the file."""
    (folder / "net.py").write_text(text)
    spec = importlib.util.spec_from_file_location("written_net", folder / "net.py")
    if spec is None or spec.loader is None:
        raise ImportError("the source")
    module = importlib.util.module_from_spec(spec)
    sys.modules["written_net"] = module
    spec.loader.exec_module(module)
    return module.Net


def sourced(folder: Path, text: str, seed: int = 0, gain: float = 6) -> tuple[Any, dict[str, Any]]:
    """Return a seeded network of a source in eval mode, and the options that bring the source."""
    torch.manual_seed(seed)
    network = of_source(folder, text)().eval()
    last = [part for part in network.modules() if isinstance(part, nn.Linear)][-1]
    last.weight.data *= gain
    return network, {"source": text}


def small(classes: int = 3, seed: int = 0) -> Any:
    """Return a small torchvision classifier whose answers differ from even."""
    torch.manual_seed(seed)
    network = models.shufflenet_v2_x0_5(weights=None, num_classes=classes).eval()
    network.fc.weight.data *= 30
    return network


def saved(
    folder: Path, content: Any, network: Any, *, labels: tuple[str, ...] = (), **more: Any
) -> Truth:
    """Save a checkpoint of a `small` network, whose answers are the truth."""
    path = folder / "model.pth"
    torch.save(content, path)
    answer = softmax(scores(network, photos(224, imagenet=True))[0])
    return Truth(path, Options(**IMAGENET, **more), answer, labels)


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

CODE = """from torch import nn
from torch.nn import functional as F
import torch


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.maps = nn.Conv2d(3, 8, 7, 4)
        self.out = nn.Linear(8, {units})

    def forward(self, photos):
        code = self.maps(photos).relu().mean((2, 3))
        scores = self.out(code)
        return {end}
"""
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


# -- sizes -------------------------------------------------------------------------------------

FLAT = """from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d({channels}, 6, 5)
        self.second = nn.Conv2d(6, 8, 5)
        self.out = nn.Linear({width}, 4)

    def forward(self, photos):
        maps = F.max_pool2d(F.relu(self.first(photos)), 2)
        maps = F.max_pool2d(F.relu(self.second(maps)), 2)
        return self.out(maps.view(-1, {width}))
"""


def _size_case(side: int, channels: int) -> None:
    text = FLAT.format(channels=channels, width=8 * (((side - 4) // 2 - 4) // 2) ** 2)
    grey = channels == 1

    @case("torch", f"a source that flattens by view, {side} px, {channels} channels", "size")
    def source(folder: Path) -> Truth:
        network, given = sourced(folder, text)
        torch.save(network.state_dict(), folder / "model.pth")
        answer = softmax(scores(network, photos(side, grey=grey))[0])
        return Truth(folder / "model.pth", Options(**UNIT, **given), answer)

    @case("torch", f"an export that flattens by view, {side} px, {channels} channels", "size")
    def export(folder: Path) -> Truth:
        network, _ = sourced(folder, text)
        batch = torch.rand(2, channels, side, side)
        shapes = ({0: torch.export.Dim("batch")},)
        torch.export.save(
            torch.export.export(network, (batch,), dynamic_shapes=shapes), folder / "model.pt2"
        )
        answer = softmax(scores(network, photos(side, grey=grey))[0])
        return Truth(folder / "model.pt2", Options(**UNIT), answer)


for _side, _channels in ((28, 1), (32, 3), (50, 3), (100, 3), (150, 3), (200, 1)):
    _size_case(_side, _channels)

DENSE = """from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear({width}, 24)
        self.two = nn.Linear(24, 5)

    def forward(self, photos):
        return self.two(self.one(photos.flatten(1)).relu())
"""


def _dense_case(width: int, side: int, grey: bool) -> None:
    @case("torch", f"a dense network of {width} inputs", "size", "channels")
    def write(folder: Path) -> Truth:
        text = DENSE.format(width=width)
        network, given = sourced(folder, text)
        torch.save(network.state_dict(), folder / "model.pth")
        answer = softmax(scores(network, photos(side, grey=grey))[0])
        return Truth(folder / "model.pth", Options(**UNIT, **given), answer)


for _width, _side, _grey in (
    (784, 28, True),
    (3072, 32, False),
    (12288, 64, False),
    (4096, 64, True),
):
    _dense_case(_width, _side, _grey)


# -- how maps lie ------------------------------------------------------------------------------

LAST = """from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Linear(width, width)

    def forward(self, maps):
        return maps + self.mix(self.norm(maps)).relu()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, {width}, 16, 16)
        self.block = Block({width})
        self.out = nn.Linear({width}, 3)

    def forward(self, photos):
        return self.out(self.block(self.patches(photos).permute(0, 2, 3, 1)).mean((1, 2)))
"""
TOKENS = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 24, 16, 16)
        self.prefix = nn.Parameter(torch.randn(1, {prefix}, 24))
        self.block = nn.TransformerEncoderLayer(24, 2, 48, batch_first=True)
        self.out = nn.Linear(24, 3)

    def forward(self, photos):
        cells = self.patches(photos).flatten(2).transpose(1, 2)
        rows = torch.cat([self.prefix.expand(photos.shape[0], -1, -1), cells], 1)
        return self.out(self.block(rows).mean(1))
"""


def _cam(network: Any, batch: torch.Tensor, to_map: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    kept: list[torch.Tensor] = []

    def hook(module: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
        output.retain_grad()
        kept.append(output)
        return output

    handle = network.block.register_forward_hook(hook)
    answer = network(batch)
    answer[0, answer.argmax()].backward()
    handle.remove()
    maps, slopes = to_map(kept[0])[0], to_map(kept[0].grad)[0]  # [h, w, channels]
    return torch.relu(maps @ slopes.mean((0, 1))).detach().numpy()


def _map_cases(name: str, text: str, to_map: Callable[[torch.Tensor], torch.Tensor]) -> None:
    def make(folder: Path) -> tuple[Any, dict[str, Any], Any]:
        network, given = sourced(folder, text, seed=2, gain=1)
        return network, given, _cam(network, photos(224), to_map)

    @case("torch", f"a source with {name}", "layout")
    def source(folder: Path) -> Truth:
        network, given, cam = make(folder)
        torch.save(network.state_dict(), folder / "model.pth")
        options = Options(**UNIT, **given, size=(224, 224))
        return Truth(folder / "model.pth", options, layer="block", cam=cam)

    @case("torch", f"an export with {name}", "layout")
    def export(folder: Path) -> Truth:
        network, _, cam = make(folder)
        batch = torch.rand(2, 3, 224, 224)
        shapes = ({0: torch.export.Dim("batch")},)
        torch.export.save(
            torch.export.export(network, (batch,), dynamic_shapes=shapes), folder / "model.pt2"
        )
        return Truth(folder / "model.pt2", Options(**UNIT), layer="block", cam=cam)


def _cells(prefix: int) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda rows: rows[:, prefix:].reshape(1, 14, 14, 24)


_map_cases("channels-last maps of 24", LAST.format(width=24), lambda maps: maps)
_map_cases("channels-last maps of 14 channels", LAST.format(width=14), lambda maps: maps)
for _prefix in (0, 1, 2, 5):
    _map_cases(f"{_prefix} prefix tokens", TOKENS.format(prefix=_prefix), _cells(_prefix))


# -- training mode -----------------------------------------------------------------------------


def _training(*middle: nn.Module) -> nn.Sequential:
    torch.manual_seed(3)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2), *middle, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Dropout(0.5) if not middle else nn.Identity(), nn.Linear(16, 3),
    ).train()  # fmt: skip
    network[-1].weight.data *= 40
    return network


def _mode_case(name: str, build: Callable[[], nn.Sequential]) -> None:
    @case("torch", f"traced in training mode, {name}", "mode")
    def write(folder: Path) -> Truth:
        traced = torch.jit.trace(build(), torch.rand(2, 3, 64, 64), check_trace=False)
        traced.save(folder / "model.pt")
        return Truth(folder / "model.pt", Options(**UNIT, size=(64, 64)), doubtful=True)


_mode_case("Dropout", _training)
_mode_case("BatchNorm", lambda: _training(nn.BatchNorm2d(16)))


@case("torch", "a source whose dropout is always on", "mode")
def _always(folder: Path) -> Truth:
    text = CODE.format(units=3, end="self.out(F.dropout(code))")
    network, given = sourced(folder, text, gain=40)
    torch.save(network.state_dict(), folder / "model.pth")
    return Truth(folder / "model.pth", Options(**UNIT, **given, size=(96, 96)), doubtful=True)


@case("torch", "a regressor's one number", "head")
def _regressor(folder: Path) -> Truth:
    text = CODE.format(units=1, end="24 + scores")
    network, given = sourced(folder, text)
    torch.save(network.state_dict(), folder / "model.pth")
    return Truth(folder / "model.pth", Options(**UNIT, **given, size=(96, 96)), doubtful=True)
