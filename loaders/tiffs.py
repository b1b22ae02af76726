"""What a TIFF's tags say of its values, where Pillow reads them otherwise (Pillow 13)."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageFile, ImagePalette, TiffImagePlugin

_PHOTOMETRIC, _BITS, _COMPRESSION, _FORMAT, _PLANES = 262, 258, 259, 339, 284
_MAXIMA, _LENGTHS, _COLOURS, _SUBSAMPLING = (281, 341), 279, 320, 530
# libtiff gives numbers in the machine's order, which Pillow minds for unsigned ones alone
_NATIVE = {"I;16S": "I;16NS", "I;16BS": "I;16NS", "I;32S": "I;32NS", "I;32BS": "I;32NS",
           "F;32F": "F;32NF", "F;32BF": "F;32NF"}  # fmt: skip


def opened(data: bytes, notes: list[str]) -> TiffImagePlugin.TiffImageFile:
    """Return the first page, which is decoded as its tags say once it is loaded."""
    image = _open(data)
    tags = image.tag_v2
    if tags.get(_PLANES) == 2 and bits(image) > 8 and not image.use_load_libtiff:
        # Pillow takes such planes for planes of bytes, libtiff does not
        before, TiffImagePlugin.READ_LIBTIFF = TiffImagePlugin.READ_LIBTIFF, True
        try:
            image = _open(data)
        finally:
            TiffImagePlugin.READ_LIBTIFF = before
        tags = image.tag_v2
    if image.use_load_libtiff:
        image.tile = [_in_native_order(tile) for tile in image.tile]
    elif tags.get(_PHOTOMETRIC) == 6 and tuple(tags.get(_SUBSAMPLING, (1, 1))) != (1, 1):
        raise ValueError("colours of fewer pixels than there are, not compressed")
    elif bits(image) == 12 and sum(tags.get(_LENGTHS, ())) >= 2 * image.width * image.height:
        # two bytes a number, where Pillow expects one and a half
        image.tile = [_of_sixteen(tile) for tile in image.tile]
    table = tags.get(_COLOURS)
    if image.mode in ("P", "PA") and table and 0 < max(table) < 256:
        image.palette = ImagePalette.raw("RGB;L", bytes(table))
        notes.append(
            "The photo's table of colours holds numbers of 8 bits where TIFF has 16, and was read "
            "so."
        )
    return image


def _open(data: bytes) -> TiffImagePlugin.TiffImageFile:
    image = Image.open(io.BytesIO(data), formats=("TIFF",))
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        raise TypeError(type(image))
    return image


def _in_native_order(tile: ImageFile._Tile) -> ImageFile._Tile:
    if tile.codec_name != "libtiff" or not isinstance(tile.args, tuple):
        return tile
    return tile._replace(args=(_NATIVE.get(tile.args[0], tile.args[0]), *tile.args[1:]))


def _of_sixteen(tile: ImageFile._Tile) -> ImageFile._Tile:
    args = tile.args if isinstance(tile.args, tuple) else (tile.args, 0, 1)
    return tile._replace(args=("I;16", *args[1:]))


def bits(image: Image.Image) -> int:
    """Return how many bits a number of a TIFF has, by its tags."""
    return _first(image, _BITS, 1)


def is_signed(image: Image.Image) -> bool:
    """Tell whether a TIFF's numbers are whole and may be below 0."""
    return _first(image, _FORMAT, 1) == 2


def is_white_zero(image: Image.Image) -> bool:
    """Tell whether 0 is white in a TIFF whose numbers Pillow does not turn round itself.

    It does so for whole numbers of up to 8 bits.
    """
    return _first(image, _PHOTOMETRIC, 1) == 0 and bits(image) > 8


def top(image: Image.Image, highest: float) -> int | None:
    """Return the largest value that the tags name, where it stands for fewer bits than 16."""
    for tag in _MAXIMA:
        value = _first(image, tag, 0)
        if 255 < value < 65535 and not value & (value + 1):
            return value if highest <= value else None
    return None


def fax(image: Image.Image) -> int:
    """Return which of the fax compressions a TIFF has (2, 3 or 4 in its tag), or 0."""
    held = _first(image, _COMPRESSION, 1)
    return held if held in (2, 3, 4) else 0


def _first(image: Image.Image, tag: int, default: int) -> int:
    """Return a tag's whole number, the first where it has several."""
    tags: Any = getattr(image, "tag_v2", {})
    held = tags.get(tag, default)
    held = held[0] if isinstance(held, tuple) and held else held
    return held if isinstance(held, int) else default
