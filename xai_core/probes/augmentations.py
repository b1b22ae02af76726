"""Changes of a whole photo that mostly leave what it shows: each with a strength.

Strength 0 changes nothing. `changed` makes the photo, and says where each place of it lies then, so
that a map of it can be brought back.
"""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError
from xai_core.probes._places import Places, affine, stay
from xai_core.region import Region

Pixels = NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, eq=False)
class Changed:
    """A changed photo, uint8 `[H, W, 3]`, and where the places of the first one lie on it."""

    pixels: Pixels
    places: Places = stay


Make = Callable[[Pixels, float, "Region | None", int], Changed]


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """One change. `usual` is the strength of the grid, `most` the end of the scale.

    `unit` is said after the number, which is `shown` times the strength. One without a scale
    (`switch`) is there or not. `moves` says that places move.
    """

    name: str
    title: str
    make: Make
    usual: float = 1.0
    most: float = 1.0
    unit: str = ""
    shown: float = 1.0
    switch: bool = False
    moves: bool = False

    def words(self, strength: float) -> str:
        """Return the change with its strength, 'turned by 15°'."""
        if self.switch:
            return self.title
        return f"{self.title} {self.shown * strength:.3g}{self.unit}"

    def strengths(self, steps: int) -> tuple[float, ...]:
        """Return `steps` rising strengths up to the most, closer where they are small.

        One without a scale has one.
        """
        if self.switch:
            return (1.0,)
        return tuple(self.most * (step / steps) ** 2 for step in range(1, steps + 1))


def changed(
    name: str, photo: Pixels, strength: float, *, box: Region | None = None, seed: int = 0
) -> Changed:
    """Change a photo uint8 `[H, W, 3]`. With a `box` a shift moves what lies in it and no more.

    Raises ParamError for an unknown change, and a strength beyond its scale.
    """
    each = named(name)
    if not 0 <= strength <= each.most:
        raise ParamError(
            f"The strength of {each.title!r} must be from 0 to {each.most:g}, got {strength:g}"
        )
    if strength == 0:
        return Changed(photo)
    return each.make(photo, strength, box, seed)


def named(name: str) -> Augmentation:
    """Return the change of that name. Raises ParamError."""
    if name not in AUGMENTATIONS:
        raise ParamError(f"A change must be one of {', '.join(AUGMENTATIONS)}, got {name[:60]!r}")
    return AUGMENTATIONS[name]


# Colours


def _bytes(values: NDArray[np.floating]) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _factor(name: str) -> Make:
    def make(photo: Pixels, strength: float, box: Region | None, seed: int) -> Changed:
        values = photo.astype(np.float32)
        match name:
            case "brighter":
                return Changed(_bytes(values * (1 + strength)))
            case "darker":
                return Changed(_bytes(values * (1 - strength)))
        middle = values.mean((0, 1))
        by = 1 + strength if name == "more" else 1 - strength
        return Changed(_bytes(middle + (values - middle) * by))

    return make


def _grey(photo: Pixels, strength: float, box: Region | None, seed: int) -> Changed:
    values = photo.astype(np.float32)
    light = (values @ np.array((0.299, 0.587, 0.114), np.float32))[..., None]  # ITU-R BT.601
    return Changed(_bytes(values + (light - values) * strength))


def _blurred(photo: Pixels, strength: float, box: Region | None, seed: int) -> Changed:
    from scipy.ndimage import gaussian_filter

    sigma = strength * min(photo.shape[:2])
    soft = gaussian_filter(photo.astype(np.float32), (sigma, sigma, 0), mode="nearest")
    return Changed(_bytes(soft))


def _noisy(photo: Pixels, strength: float, box: Region | None, seed: int) -> Changed:
    drawn = np.random.default_rng(seed).standard_normal(photo.shape, np.float32)
    return Changed(_bytes(photo + 255 * strength * drawn))


def _jpeg(photo: Pixels, strength: float, box: Region | None, seed: int) -> Changed:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(photo).save(out, "JPEG", quality=max(1, round(100 - strength)))
    return Changed(np.array(Image.open(out).convert("RGB")))


# Places


def _mean(photo: Pixels) -> NDArray[np.float64]:
    return np.asarray(photo.reshape(-1, 3).mean(0))


def _warped(photo: Pixels, matrix: NDArray[np.float64], size: tuple[int, int]) -> Changed:
    """Move a photo by a matrix `[2, 3]` of rows and columns; what comes in is its mean colour."""
    import cv2

    (a, b, c), (d, e, f) = matrix
    # OpenCV's places are (column, row), and its pixels' middles are at whole numbers
    half = np.array([[e, d, e / 2 + d / 2 + f - 0.5], [b, a, b / 2 + a / 2 + c - 0.5]])
    made = cv2.warpAffine(
        photo,
        half,
        (size[1], size[0]),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=tuple(_mean(photo).round().tolist()),
    )
    return Changed(np.asarray(made, np.uint8), affine(matrix))


def _mirrored(photo: Pixels, strength: float, box: Region | None, seed: int) -> Changed:
    width = photo.shape[1]
    place = affine(np.array([[1.0, 0, 0], [0, -1, width]]))
    return Changed(np.ascontiguousarray(photo[:, ::-1]), place)


def _upside_down(photo: Pixels, strength: float, box: Region | None, seed: int) -> Changed:
    height = photo.shape[0]
    place = affine(np.array([[-1.0, 0, height], [0, 1, 0]]))
    return Changed(np.ascontiguousarray(photo[::-1]), place)


