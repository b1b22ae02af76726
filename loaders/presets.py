"""The common ways to normalise a photo, and the words for the rest of its preparation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Channels = Literal["rgb", "bgr", "grey"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Fit = Literal["stretch", "crop", "pad"]


class Preset(NamedTuple):
    """A common way to normalise; `mean` and `std` are in units of the 0..1 view."""

    channels: Channels
    mean: tuple[float, ...]
    std: tuple[float, ...]
    meaning: str


PRESETS: Mapping[str, Preset] = {
    "unit": Preset("rgb", (0.0,) * 3, (1.0,) * 3, "values from 0 to 1"),
    "imagenet": Preset(
        "rgb",
        (0.485, 0.456, 0.406),
        (0.229, 0.224, 0.225),
        "ImageNet's mean and deviation",
    ),
    "symmetric": Preset("rgb", (0.5,) * 3, (0.5,) * 3, "values from -1 to 1"),
    "caffe": Preset(
        "bgr",
        (103.939 / 255, 116.779 / 255, 123.68 / 255),
        (1 / 255,) * 3,
        "blue, green, red from 0 to 255 less the Caffe means",
    ),
    "raw": Preset("rgb", (0.0,) * 3, (1 / 255,) * 3, "values from 0 to 255"),
}
