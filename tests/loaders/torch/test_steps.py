"""What PyTorch networks are told to do, against truths written down by hand."""

import warnings
from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from loaders.preprocessing import preset
from loaders.torch.model import TorchModel
from xai_core.stages import stages

CNR = "3 x 3 convolution, batch normalisation, ReLU"
CN = "3 x 3 convolution, batch normalisation"
WIDER = f"{CNR}; {CN}; 1 x 1 convolution, batch normalisation; sum, ReLU; {CNR}; {CN}; sum, ReLU"


def told(module: Any, size: int = 224, classes: int = 1000) -> list[tuple[str, str]]:
    model = TorchModel(
        module.eval(),
        name="told",
        kind="test",
        architecture="told",
        preprocessing=preset("imagenet", (size, size)),
        labels=tuple(map(str, range(classes))),
    )
    return [(stage.title, stage.line) for stage in stages(model.steps)]


def test_resnet_18() -> None:
    assert told(torchvision.models.resnet18(weights=None)) == [
        ("112 x 112 cells, 64 channels", "7 x 7 convolution, batch normalisation, ReLU"),
        ("56 x 56 cells, 64 channels", f"max pooling; 2 times ({CNR}; {CN}; sum, ReLU)"),
        ("28 x 28 cells, 128 channels", WIDER),
        ("14 x 14 cells, 256 channels", WIDER),
        ("7 x 7 cells, 512 channels", WIDER),
        ("No map, between 512 and 1,000 numbers", "global average pooling; dense layer"),
    ]


def test_vgg_16() -> None:
    network = torchvision.models.vgg16(weights=None, init_weights=False, num_classes=7)
    network.classifier[3] = nn.Linear(4096, 4096)
    pair, three = (f"{times} times (3 x 3 convolution, ReLU)" for times in (2, 3))
    assert told(network, classes=7) == [
        ("224 x 224 cells, 64 channels", pair),
        ("112 x 112 cells, 64 to 128 channels", f"max pooling; {pair}"),
        ("56 x 56 cells, 128 to 256 channels", f"max pooling; {three}"),
        ("28 x 28 cells, 256 to 512 channels", f"max pooling; {three}"),
        ("14 x 14 cells, 512 channels", f"max pooling; {three}"),
        ("7 x 7 cells, 512 channels", "max pooling"),
        ("No map, between 7 and 4,096 numbers", "2 times (dense layer, ReLU); dense layer"),
    ]


def test_mobilenet_v2() -> None:
    found = told(torchvision.models.mobilenet_v2(weights=None, num_classes=5), classes=5)
    normal = "batch normalisation"
    wide, deep, thin = (
        f"1 x 1 convolution, {normal}, ReLU6", f"3 x 3 depthwise convolution, {normal}, ReLU6",
        f"1 x 1 convolution, {normal}",
    )  # fmt: skip
    block = f"{wide}; {deep}; {thin}; sum"
    assert found == [
        (
            "112 x 112 cells, 16 to 96 channels",
            f"3 x 3 convolution, {normal}, ReLU6; {deep}; {thin}; {wide}",
        ),
        ("56 x 56 cells, 24 to 144 channels", f"{deep}; {thin}; {block}; {wide}"),
        ("28 x 28 cells, 32 to 192 channels", f"{deep}; {thin}; 2 times ({block}); {wide}"),
        (
            "14 x 14 cells, 64 to 576 channels",
            f"{deep}; {thin}; 3 times ({block}); {wide}; {deep}; {thin}; 2 times ({block}); {wide}",
        ),
        (
            "7 x 7 cells, 160 to 1,280 channels",
            f"{deep}; {thin}; 2 times ({block}); {wide}; {deep}; {thin}; {wide}",
        ),
        ("No map, between 5 and 1,280 numbers", "global average pooling; dense layer"),
    ]


def test_a_vision_transformer() -> None:
    network = torchvision.models.VisionTransformer(
        image_size=64, patch_size=16, num_layers=3, num_heads=2, hidden_dim=32, mlp_dim=48,
        num_classes=5,
    )  # fmt: skip
    block = (
        "layer normalisation; attention; sum, layer normalisation; dense layer at each place, "
        "GELU; dense layer at each place; sum"
    )
    assert told(network, 64, 5) == [
        (
            "4 x 4 cells, 32 to 48 channels",
            f"16 x 16 convolution; position, 3 times ({block}), layer normalisation",
        ),
        ("No map, 5 numbers", "dense layer"),
    ]


class Gated(nn.Module):
    """A gate, groups, a transposed convolution, branches, and functions instead of modules."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.apart = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.gate = nn.Conv2d(8, 8, 1)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.last = nn.Linear(4 + 3, 3)

    def forward(self, photo: torch.Tensor) -> torch.Tensor:
        maps = torch.relu(self.first(photo))
        maps = nn.functional.silu(self.apart(maps)) + 1
        maps = maps * torch.sigmoid(self.gate(nn.functional.adaptive_avg_pool2d(maps, 1)))
        maps = torch.cat([self.up(maps), photo], 1)
        return self.last(maps.mean((2, 3))).softmax(1)


GATED = [
    (
        "16 x 16 cells, 8 channels",
        "3 x 3 convolution, ReLU; 3 x 3 grouped convolution, SiLU; global average pooling; "
        "1 x 1 convolution, sigmoid; gate",
    ),
    ("32 x 32 cells, 4 to 7 channels", "2 x 2 transposed convolution; joining"),
    ("No map, between 3 and 7 numbers", "global average pooling; dense layer; softmax"),
]


@pytest.mark.parametrize("form", ["module", "traced", "scripted", "exported"])
def test_a_graph_is_told_as_its_module_is(form: str) -> None:
    torch.manual_seed(0)
    network: Any = Gated().eval()
    example = torch.rand(2, 3, 32, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both are deprecated, and their files are there
        if form == "traced":
            network = torch.jit.trace(network, example)
        if form == "scripted":
            network = torch.jit.script(network)
    if form == "exported":
        free = {0: torch.export.Dim("photos")}
        network = torch.export.unflatten(
            torch.export.export(network, (example,), dynamic_shapes=(free,))
        )
        network.eval = lambda: network  # as the loader has it: it cannot be switched
    assert told(network, 32, 3) == GATED
