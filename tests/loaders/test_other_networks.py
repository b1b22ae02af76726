"""Networks that are no classifiers of photos, named by torchvision's own tensors and classes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torchvision import models

from loaders.load import load
from loaders.options import Options
from loaders.other_networks import by_class, by_tensors
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
    "a number": ({"x": torch.tensor(3)}, "holds 1 tensor and no image convolution"),
    "two vectors": ({"x": torch.ones(3), "y": torch.ones(4)}, "holds 2 tensors and no image"),
    "a table": ({"x": torch.ones(3, 4)}, "holds 1 tensor and no image convolution"),
    "a table as wide as a picture": ({"x": torch.ones(3, 784)}, "holds 1 tensor and no image"),
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


def capsules() -> dict[str, torch.Tensor]:
    """Return a capsule network's tensors: its routing weights have five sides."""
    return shapes(
        conv__weight=(256, 1, 9, 9), conv__bias=(256,), primary__weight=(256, 256, 9, 9),
        primary__bias=(256,), digits__W=(1, 1152, 10, 16, 8), decoder__0__weight=(512, 160),
    )  # fmt: skip


def test_a_capsule_networks_routing_is_no_video() -> None:
    assert by_tensors(capsules()) == ""
    routed = capsules()
    routed["digits.weight"] = routed.pop("digits.W")
    assert by_tensors(routed) == ""


@pytest.mark.parametrize("layer", [
    nn.Conv3d(3, 8, 3), nn.ConvTranspose3d(3, 8, 2), nn.Conv3d(4, 6, (3, 5, 7)),
    nn.Sequential(nn.Conv3d(3, 8, 3, bias=False), nn.BatchNorm3d(8)),
])  # fmt: skip
def test_3d_convolutions_are_videos_or_volumes(layer: nn.Module) -> None:
    assert by_tensors(layer.state_dict()).startswith("a network of videos or volumes")


DETECTORS = [
    "model.24.anchors",  # YOLOv5
    "model.22.cv2.0.0.conv.weight",  # YOLOv8
    "module_list.0.conv_0.weight",  # YOLOv3 on Darknet's layers
    "head.obj_preds.0.weight",  # YOLOX
    "bbox_head.rtm_cls.0.weight",  # MMDetection
    "proposal_generator.rpn_head.conv.weight",  # Detectron2
    "loc.0.weight",  # SSD
]


@pytest.mark.parametrize("key", DETECTORS)
def test_detectors_are_called_detectors(key: str) -> None:
    state = shapes(model__0__conv__weight=(8, 3, 3, 3)) | {key: torch.ones(3, 3)}
    assert by_tensors(state).startswith("an object detector")


def test_yolos_classifier_is_no_detector() -> None:
    state = shapes(
        model__0__conv__weight=(8, 3, 3, 3), model__2__cv1__conv__weight=(8, 8, 1, 1),
        model__2__cv2__conv__weight=(8, 8, 1, 1), model__2__m__0__cv1__conv__weight=(8, 8, 3, 3),
        model__9__conv__conv__weight=(8, 8, 1, 1), model__9__linear__weight=(3, 8),
    )  # fmt: skip
    assert by_tensors(state) == ""


CLASSES = {
    "torch.optim.swa_utils.AveragedModel": ("", ""),
    "torch.optim.adam.Adam": ("an optimiser and no network", "Bring one of those."),
    "ultralytics.nn.tasks.ClassificationModel": ("a classifier of Ultralytics'", "format='onnx'"),
    "ultralytics.nn.tasks.DetectionModel": ("an object detector of", "Bring one of those."),
    "ultralytics.nn.tasks.SegmentationModel": ("a segmentation model of", "Bring one of those."),
    "ultralytics.nn.modules.conv.Conv": ("a model of Ultralytics'", "If it is a classifier"),
    "models.yolo.Model": ("an object detector", "Bring one of those."),
    "models.yolo.ClassificationModel": ("a classifier of YOLOv5's kind", "ONNX"),
    "transformers.models.vit.modeling_vit.ViTForImageClassification": ("a whole model of", "ONNX"),
    "fastai.learner.Learner": ("a learner of fastai's", "ONNX"),
    "mine.models.Net": ("", ""),
}


@pytest.mark.parametrize("name", CLASSES)
def test_a_pickled_class_is_named(name: str) -> None:
    what, way_out = CLASSES[name]
    said = by_class(name)
    assert bool(said) == bool(what)
    if said:
        assert said.startswith(f"This file holds {what}")
        assert way_out in said
        assert ("object detector" in said) == ("object detector" in what)
