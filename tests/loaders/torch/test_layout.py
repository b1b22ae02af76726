"""Where the map lies in a layer's output: against Grad-CAM by hooks on the layout that is known."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision import models

from tests.loaders.torch.networks import about, cam, made, opened, photos, save, views, watched
from xai_core.target import ClassTarget

BLOCKS = """
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

    def forward(self, x):
        return self.out(self.block(self.patches(x).permute(0, 2, 3, 1)).mean((1, 2)))
"""
TOKENS = """
class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        n, count, width = x.shape
        q, k, v = self.qkv(x).reshape(n, count, 3, 2, width // 2).permute(2, 0, 3, 1, 4)
        mixed = (q @ k.transpose(-2, -1)).softmax(-1) @ v
        return self.proj(mixed.transpose(1, 2).reshape(n, count, width))


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width)
        self.mlp = nn.Sequential(nn.Linear(width, 32), nn.GELU(), nn.Linear(32, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, 8)
        self.first = nn.Parameter(torch.randn(1, {prefix}, 16))
        self.place = nn.Parameter(torch.randn(1, {prefix} + {cells}, 16))
        self.blocks = nn.Sequential(*[Block(16) for _ in range(3)])
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        x = {patches}
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.place
        return self.head(self.blocks(x)[:, :{prefix}].mean(1))
"""
PATCHES = "self.patches(x).flatten(2).transpose(1, 2)"
Shaped = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def _sandboxed(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("VITRINE_SANDBOX", "holds")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def same_map(network: Any, part: str, model: Any, layer: str, shaped: Shaped) -> None:
    given = views(model, 1)
    output, slope = watched(network, part, photos(model, given))
    wanted = cam(shaped(output)[0].numpy(), shaped(slope)[0].numpy())
    maps, slopes = model.activation_gradients(given, layer, ClassTarget(0))
    ours = cam(maps[0], slopes[0])
    assert ours.shape == wanted.shape
    assert np.corrcoef(ours.ravel(), wanted.ravel())[0, 1] > 0.99


def tokens(prefix: int, height: int, width: int) -> Shaped:
    return lambda x: x[:, prefix : prefix + height * width].reshape(len(x), height, width, -1)


# 14 channels on a map of 14 x 14 cells: its sides alone do not tell.
@pytest.mark.parametrize(
    ("kind", "width", "size"),
    [
        ("source", 24, (64, 64)),
        ("source", 14, (224, 224)),
        ("traced", 14, (224, 224)),
        ("scripted", 12, (96, 64)),
        ("pt2", 14, (224, 224)),
    ],
)
def test_channels_last_in_own_code(
    tmp_path: Path, kind: str, width: int, size: tuple[int, int]
) -> None:
    network, text = made(BLOCKS.format(width=width))
    path = tmp_path / "file.pt2"
    model = opened(path, size=size, **save(network, path, kind, (2, 3, *size), text))
    names = [row.name for row in model.layers()]
    layer = "block" if "block" in names else "block.add"
    assert not about(model, "layout")
    same_map(network, "block", model, layer, lambda x: x)


def test_swin(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = models.SwinTransformer([4, 4], 12, [1, 1], [2, 2], [4, 4], num_classes=3).eval()
    save(network, tmp_path / "file", "whole", ())
    model = opened(tmp_path / "file", size=(64, 64))
    same_map(network, "features.3.0", model, "features.3.0", lambda x: x)


@pytest.mark.parametrize(
    ("kind", "prefix"), [("source", 1), ("source", 2), ("source", 5), ("traced", 5), ("pt2", 2)]
)
def test_tokens_with_others_before_them(tmp_path: Path, kind: str, prefix: int) -> None:
    network, text = made(TOKENS.format(prefix=prefix, cells=64, patches=PATCHES))
    path = tmp_path / "file.pt2"
    model = opened(path, size=(64, 64), **save(network, path, kind, (2, 3, 64, 64), text))
    rows = {row.name: row.map_size for row in model.layers()}
    ends = [f"blocks.{number}" + ".add" * (kind == "traced") for number in range(3)]
    assert [rows[name] for name in ends] == [(8, 8)] * 3
    assert not about(model, "layout")
    same_map(network, "blocks.1", model, ends[1], tokens(prefix, 8, 8))


def test_a_grid_that_is_not_square(tmp_path: Path) -> None:
    network, text = made(TOKENS.format(prefix=2, cells=96, patches=PATCHES))
    options = save(network, tmp_path / "file", "source", (), text)
    model = opened(tmp_path / "file", size=(64, 96), **options)
    same_map(network, "blocks.1", model, "blocks.1", tokens(2, 8, 12))


def test_tokens_of_unfolded_patches_are_a_guess(tmp_path: Path) -> None:
    network, text = made(
        TOKENS.format(
            prefix=2, cells=64, patches="self.patches(F.unfold(x, 8, stride=8).transpose(1, 2))"
        ).replace("nn.Conv2d(3, 16, 8, 8)", "nn.Linear(192, 16)")
    )
    options = save(network, tmp_path / "file", "source", (), text)
    model = opened(tmp_path / "file", size=(64, 64), **options)
    assert "8 x 8 cells after 2 others" in about(model, "layout")
    same_map(network, "blocks.1", model, "blocks.1", tokens(2, 8, 8))


def test_what_tells_nothing_is_asked(tmp_path: Path) -> None:
    lost = BLOCKS.format(width=14).replace(
        "return maps +", "maps = maps[torch.arange(maps.shape[0])]\n        return"
    )
    network, text = made(lost)
    options = save(network, tmp_path / "file", "source", (), text)
    model = opened(tmp_path / "file", size=(224, 224), **options)
    assert "--layout" in about(model, "layout")
    model = opened(tmp_path / "file", size=(224, 224), layout="channels-last", **options)
    assert not about(model, "layout")
    same_map(network, "block", model, "block", lambda x: x)


def test_a_map_whose_sides_were_swapped(tmp_path: Path) -> None:
    network, text = made("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 8, 3, 2)
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        return self.out(self.two(self.one(x).transpose(2, 3)).relu().mean((2, 3)))
""")
    options = save(network, tmp_path / "file", "source", (), text)
    model = opened(tmp_path / "file", size=(48, 32), **options)
    same_map(network, "two", model, "two", lambda x: x.permute(0, 3, 2, 1))
