"""How a photo becomes what a network eats: resized and cropped to a view, then normalised.

`Options` is what a person asked, `Preprocessing` what will be done; `resolve` makes one out of
the other and of what the file or the recognised architecture says.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from loaders.options import (
    MAX_RESIZE,
    MAX_SIZE,
    MIN_SIZE,
    Options,
)
from loaders.presets import PRESETS, Channels, Fit, Interpolation, Preset
from xai_core.checks import (
    are_numbers,
    check_choice,
    from_plain,
    is_pair,
    is_whole,
    to_plain,
)
from xai_core.errors import ImageError, ParamError
from xai_core.model import Geometry

__all__ = [
    "MAX_RESIZE",
    "MAX_SIZE",
    "MIN_SIZE",
    "PRESETS",
    "Channels",
    "Fit",
    "Interpolation",
    "Options",
    "Preprocessing",
    "Preset",
    "eight_sevenths",
    "for_imagenet",
    "preset",
    "refuse_tiny",
]

Array = NDArray[np.float32]

MIN_PHOTO = 8
"""Photos with a shorter side are refused, in pixels: nothing in them can be explained."""

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey network's one channel (ITU-R BT.601, Pillow's 'L')."""

PAD_GREY = 0.5
"""What 'pad' puts beside the photo, in units of the 0..1 view."""

