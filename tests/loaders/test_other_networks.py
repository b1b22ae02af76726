"""Networks that are no classifiers of photos, named by torchvision's own tensors and classes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torchvision import models

from loaders.load import load
from loaders.options import Options
from loaders.other_networks import by_tensors
from xai_core.errors import VitrineError

TASKS = {
    "fasterrcnn_mobilenet_v3_large_fpn": "an object detector",
    "ssdlite320_mobilenet_v3_large": "an object detector",
    "retinanet_resnet50_fpn": "an object detector",
    "maskrcnn_resnet50_fpn": "an object detector",
    "deeplabv3_mobilenet_v3_large": "a segmentation model",
    "lraspp_mobilenet_v3_large": "a segmentation model",
    "fcn_resnet50": "a segmentation model",
    "r3d_18": "a network of videos",
    "mvit_v1_b": "a network of videos",
    "raft_small": "a model of optical flow",
}

CLASSIFIERS = ["convnext_tiny", "densenet121", "efficientnet_b0", "maxvit_t", "resnet18"]
CLASSIFIERS += ["mobilenet_v3_small", "squeezenet1_0", "swin_v2_t", "vgg11_bn", "vit_b_32"]


def state_of(name: str, **settings: Any) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        module = models.get_model(name, weights=None, **settings)
    return dict(module.state_dict())


@pytest.mark.parametrize("name", TASKS)
def test_torchvisions_other_tasks(name: str) -> None:
    bare = {} if name.startswith(("r3d", "mvit", "raft")) else {"weights_backbone": None}
    assert by_tensors(state_of(name, **bare)).startswith(TASKS[name])


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_no_classifier_is_taken_for_another_task(name: str) -> None:
    assert by_tensors(state_of(name)) == ""


def shapes(**rows: tuple[int, ...]) -> dict[str, torch.Tensor]:
    return {key.replace("__", "."): torch.ones(shape) for key, shape in rows.items()}


HELD: dict[str, tuple[Any, str]] = {
    "landmarks": (nn.Sequential(nn.Linear(42, 8), nn.ReLU(), nn.Linear(8, 5)), "dense layers"),
    "their weights": (nn.Linear(42, 8).state_dict(), "weights of a network of dense layers alone"),
    "LSTM": (nn.LSTM(8, 16), "This is a recurrent network"),
    "its weights": (nn.GRU(8, 16).state_dict(), "weights of a recurrent network"),
    "U-Net": (shapes(inc__weight=(8, 3, 3, 3), outc__conv__weight=(2, 8, 1, 1)), "segmentation"),
    "autoencoder": (nn.Sequential(nn.Conv2d(3, 2, 3), nn.Conv2d(2, 3, 3)), "no image classifier"),
    "LoRA": (shapes(lora_unet_down_0__lora_down__weight=(4, 32)), "a LoRA"),
    "language": (shapes(model__embed_tokens__weight=(9, 4)), "a language model"),
    "generator": (shapes(model__diffusion_model__x__weight=(9, 4, 3, 3)), "an image generator"),
    "YOLO": (shapes(model__22__dfl__conv__weight=(1, 16, 1, 1)), "an object detector"),
    "optimiser": (
        {"epoch": 1, "optimizer_state_dict": torch.optim.SGD([torch.ones(1)], lr=1).state_dict()},
        "an optimiser's checkpoint without the model's weights",
    ),
    "detector's part": (models.detection.anchor_utils.AnchorGenerator(), "an object detector of"),
    "segmenter's part": (
        models.segmentation.lraspp.LRASPPHead(4, 8, 2, 8),
        "a segmentation model of torchvision's",
    ),
    "video's part": (models.video.resnet.BasicStem(), "a video model of torchvision's"),
    "flow's part": (
        models.optical_flow.raft.FlowHead(in_channels=8, hidden_size=8),
        "a model of optical flow",
    ),
}


@pytest.mark.parametrize("name", HELD)
def test_it_is_named(tmp_path: Path, name: str) -> None:
    content, message = HELD[name]
    path = tmp_path / "model.pt"
    torch.save(content, path)
    with pytest.raises(VitrineError, match=message) as caught:
        load(path, Options(), name="model")
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_one_unit_between_0_and_1_by_chance_is_no_sigmoid(tmp_path: Path) -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Sigmoid(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1)
    )
    module[4].weight.data *= 0.01
    module[4].bias.data.fill_(0.5)
    torch.save(module, tmp_path / "m.pt")
    model = load(tmp_path / "m.pt", Options(size=(32, 32)), name="m")
    said = " ".join(finding.message for finding in model.findings)
    assert "gives one number" in said
    assert "ends in a sigmoid" not in said
