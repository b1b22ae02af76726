"""torchvision's classifiers and keras.applications, as files of full size."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchvision import models

from benchmarks.formats.case import Case, Key, Oracle
from benchmarks.formats.kinds import library, writer
from benchmarks.formats.truth import by_keras, by_torch
from loaders import architectures

LARGEST = 100
"""MB up to which a state dict is written and loaded; the smallest of each family always is."""

PICKLED = (
    "alexnet convnext_tiny densenet121 efficientnet_b0 efficientnet_v2_s googlenet inception_v3 "
    "maxvit_t mnasnet0_5 mobilenet_v2 mobilenet_v3_small regnet_y_400mf resnet18 resnext50_32x4d "
    "shufflenet_v2_x1_0 squeezenet1_1 swin_t swin_v2_t vgg11 vit_b_16 wide_resnet50_2"
)
APPLICATIONS = (
    "MobileNet MobileNetV2 MobileNetV3Small EfficientNetB0 EfficientNetV2B0 DenseNet121 "
    "NASNetMobile ResNet50 ResNet50V2 Xception InceptionV3 ConvNeXtTiny"
)
CLASSES = 10


# torchvision -------------------------------------------------------------------------------------


def family(name: str) -> str:
    """Return the module of torchvision that a classifier stands in, as `resnet`."""
    return str(models.get_model_builder(name).__module__).rpartition(".")[2]


def megabytes(name: str) -> float:
    """Return the size of a classifier's published file."""
    return float(models.get_model_weights(name).DEFAULT.meta["_file_size"])


def loaded() -> list[str]:
    """Return the classifiers whose state dict is loaded for real."""
    smallest: dict[str, str] = {}
    names = sorted(architectures.table(), key=megabytes)
    for name in names:
        smallest.setdefault(family(name), name)
    return [name for name in names if megabytes(name) < LARGEST or name in smallest.values()]


def recognised() -> dict[str, list[str]]:
    """Build each of torchvision's classifiers; return by family those that their tensors tell."""
    found: dict[str, list[str]] = {}
    for name in models.list_models(module=models):
        told = found.setdefault(family(name), [])
        try:
            with torch.device("meta"):
                module = _build(name, 7)
        except NotImplementedError:  # RegNets fill their weights on a real device
            module = _build(name, 7)
        shapes = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
        if architectures.recognise(shapes) == name:
            told.append(name)
    return found


def _build(name: str, classes: int) -> Any:
    quick = {"init_weights": False} if name in ("inception_v3", "googlenet") else {}
    return models.get_model(name, weights=None, num_classes=classes, **quick)


def _trained(name: str) -> Any:
    """Return a classifier with the statistics of some noise, and no layer of zeros."""
    torch.manual_seed(0)
    module = _build(name, CLASSES)
    for parameter in module.parameters():
        if parameter.ndim > 1 and not parameter.any():  # a vision transformer's last layer
            torch.nn.init.normal_(parameter, std=0.02)
    side = architectures.table()[name]["size"]
    with torch.no_grad():
        module.train()(torch.randn(4, 3, side, side))
    return module.eval()


def _torchvision(name: str, whole: bool, path: Path) -> Oracle:
    module = _trained(name)
    torch.save(module if whole else module.state_dict(), path)
    return by_torch(module)


def torchvision_cases() -> Iterator[Case]:
    """Yield state dicts and whole modules of torchvision's classifiers."""
    for kind, names in (("state dict", loaded()), ("whole module", PICKLED.split())):
        for name in names:
            write = functools.partial(_torchvision, name, kind == "whole module")
            yield Case(Key("torchvision", kind, name, writer("torch")), "m.pth", write)


# Keras -------------------------------------------------------------------------------------------


def _application(reader: str, name: str, path: Path) -> Oracle:
    keras = library(reader)
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, classes=CLASSES)
    _take_statistics(model)
    model.save(path)
    # Untrained, its chances may be 0 in float32, and have no logarithm: asked for logits instead.
    model.layers[-1].activation = keras.activations.linear
    return by_keras(model, "logits")


def _take_statistics(model: Any) -> None:
    """Give every batch normalisation the statistics of some noise: untrained, signals fade out."""
    norms = [layer for layer in model.layers if hasattr(layer, "momentum")]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    side = model.input_shape[1] or 224  # MobileNetV3 leaves it free
    noise = np.random.default_rng(0).uniform(0, 255, (4, side, side, 3))
    model(noise.astype(np.float32), training=True)
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum


def application_cases() -> Iterator[Case]:
    """Yield files of keras.applications by Keras 3 and tf_keras."""
    for name in APPLICATIONS.split():
        for reader in ("keras", "tf_keras"):
            for ending in (".keras", ".h5"):
                write = functools.partial(_application, reader, name)
                yield Case(Key("applications", ending, name, writer(reader)), "m" + ending, write)
