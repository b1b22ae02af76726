"""Small networks for tails and copies: shortcuts, branches, tokens, a module that runs again."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from loaders.preprocessing import preset
from loaders.torch.model import TorchModel

SIZE = (16, 24)


class Block(nn.Module):
    """A residual block that writes in place, as torchvision's do."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.down = nn.Conv2d(before, after, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.down(x)
        return self.relu(out)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.layer1, self.layer2 = Block(6, 6, 1), Block(6, 8, 2)
        self.fc = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.layer2(self.layer1(functional.relu(self.stem(x), inplace=True)))
        return self.fc(torch.flatten(functional.adaptive_avg_pool2d(maps, 1), 1))


class Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU())
        self.one = nn.Conv2d(6, 4, 1)
        self.three = nn.Sequential(nn.Conv2d(6, 3, 1), nn.ReLU(), nn.Conv2d(3, 4, 3, padding=1))
        self.pool = nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.Conv2d(6, 4, 1))
        self.mix = nn.Conv2d(12, 8, 3)
        self.fc = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = torch.cat([self.one(x), self.three(x), self.pool(x)], 1)
        return self.fc(self.mix(x.relu()).relu().mean((2, 3)))


class Shared(nn.Module):
    """One convolution that runs three times, past it a branch of the first run."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, 2, 1)
        self.again = nn.Conv2d(6, 6, 3, padding=1)
        self.fc = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.again(self.stem(x).relu())
        last = self.again(self.again(first.relu()).relu())
        return self.fc((last + first).relu().mean((2, 3)))


class Layer(nn.Module):
    """A transformer's layer; its attention gives a tuple, and the heads lie before the photos."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2)
        self.mlp = nn.Sequential(nn.Linear(width, 12), nn.GELU(), nn.Linear(12, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm1(x).transpose(0, 1)
        x = x + self.attention(y, y, y, need_weights=False)[0].transpose(0, 1)
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.first = nn.Parameter(torch.randn(1, 1, 8))
        self.place = nn.Parameter(torch.randn(1, 25, 8))
        self.blocks = nn.Sequential(Layer(8), Layer(8), Layer(8))
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.place
        return self.head(self.norm(self.blocks(x))[:, 0])


class Dense(nn.Module):
    """Each layer's maps are joined to those of all before it, in a list that grows."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, padding=1)
        self.c, self.fc = nn.Conv2d(8, 4, 3, padding=1), nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = [self.a(x).relu()]
        found.append(self.b(torch.cat(found, 1)).relu())
        found.append(self.c(torch.cat(found, 1)).relu())
        return self.fc(torch.cat(found, 1).mean((2, 3)))


NETS = (Residual, Inception, Shared, Vit, Dense)


def network(kind: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """Return a network with random weights, among them those of its normalisations."""
    torch.manual_seed(seed)
    made = kind().eval()
    for part in made.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.3)
            part.running_var.uniform_(0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1.5)
    for parameter in made.parameters():
        parameter.requires_grad_(False)
    return made


def served(module: Any, size: tuple[int, int] = SIZE, **options: Any) -> TorchModel:
    """Return a network behind the adapter, on photos from 0 to 1."""
    return TorchModel(
        module,
        name="net",
        kind="test",
        architecture="net",
        preprocessing=preset("unit", size),
        labels=("one", "two", "three"),
        **options,
    )


def scripted(module: nn.Module, *, traced: bool) -> Any:
    """Return a network as TorchScript."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if traced:
            return torch.jit.trace(module, torch.rand(2, 3, *SIZE), check_trace=False)
        return torch.jit.script(module)


def views(count: int = 1, seed: int = 1) -> Any:
    """Return views, float32 `[N, h, w, 3]`."""
    return np.random.default_rng(seed).random((count, *SIZE, 3), np.float32)


def photos(given: Any) -> torch.Tensor:
    """Return what a network gets for views."""
    return torch.from_numpy(given).permute(0, 3, 1, 2).contiguous()


def put(module: nn.Module, layer: str, make: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Return a hook's handle: a submodule's last call gives what `make` makes of its output."""
    calls = {"Shared.again": 3}.get(f"{type(module).__name__}.{layer}", 1)
    left = [calls]

    def hook(part: Any, args: Any, output: torch.Tensor) -> torch.Tensor | None:
        left[0] -= 1
        if left[0]:
            return None
        left[0] = calls
        return make(output)

    return module.get_submodule(layer).register_forward_hook(hook)


def laid(output: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Return a layer's output that holds maps `[N, h, w, C]`, written out for these networks."""
    if output.ndim == 4:
        return maps.permute(0, 3, 1, 2).contiguous()
    front = output[:, :1].detach()
    return torch.cat([front, maps.reshape(len(maps), -1, maps.shape[-1])], 1)