def _turned(sign: float) -> Make:
    def make(photo: Pixels, strength: float, box: Region | None, seed: int) -> Changed:
        height, width = photo.shape[:2]
        angle = math.radians(sign * strength)
        cos, sin = math.cos(angle), math.sin(angle)
        # against the clock for a positive angle: rows grow downwards
        matrix = np.array([[cos, -sin, 0], [sin, cos, 0]])
        middle = np.array([height / 2, width / 2])
        matrix[:, 2] = middle - matrix[:, :2] @ middle
        return _warped(photo, matrix, (height, width))

    return make


def _zoomed(sign: float) -> Make:
    def make(photo: Pixels, strength: float, box: Region | None, seed: int) -> Changed:
        height, width = photo.shape[:2]
        by = 1 + sign * strength
        middle = np.array([height / 2, width / 2])
        matrix = np.array([[by, 0, 0], [0, by, 0]])
        matrix[:, 2] = middle * (1 - by)
        if by < 1:  # each new pixel stands for several: what lies between them must count
            soft = _blurred(photo, 0.4 * (1 / by - 1) / min(height, width), None, 0).pixels
            return _warped(soft, matrix, (height, width))
        return _warped(photo, matrix, (height, width))

    return make


def _cropped(photo: Pixels, strength: float, box: Region | None, seed: int) -> Changed:
    """Cut a share off at the top and at the left."""
    top, left = (min(side - 1, round(side * strength)) for side in photo.shape[:2])
    place = affine(np.array([[1.0, 0, -top], [0, 1, -left]]))
    return Changed(np.ascontiguousarray(photo[top:, left:]), place)


def _shifted(photo: Pixels, strength: float, box: Region | None, seed: int) -> Changed:
    height, width = photo.shape[:2]
    down, across = round(height * strength), round(width * strength)
    if box is None:
        matrix = np.array([[1.0, 0, down], [0, 1, across]])
        return _warped(photo, matrix, (height, width))
    inside = np.zeros((height, width), np.bool_)
    inside[box.top : box.bottom, box.left : box.right] = True
    # towards where there is more room
    down = down if box.top + box.bottom <= height else -down
    across = across if box.left + box.right <= width else -across
    return moved(photo, inside, (down, across))


def moved(photo: Pixels, area: NDArray[np.bool_], by: tuple[int, int]) -> Changed:
    """Move what lies in an area bool `[H, W]` by rows and columns; its place is filled in.

    What was there is continued from what stands round it. What leaves the photo is gone, and so is
    what comes to lie under the moved part.
    """
    from xai_core.probes.fills import INPAINTED, filled

    height, width = photo.shape[:2]
    view = photo.astype(np.float32) / np.float32(255)
    made = _bytes(filled(view, area, INPAINTED) * 255)
    made[~area] = photo[~area]
    rows, columns = np.nonzero(area)
    new_rows, new_columns = rows + by[0], columns + by[1]
    on = (new_rows >= 0) & (new_rows < height) & (new_columns >= 0) & (new_columns < width)
    made[new_rows[on], new_columns[on]] = photo[rows[on], columns[on]]
    under = np.zeros_like(area)
    under[new_rows[on], new_columns[on]] = True
    under &= ~area

    def places(
        down: NDArray[np.float64], across: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        row = np.clip(np.floor(down), 0, height - 1).astype(np.int64)
        column = np.clip(np.floor(across), 0, width - 1).astype(np.int64)
        goes, gone = area[row, column], under[row, column]
        return (
            np.where(gone, np.nan, down + goes * by[0]),
            np.where(gone, np.nan, across + goes * by[1]),
        )

    return Changed(made, places)


AUGMENTATIONS: Mapping[str, Augmentation] = MappingProxyType(
    {
        each.name: each
        for each in (
            Augmentation("mirrored", "left and right exchanged", _mirrored, switch=True,
                         moves=True),
            Augmentation("upside-down", "upside down", _upside_down, switch=True, moves=True),
            Augmentation("turned-left", "turned left by", _turned(1), 15, 180, "\u00b0",
                         moves=True),
            Augmentation("turned-right", "turned right by", _turned(-1), 15, 180, "\u00b0",
                         moves=True),
            Augmentation("zoomed-in", "larger by", _zoomed(1), 0.3, 2, "\u00a0%", 100,
                         moves=True),
            Augmentation("zoomed-out", "smaller by", _zoomed(-1), 0.3, 0.75, "\u00a0%", 100,
                         moves=True),
            Augmentation("cropped", "cropped at the top and the left by", _cropped, 0.15, 0.6,
                         "\u00a0%", 100, moves=True),
            Augmentation("shifted", "shifted by", _shifted, 0.15, 0.5, "\u00a0%", 100,
                         moves=True),
            Augmentation("brighter", "brighter by", _factor("brighter"), 0.5, 3, "\u00a0%", 100),
            Augmentation("darker", "darker by", _factor("darker"), 0.5, 1, "\u00a0%", 100),
            Augmentation("more-contrast", "contrast up by", _factor("more"), 0.5, 3,
                         "\u00a0%", 100),
            Augmentation("less-contrast", "contrast down by", _factor("less"), 0.5, 1,
                         "\u00a0%", 100),
            Augmentation("grey", "colour removed by", _grey, 1, 1, "\u00a0%", 100),
            Augmentation("blurred", "blurred over", _blurred, 0.01, 0.1,
                         "\u00a0% of its side", 100),
            Augmentation("noisy", "noise of", _noisy, 0.1, 0.5, "\u00a0%", 100),
            Augmentation("jpeg", "JPEG, its quality down by", _jpeg, 80, 99, " of 100"),
        )
    }
)  # fmt: skip
"""Every change by its name."""
