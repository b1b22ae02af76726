"""PyTorch files whose network comes as a source: sizes, layouts, modes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.assumptions.case import Truth, case, softmax
from benchmarks.assumptions.torch_files import (
    CODE,
    UNIT,
    photos,
    scores,
    sourced,
)
from loaders.options import Options

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
