"""Occlusion by what each patch can reach against whole passes, and what falls back to these."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision import models

from loaders.torch import incremental, occluding
from loaders.torch.incremental import Incremental, Run
from tests.loaders.torch import nets
from xai_core.explainer import make
from xai_core.perturb import Patches
from xai_core.target import ClassTarget


class Odd(nn.Module):
    """What windows slide by in all ways: strides, dilation, ceilings, padded means, depthwise."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, (3, 5), (2, 1), (0, 2), bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.deep = nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.wide = nn.Conv2d(8, 8, 3, padding=2, dilation=2)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.mean = nn.AvgPool2d(3, 1, 1)
        self.last = nn.Conv2d(8, 6, 1, 2)
        self.fc = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu6(self.norm(self.stem(x)))
        x = functional.max_pool2d(x - 0.5, 3, stride=1, padding=1) + self.wide(self.deep(x))
        x = functional.avg_pool2d(functional.leaky_relu(self.pool(x)), 2, 1) * 0.5
        return self.fc(self.last(self.mean(x)).relu().mean((2, 3)))


def apart(
    network: Any, patch: tuple[int, int], stride: tuple[int, int]
) -> tuple[float, float, Run]:
    """Return how far scores lie from those of whole passes, and how far patches move these."""
    size = network.input_size
    image, hidden = np.random.default_rng(0).random((2, *size, 3), np.float32)
    patches = Patches(size, patch, stride)
    run = Incremental(network._module, size).of(image, hidden, patches)
    views = np.empty((len(patches), *image.shape), np.float32)
    patches.apply(image, hidden, views, 0)
    expected = network.logits(views)
    numbers = np.arange(len(patches))
    made = np.concatenate([run.logits(part) for part in np.array_split(numbers, 3)])
    scale = np.abs(expected).max()
    moved = np.abs(expected - network.logits(image[None])).max()
    return float(np.abs(made - expected).max() / scale), float(moved / scale), run


@pytest.mark.parametrize("patch", [((5, 4), (3, 3)), ((9, 16), (4, 5))])
@pytest.mark.parametrize("kind", [Odd, nets.Residual, nets.Inception, nets.Shared, nets.Dense])
def test_scores_are_those_of_whole_passes(
    monkeypatch: pytest.MonkeyPatch, kind: Callable[[], nn.Module], patch: Any
) -> None:
    monkeypatch.setattr(incremental, "_whole", lambda step: 1e12)  # windows as far as can be
    network = nets.served(nets.network(kind))
    far, moved, run = apart(network, *patch)
    assert far < 1e-6
    assert moved > 300 * far
    # all but the mean over all places and what follows it can be done on windows
    assert run.plan.cut == len(run.plan.regions) >= len(run.plan.steps) - 4


def lively(module: nn.Module) -> nn.Module:
    """Draw weights with which a patch is seen in the scores."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.uniform_(part.bias)
    return module


def vgg() -> nn.Module:
    maps = models.vgg.make_layers(models.vgg.cfgs["A"], batch_norm=True)
    return nn.Sequential(maps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 3))


def dense() -> nn.Module:
    return models.DenseNet(8, (2, 2), 16, bn_size=2, num_classes=3)


FAMILIES: dict[str, Callable[[], nn.Module]] = {
    "ResNet": lambda: models.resnet18(weights=None, num_classes=3),
    "VGG": vgg,
    "MobileNet": lambda: models.mobilenet_v2(weights=None, num_classes=3, width_mult=0.5),
    "SqueezeNet": lambda: models.squeezenet1_1(weights=None, num_classes=3),
    "DenseNet": dense,
    "MNASNet": lambda: models.mnasnet0_5(weights=None, num_classes=3),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_published_families_give_the_scores_of_whole_passes(family: str) -> None:
    module = lively(nets.network(FAMILIES[family]))
    far, moved, run = apart(nets.served(module, size=(64, 64)), (12, 12), (26, 52))
    assert far < 3e-5
    assert moved > 100 * far
    assert run.plan.share < 0.8


def test_a_broken_border_of_kept_maps_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nets.served(nets.network(nets.Residual))
    assert apart(network, (5, 4), (3, 3))[0] < 1e-6
    own = Run._cut

    def bare(self: Run, step: Any, changed: Any, corners: Any, sides: Any, fill: float) -> Any:
        """Cut windows with nothing round what has changed."""
        kept = self._kept[step]
        self._kept[step] = torch.zeros_like(kept)
        try:
            return own(self, step, changed, corners, sides, fill)
        finally:
            self._kept[step] = kept

    monkeypatch.setattr(Run, "_cut", bare)
    assert apart(network, (5, 4), (3, 3))[0] > 1e-3


def test_a_wrong_padding_of_the_photos_edge_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    own, network = Run._cut, nets.served(nets.network(nets.Residual))
    monkeypatch.setattr(Run, "_cut", lambda *args: own(*args[:-1], 0.1))
    assert apart(network, (5, 4), (3, 3))[0] > 1e-3


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the way by what a patch reaches, however short the run and small the gain."""
    monkeypatch.setattr(occluding, "SHORT", 0.0)
    monkeypatch.setattr(occluding, "WORTH", 2.0)
    monkeypatch.setattr(occluding, "SLOWER", float("inf"))


PATCH = {"patch_height": 4, "patch_width": 5, "stride_height": 2, "stride_width": 3}


def explained(network: Any) -> Any:
    return make("occlusion", PATCH).explain(network, nets.views()[0], ClassTarget(1))


@pytest.mark.usefixtures("eager")
def test_maps_are_those_of_whole_passes_and_say_how_they_came_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = nets.served(lively(nets.network(nets.Residual)))
    made = explained(network)
    assert made.way.startswith("Only what each patch can reach was computed again")
    monkeypatch.setattr(occluding, "FEWEST", 1 << 20)
    brute = explained(network)
    assert brute.way == ""
    scale = np.abs(brute.attribution).max()
    np.testing.assert_allclose(made.attribution, brute.attribution, atol=1e-4 * scale)


@pytest.mark.usefixtures("eager")
def test_what_cannot_be_followed_takes_whole_passes_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Turning(nn.Module):
        """Its code goes by what is in a photo."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((2, 3)) if x.mean() > 0 else x.amax((2, 3))

    scripted = nets.served(nets.scripted(nets.network(nets.Residual), traced=True))
    assert "a TorchScript network does not run step by step" in explained(scripted).way
    assert "goes ways that no trace shows" in explained(nets.served(Turning())).way
    monkeypatch.setattr(occluding, "WORTH", 0.85)
    vit = explained(nets.served(nets.network(nets.Vit)))
    assert vit.way.endswith("a patch soon reaches all of its maps.")
    monkeypatch.setattr(occluding, "WORTH", 2.0)
    monkeypatch.setattr(incremental, "_paste", lambda *args: None)
    wrong = explained(nets.served(nets.network(nets.Residual)))
    assert wrong.way.endswith("its scores would not be those of whole passes.")


@pytest.mark.usefixtures("eager")
def test_a_short_run_tries_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occluding, "SHORT", 1e6)
    assert explained(nets.served(nets.network(nets.Residual))).way == ""
