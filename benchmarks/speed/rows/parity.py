"""Whether maps stay the same when another backend runs the passes: one network a family."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.speed import networks
from benchmarks.speed.row import Case, Size, row

TORCH = (
    "squeezenet1_1", "mobilenet_v3_small", "shufflenet_v2_x0_5", "mnasnet0_5", "resnet18",
    "regnet_y_400mf", "efficientnet_b0", "densenet121", "vgg11_bn", "convnext_tiny",
)  # fmt: skip
KERAS = ("MobileNetV2", "ResNet50", "EfficientNetB0", "DenseNet121")
SMALL, MASKS = 96, 60
"""Pixels, and masks: too few of these for the network to change before it is told to."""


def chosen(count: int) -> list[str]:
    """Return so many networks of torch, the same each time."""
    rng = np.random.default_rng(16)
    return [str(name) for name in rng.choice(TORCH[:6], count, replace=False)]


def apart(name: str, masks: int = MASKS) -> float:
    """Return by how much two maps by RISE of a network's two backends differ at the most.

    As a part of the largest score: the scores of random weights hardly depend on the photo.
    """
    return difference(networks.torch_model(name, SMALL), masks)


def difference(model: Any, masks: int) -> float:
    """Return it for a model, which is settled by that."""
    from xai_core.explainer import make
    from xai_core.target import ClassTarget

    view = networks.view(model.input_size[0])
    method = make("rise", {"masks": masks, "grid": 5, "seed": 3}, size=model.input_size)
    before = method.explain(model, view, ClassTarget(0))
    largest = float(np.abs(model.logits(view[None])).max())
    said = model.settled()
    if said.agreement is None:
        raise RuntimeError(f"{model.name} stays where it is, as {said.why}")
    after = method.explain(model, view, ClassTarget(0))
    return float(np.abs(after.attribution - before.attribution).max()) / largest


def always() -> None:
    """Let a network change even where it gains nothing."""
    from loaders import backend

    backend.QUICKER = 0.0


def told(found: dict[str, float]) -> dict[str, str]:
    """Return the largest of differences by network, in words."""
    worst = max(found, key=lambda name: found[name])
    return {"largest difference": f"{found[worst]:.0e} ({worst}; of {', '.join(found)})"}


def _said(found: dict[str, float]) -> Case:
    return Case(said=told(found))


@row(what="maps before and after the compiled backend, families of torchvision",
     goal="1e-4 of the score", memory=False)  # fmt: skip
def parity_torch(size: Size) -> Case:
    """Say the largest difference."""
    always()
    return _said({name: apart(name) for name in TORCH})


@row(what="maps before and after the compiled backend, Keras applications",
     goal="1e-4 of the score", memory=False)  # fmt: skip
def parity_keras(size: Size) -> Case:
    """Say the largest difference."""
    always()
    return _said({name: difference(networks.keras_model(name, SMALL), MASKS) for name in KERAS})


def reached(name: str) -> float | None:
    """Return by how much occlusion by what a patch reaches differs from whole passes at the most.

    As a part of the largest score; None where the network takes whole passes in any case.
    """
    from loaders.torch import occluding
    from xai_core.explainer import make
    from xai_core.target import ClassTarget

    model = networks.torch_model(name, SMALL)
    model._forward.logits._settled = True  # both in torch
    view = networks.view(SMALL)
    patch = dict.fromkeys(("patch_height", "patch_width", "stride_height", "stride_width"), 16)
    method = make("occlusion", patch, size=model.input_size)
    maps = []
    for occluding.FEWEST in (1, 1 << 30):
        maps.append(method.explain(model, view, ClassTarget(0)))
    if not maps[0].way.startswith("Only"):
        return None
    largest = float(np.abs(model.logits(view[None])).max())
    return float(np.abs(maps[0].attribution - maps[1].attribution).max()) / largest


@row(what="maps of occlusion by what a patch reaches and by whole passes, families of torchvision",
     goal="1e-4 of the score", memory=False)  # fmt: skip
def parity_reach(size: Size) -> Case:
    """Say the largest difference, and which networks take whole passes."""
    from loaders.torch import occluding

    occluding.SHORT, occluding.WORTH, occluding.SLOWER = 0.0, 2.0, float("inf")
    found = {name: reached(name) for name in TORCH}
    whole = [name for name, apart in found.items() if apart is None]
    case = _said({name: apart for name, apart in found.items() if apart is not None})
    return Case(said={**case.said, "whole passes in any case:": ", ".join(whole) or "none"})
