"""Grey of more than 8 bits, of signed or of real numbers, brought to 0..255 by what it may hold."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from loaders import tiffs
from xai_core.errors import ImageError


def is_deep(image: Image.Image) -> bool:
    """Tell whether a loaded picture's values are no bytes of 0..255."""
    mode = image.mode
    signed = mode == "L" and image.format == "TIFF" and tiffs.is_signed(image)
    return signed or mode in ("I", "F") or mode.startswith("I;16")


def to_bytes(image: Image.Image, notes: list[str]) -> Image.Image:
    """Return the picture in mode L, or LA where one value is transparent, and say in `notes` how.

    Whole numbers are scaled by the range that their storage has, or that the file names; others
    by the one that they seem to use. Raises ImageError.
    """
    values = _stored(image)
    low, high = float(values.min()), float(values.max())
    if not math.isfinite(low) or not math.isfinite(high):
        raise ImageError(
            "The photo holds values that are not numbers (NaN or infinite), so its brightness is "
            "unknown: replace them and save it again."
        )
    base, top = _range(image, values, low, high, notes)
    levels = np.empty(values.shape, np.uint8)  # [H, W]
    turned = tiffs.is_white_zero(image)
    for start in range(0, len(values), 256):  # in bands: as real numbers a photo takes 256 MB
        band = (values[start : start + 256].astype(np.float64) - base) * (255 / (top - base))
        levels[start : start + 256] = np.rint(255 - band if turned else band)
    grey = Image.fromarray(levels)
    key = image.info.get("transparency")
    if image.mode.startswith("I;16") and isinstance(key, int):
        grey.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return grey


def _stored(image: Image.Image) -> NDArray[np.generic]:
    """Return the values as they were meant: Pillow has one kind of 8 bits and one of 32."""
    values = np.asarray(image)
    if image.format != "TIFF":
        return values
    if image.mode == "L":
        return values.view(np.int8)
    if image.mode == "I" and tiffs.bits(image) == 32 and not tiffs.is_signed(image):
        return values.view(np.uint32)
    return values


def _range(
    image: Image.Image,
    values: NDArray[np.generic],
    low: float,
    high: float,
    notes: list[str],
) -> tuple[float, float]:
    """Return the values that are black and white."""
    bits = tiffs.bits(image) if image.format == "TIFF" else 16
    if values.dtype == np.int8:
        least = -128 if low < 0 else 0
        notes.append(f"The photo's values were scaled from {least}..127 to 0..255.")
        return least, 127
    named = tiffs.top(image, high) if low >= 0 else None
    if named:
        notes.append(f"The photo's values were scaled from 0..{named} to 0..255, as its tags say.")
        return 0, named
    if image.mode.startswith("I;16"):
        return 0, _darkness(high, 2**bits - 1, notes)
    signed = image.format == "TIFF" and bits == 16 and tiffs.is_signed(image)
    if signed and high > 255 and low >= 0:
        notes.append("The photo's values were scaled from 0..32767 to 0..255.")
        return 0, _darkness(high, 32767, notes)
    if low >= 0 and high <= 65535:
        tops = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        base, top = 0.0, next(top for top in tops if high <= top)
        notes.append(f"The photo's values were scaled from 0..{top:.0f} to 0..255.")
        return base, top
    notes.append(f"The photo's values were scaled from {low:.6g}..{high:.6g} to 0..255.")
    return low, high if high > low else low + 1


def _darkness(high: float, top: int, notes: list[str]) -> int:
    """Say where the values use less than a tenth of what their storage holds."""
    if top > 4095 and high < (top + 1) / 16:
        notes.append(
            f"The photo is dark: its brightest value is {high:.0f} of {top}. If it holds fewer "
            "bits than that, stretch its values and save it again."
        )
    return top
