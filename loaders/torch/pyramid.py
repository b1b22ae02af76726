"""A torchvision detector's inner maps: the levels of its backbone, and what its heads do with them.

Every detector of torchvision asks its backbone for an ordered set of maps, finer to coarser, and
reads nothing else of the photo. So a stand-in that hands out other maps runs the rest alone.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import interpolate

from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import Detections, Layer
from xai_core.target import BoxTarget, Target, overlaps

Array = NDArray[np.float32]
Maps = OrderedDict[str, torch.Tensor]
LEAST = 7
"""Cells of a side from which on a level serves as the one map of all levels."""

ALL = "backbone"
"""The layer that is all levels together."""


class Handed(nn.Module):  # type: ignore[misc]
    """Stands in for a backbone: hands out maps that are known, or lets some be followed."""

    def __init__(self, maps: Maps) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, images: torch.Tensor) -> Maps:
        """Return the maps, whatever the images."""
        return OrderedDict(self.maps)


@contextlib.contextmanager
def handed(module: nn.Module, maps: Maps) -> Iterator[None]:
    """Let a detector read these maps while this is open, and its own again whatever happens."""
    own = module.backbone
    try:
        module.backbone = Handed(maps)
        yield
    finally:
        module.backbone = own


def prepared(module: nn.Module, views: Array) -> torch.Tensor:
    """Return views `[N, h, w, 3]` as the backbone gets them: scaled, and padded at far edges."""
    part = np.ascontiguousarray(np.asarray(views, np.float32).transpose(0, 3, 1, 2))
    images, _ = module.transform(list(torch.from_numpy(part)))
    return images.tensors


def levels_of(module: nn.Module, images: torch.Tensor) -> Maps:
    """Return the backbone's maps `[N, channels, mh, mw]` by level, from the finest on."""
    found = module.backbone(images)
    return OrderedDict([("0", found)]) if isinstance(found, torch.Tensor) else OrderedDict(found)


def rows(maps: Maps) -> tuple[Layer, ...]:
    """List the levels as layers, and all of them together last."""
    listed = [
        Layer(f"{ALL}.{name}", "level", (each.shape[2], each.shape[3]), each.shape[1])
        for name, each in maps.items()
    ]
    size = coarsest(maps)
    return (*listed, Layer(ALL, "levels together", size, sum(each.channels for each in listed)))


def coarsest(maps: Maps) -> tuple[int, int]:
    """Return the size of the smallest map that still tells places apart, or of the finest one."""
    sizes = [(each.shape[2], each.shape[3]) for each in maps.values()]
    return min((each for each in sizes if min(each) >= LEAST), default=max(sizes))


def together(maps: Maps) -> torch.Tensor:
    """Return the sizes of all levels' values at one level's size, `[N, all channels, mh, mw]`.

    As the field does it for Faster R-CNN, whose coarsest level gives the size: the absolute values,
    enlarged or made smaller linearly. It takes any number of levels, of any channels; a level of
    fewer than 7 cells a side gives no size, as on small photos.
    """
    size = coarsest(maps)
    drawn = [interpolate(each.abs(), size, mode="bilinear") for each in maps.values()]
    return torch.cat(drawn, 1)


def level(maps: Maps, layer: str) -> str:
    """Return the level that a layer's name stands for. Raises ParamError."""
    name = layer.removeprefix(f"{ALL}.")
    if layer == name or name not in maps:
        known = ", ".join((*(f"{ALL}.{each}" for each in maps), ALL))
        raise ParamError(f"A detector's layer must be one of {known}, got {layer!r}")
    return name


def shown(maps: Maps, layer: str) -> Array:
    """Return a layer's maps, float32 `[N, mh, mw, channels]`."""
    found = together(maps) if layer == ALL else maps[level(maps, layer)]
    return np.array(found.detach().numpy().transpose(0, 2, 3, 1), np.float32, order="C")


def without(maps: Maps, layer: str, channels: Sequence[int]) -> Maps:
    """Return copies of one view's maps `[1, ...]`, each without one of a layer's channels."""
    copies = OrderedDict((name, each.repeat(len(channels), 1, 1, 1)) for name, each in maps.items())
    if layer != ALL:
        copies[level(maps, layer)][range(len(channels)), list(channels)] = 0
        return copies
    ends = np.cumsum([each.shape[1] for each in maps.values()])
    names = list(maps)
    for row, channel in enumerate(channels):
        at = int(np.searchsorted(ends, channel, side="right"))
        copies[names[at]][row, channel - (int(ends[at - 1]) if at else 0)] = 0
    return copies


def detections(said: dict[str, torch.Tensor]) -> Detections:
    """Return what a detector of torchvision said of one view, the highest score first."""
    boxes = said["boxes"].detach().numpy().astype(np.float32).reshape(-1, 4)[:, [1, 0, 3, 2]]
    scores = said["scores"].detach().numpy().astype(np.float32)
    labels = said["labels"].detach().numpy().astype(np.int32) - 1
    good = np.isfinite(boxes).all(1) & np.isfinite(scores) & (labels >= 0)
    order = np.argsort(-scores[good], kind="stable")
    return Detections(boxes[good][order], labels[good][order], scores[good][order])


def asked_of(said: dict[str, torch.Tensor], target: BoxTarget) -> torch.Tensor | None:
    """Return what is asked of the candidate that fits a target best, to be followed back.

    Its score for what is asked of a class or an object; its middle or its sides in pixels else.
    None where nothing fits.
    """
    boxes = said["boxes"].detach().numpy().reshape(-1, 4)[:, [1, 0, 3, 2]]
    if not len(boxes):
        return None
    fits = overlaps(target.box, boxes) * said["scores"].detach().numpy()
    if target.asks != "object":
        fits = fits * (said["labels"].numpy() - 1 == target.index)
    best = int(fits.argmax())
    if fits[best] <= 0:
        return None
    left, top, right, bottom = said["boxes"][best]
    match target.asks:
        case "class" | "object":
            return said["scores"][best]
        case "across":
            return (left + right) / 2
        case "down":
            return (top + bottom) / 2
        case "width":
            return right - left
        case "height":
            return bottom - top
    raise ParamError(
        "The position of a box as a whole has no gradient: ask where it lies across or down, or "
        "for its width or height, or choose a method that hides parts of the photo."
    )


def boxed(target: Target) -> BoxTarget:
    """Return a target of a box. Raises ParamError for another."""
    if isinstance(target, BoxTarget):
        return target
    raise ParamError(f"This model finds objects; the target reads {target.reads}")


def nothing(target: BoxTarget, labels: Sequence[str]) -> UnsupportedModel:
    """Return what is raised where nothing that the detector weighs fits a target."""
    what = f"a “{labels[target.index]}”" if target.asks != "object" else "an object"
    return UnsupportedModel(
        f"The detector weighs no box of {what} there, so there is no score to follow back. D-RISE "
        "and occlusion ask what makes one appear."
    )
