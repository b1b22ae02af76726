"""What is asked of one box: the region's head alone, D-RISE over its passes, and several boxes."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.row import Case, Size, Work, row

GOAL = 1000
SIDE = 320
FEW = 32
"""Channels of the large detector that are left out in turn, whose time is counted for all; and
views of a floor."""


def built_in() -> tuple[Any, NDArray[np.float32], list[Any]]:
    """Return the built-in detector, a view, and what is asked of its five best boxes."""
    from loaders import catalogue, images
    from loaders.load import load
    from xai_core.detection.boxes import kept
    from xai_core.target import BoxTarget

    entry, sample = catalogue.detectors()[0], catalogue.crowds()[0]
    model: Any = load(entry.path, entry.options, name=entry.name, wanted="detection")
    view, _ = model.preprocessing.view(images.decode(sample.path.read_bytes()).pixels)
    (found,) = model.candidates(view[None])
    places = kept(found, threshold=0.02)[:5]
    return (
        model,
        view,
        [
            BoxTarget(tuple(map(float, found.boxes[at])), int(found.labels[at]))  # type: ignore[arg-type]
            for at in places
        ],
    )


def large() -> tuple[Any, NDArray[np.float32], list[Any]]:
    """Return torchvision's Faster R-CNN, ResNet-50 FPN, of random weights, a view and a box."""
    import torch
    from torchvision.models import get_model

    from loaders.load import load
    from loaders.options import Options
    from xai_core.target import BoxTarget

    torch.manual_seed(0)
    made = get_model("fasterrcnn_resnet50_fpn", weights=None, weights_backbone=None, num_classes=4)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.pth"
        torch.save(made.state_dict(), path)
        model = load(path, Options(size=(SIDE, SIDE)), name="large", wanted="detection")
    view = np.random.default_rng(0).random((SIDE, SIDE, 3), np.float32)
    return model, view, [BoxTarget((64.0, 64.0, 192.0, 224.0), 0)]


def explains(name: str, model: Any, view: Any, target: Any, **values: Any) -> Work:
    """Return what explains a box once."""
    from xai_core.explainer import make

    made = make(name, values, size=model.input_size)
    return lambda: made.explain(model, view, target)


def anew(work: Callable[[], object], model: Any) -> Work:
    """Return the same for a photo that was not looked at before."""

    def run() -> object:
        model._last = None  # the levels that are kept
        return work()

    return run


def fixed(model: Any, view: Any, target: Any, channels: int = 0) -> Case:
    """Count AblationCAM over box-fixed ablation, at the channels of the level of a box."""
    level, maps, _ = model.region(view, target.box, target.index)
    count = maps.shape[-1]
    few = channels or count
    ablation = explains("ablationcam", model, view, target, layer=level, ratio=few / count)
    box_fixed = explains("box-fixed-ablation", model, view, target)
    return Case(
        sides={"AblationCAM": ablation, "box-fixed": box_fixed},
        over="box-fixed",
        times={"AblationCAM": (count + 2) / (few + 2)},
        said={"channels": str(count)},
    )


@row(
    what="AblationCAM over box-fixed ablation, built-in detector",
    goal="at least 50",
    before="28",
    memory=False,
)
def boxes_fixed(size: Size) -> Case:
    """Of a photo whose boxes were found, so that its levels are known to both."""
    model, view, targets = built_in()
    return fixed(model, view, targets[0])


@row(
    what="The same, where the photo's levels have to be made as well",
    memory=False,
)
def boxes_fixed_anew(size: Size) -> Case:
    """Of a photo that was not looked at: both make its levels first."""
    model, view, targets = built_in()
    case = fixed(model, view, targets[0])
    return dataclasses.replace(
        case, sides={name: anew(work, model) for name, work in case.sides.items()}
    )


@row(
    what="AblationCAM over box-fixed ablation, Faster R-CNN ResNet-50 FPN, 320 px",
    goal="at least 50",
    before="102",
    memory=False,
)
def boxes_fixed_large(size: Size) -> Case:
    """Count the same of the field's own detector."""
    model, view, targets = large()
    return fixed(model, view, targets[0], FEW)


@row(
    what="D-RISE, 1,000 masks, built-in detector; five boxes at once",
    goal="1.1; 1.05 of one",
    memory=False,
)
def boxes_d_rise(size: Size) -> Case:
    """Count over masks times a pass of the detector, two views at once."""
    from xai_core.explainer import make

    model, view, targets = built_in()
    masks = size.count(GOAL, 100)
    method = make("d-rise", {"masks": masks}, size=model.input_size)
    views = np.repeat(view[None], FEW, 0)
    return Case(
        sides={
            "one box": lambda: method.explain(model, view, targets[0]),
            f"{len(targets)} boxes": lambda: method.explain_all(model, view, targets),
        },
        passes=masks + 1,
        floors={"the detector": (lambda: model.candidates(views), len(views))},
    )