MAX_WHOLE_RESIZE = 32_000_000
"""Pixels up to which the whole photo is resized before a crop, as torchvision does it; beyond
(very thin photos) only the part that the crop shows."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """What is done to a photo: `view` resizes and crops, `normalise` makes the network's input.

    `size` is the view's (height, width). `mean` and `std` are in units of the 0..1 view and in
    the order of the network's channels: input = (view[channels] - mean) / std. `resize` is the
    shorter side in pixels before a crop; None resizes to the smallest photo that covers the view.
    `why` is one clause on where it comes from. Raises ParamError.
    """

    name: str
    size: tuple[int, int]
    channels: Channels = "rgb"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    resize: int | None = None
    interpolation: Interpolation = "bilinear"
    fit: Fit = "stretch"
    why: str = ""

    def __post_init__(self) -> None:
        def must(good: bool, field: str, rule: str) -> None:
            if not good:
                shown = repr(getattr(self, field))[:60]
                raise ParamError(f"Preprocessing.{field} must be {rule}, got {shown}")

        def one_of(field: str, names: tuple[str, ...]) -> None:
            must(getattr(self, field) in names, field, "one of " + ", ".join(names))

        one_of("name", (*PRESETS, "custom"))
        must(is_pair(self.size, 1, 2 * MAX_SIZE), "size", f"two sides from 1 to {2 * MAX_SIZE} px")
        one_of("channels", get_args(Channels))
        count = 1 if self.channels == "grey" else 3
        for field in ("mean", "std"):
            value = getattr(self, field)
            low = -1e6 if field == "mean" else 1e-9
            must(
                are_numbers(value, low, 1e6) and len(value) == count,
                field,
                f"{count} finite number{'s' * (count > 1)}{' above 0' * (field == 'std')}",
            )
        good = self.resize is None or is_whole(self.resize, 1, 2 * MAX_RESIZE)
        must(good, "resize", f"None or from 1 to {2 * MAX_RESIZE} px")
        one_of("interpolation", get_args(Interpolation))
        one_of("fit", get_args(Fit))
        must(isinstance(self.why, str), "why", "text")

    @property
    def matrix(self) -> Array:
        """How the view's red, green, blue become the network's channels, float32 `[3, c]`."""
        if self.channels == "grey":
            return np.array(LUMINANCE, np.float32)[:, None]
        identity = np.eye(3, dtype=np.float32)
        return identity[:, ::-1] if self.channels == "bgr" else identity

    def view(self, photo: NDArray[np.uint8]) -> tuple[Array, Geometry]:
        """Return the view, float32 `[h, w, 3]` in 0..1, and where it lies in the photo.

        `photo` is uint8 `[H, W, 3]`, RGB. Resizing is Pillow's on bytes, with antialiasing, and
        sides and offsets are rounded as torchvision rounds them, so that a network sees what its
        evaluation transforms showed it. Raises ImageError for a photo under 8 px a side.
        """
        if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
            raise ValueError(f"a photo is uint8 [H, W, 3], got {photo.dtype} {photo.shape}")
        full: tuple[int, int] = (photo.shape[0], photo.shape[1])
        refuse_tiny(*full)
        scaled, (top, left) = self._plan(full)
        height, width = self.size
        shown = _resized(photo, scaled, (top, left, height, width), self.interpolation)
        view = np.full((height, width, 3), PAD_GREY, np.float32)
        # where the resized photo is smaller than the view the offsets are negative ('pad')
        row, column = max(-top, 0), max(-left, 0)
        inner = view[row : row + shown.shape[0], column : column + shown.shape[1]]
        np.divide(shown, np.float32(255), out=inner)
        return view, self.geometry(full)

    def geometry(self, photo: tuple[int, int]) -> Geometry:
        """Return where the view lies in a photo of that (height, width)."""
        (height, width), (scaled, (top, left)) = self.size, self._plan(photo)
        # multiplied before they are divided: the far edges of a stretch are exact
        box = (
            top * photo[0] / scaled[0],
            left * photo[1] / scaled[1],
            (top + height) * photo[0] / scaled[0],
            (left + width) * photo[1] / scaled[1],
        )
        return Geometry(photo=photo, box=box, view=self.size)

    def _plan(self, photo: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the resized photo's (height, width) and the view's (top, left) in it."""
        height, width = self.size
        if self.fit == "stretch":
            return self.size, (0, 0)
        if self.fit == "pad":
            scale = min(height / photo[0], width / photo[1])
            scaled = (
                min(height, max(1, round(photo[0] * scale))),
                min(width, max(1, round(photo[1] * scale))),
            )
            return scaled, (-((height - scaled[0]) // 2), -((width - scaled[1]) // 2))
        short = self.resize or min(self.size)
        # torchvision.transforms.functional._compute_resized_output_size truncates the longer side
        scaled = (
            (short, int(short * photo[1] / photo[0]))
            if photo[0] <= photo[1]
            else (int(short * photo[0] / photo[1]), short)
        )
        if scaled[0] < height or scaled[1] < width:
            # a view that is not square: enlarge until the photo covers it
            scale = max(height / photo[0], width / photo[1])
            scaled = max(height, int(photo[0] * scale)), max(width, int(photo[1] * scale))
        # torchvision.transforms.functional.center_crop rounds halves to even
        return scaled, (round((scaled[0] - height) / 2), round((scaled[1] - width) / 2))

    def normalise(self, views: Array) -> Array:
        """Return the network's input, float32 `[N, h, w, c]`, channels last, in a new array."""
        count, height, width, _ = views.shape
        if self.channels == "grey":
            planes = (views.reshape(-1, 3) @ self.matrix).reshape(count * height, width)
        else:
            ordered = views[..., ::-1] if self.channels == "bgr" else views
            planes = ordered.reshape(count * height, width * 3)
        # rows of w * c numbers: numpy's inner loop would be 3 long on the last axis alone
        row = np.tile(np.array(self.mean, np.float32), width)
        out = np.subtract(planes, row, dtype=np.float32)
        out /= np.tile(np.array(self.std, np.float32), width)
        # float32 [N, h, w, c]
        shaped: Array = out.reshape(count, height, width, -1)
        return shaped

    def sentence(self) -> str:
        """Say in one sentence what is done, and why."""
        height, width = self.size
        if self.fit == "stretch":
            first = f"The photo is stretched to {height} x {width} px"
        elif self.fit == "pad":
            first = f"The photo is fitted into {height} x {width} px with mid-grey beside it"
        else:
            short = f"to {self.resize} px on its shorter side" if self.resize else "to cover it"
            first = f"The photo is resized {short} and its middle {height} x {width} px are kept"
        if self.name in PRESETS:
            second = PRESETS[self.name].meaning
            if self.channels == "grey":
                second += ", in grey"
        else:
            order = {"rgb": "red, green, blue", "bgr": "blue, green, red", "grey": "grey"}
            means, stds = (
                ", ".join(f"{value:.4g}" for value in values) for values in (self.mean, self.std)
            )
            second = f"{order[self.channels]} less {means} and divided by {stds}"
        return f"{first} ({self.interpolation}); the network gets {second}" + (
            f" ({self.why})." if self.why else "."
        )

    def to_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return to_plain(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Preprocessing:
        """Rebuild from `to_json`. Raises ParamError."""
        values = from_plain(cls, data)
        for name in ("name", "size"):
            if name not in values:
                raise ParamError(f"Preprocessing.{name} is missing")
        return cls(**values)


def refuse_tiny(height: int, width: int) -> None:
    """Raise ImageError for a photo in which there is nothing to explain."""
    if min(height, width) < MIN_PHOTO:
        raise ImageError(
            f"The photo is {width} x {height} px; it must be at least {MIN_PHOTO} px on each "
            "side. Take a larger photo."
        )


def _resized(
    photo: NDArray[np.uint8],
    scaled: tuple[int, int],
    window: tuple[int, int, int, int],
    interpolation: Interpolation,
) -> NDArray[np.uint8]:
    """Resize to `scaled` and cut out what `window` (top, left, height, width) shows of it."""
    resample = Image.Resampling[interpolation.upper()]
    image = Image.fromarray(np.ascontiguousarray(photo))
    top, left = max(window[0], 0), max(window[1], 0)
    bottom = min(window[0] + window[2], scaled[0])
    right = min(window[1] + window[3], scaled[1])
    if scaled[0] * scaled[1] <= MAX_WHOLE_RESIZE:
        whole = np.asarray(image.resize((scaled[1], scaled[0]), resample))
        return cast(NDArray[np.uint8], whole[top:bottom, left:right])
    # the same samples, without the thousands of columns that nobody sees
    down, across = photo.shape[0] / scaled[0], photo.shape[1] / scaled[1]
    box = (left * across, top * down, right * across, bottom * down)
    return np.asarray(image.resize((right - left, bottom - top), resample, box))


def preset(
    name: str,
    size: tuple[int, int],
    *,
    channels: int = 3,
    fit: Fit = "stretch",
    resize: int | None = None,
    interpolation: Interpolation = "bilinear",
    why: str = "",
) -> Preprocessing:
    """Return one of PRESETS at a size, for a network of 1 or 3 channels. Raises ParamError.

    A network of one channel gets the average of the preset's three means and deviations.
    """
    check_choice("preprocessing", tuple(PRESETS), name)
    recipe = PRESETS[name]
    mean, std, order = recipe.mean, recipe.std, recipe.channels
    if channels == 1:
        mean, std, order = (math.fsum(mean) / 3,), (math.fsum(std) / 3,), "grey"
    return Preprocessing(
        name=name,
        size=size,
        channels=order,
        mean=mean,
        std=std,
        resize=resize,
        interpolation=interpolation,
        fit=fit,
        why=why,
    )


def eight_sevenths(size: tuple[int, int]) -> int:
    """Return the shorter side from which ImageNet networks are cropped: 256 for 224, 342 for 299.

    Torchvision's first weights and the papers before them resize so.
    """
    return round(min(size) * 8 / 7)


def for_imagenet(
    name: str,
    size: tuple[int, int],
    *,
    resize: int | None = None,
    interpolation: Interpolation = "bilinear",
    why: str = "",
) -> Preprocessing:
    """Return a preset for a recognised ImageNet architecture: a crop after a resize of 8/7."""
    return preset(
        name,
        size,
        fit="crop",
        resize=resize or eight_sevenths(size),
        interpolation=interpolation,
        why=why,
    )
