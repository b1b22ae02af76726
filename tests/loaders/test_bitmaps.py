"""BMPs of every depth, packing and order of rows, written by hand."""

import struct

import numpy as np
import pytest

from loaders.images import decode
from tests.loaders.test_images import GREY, RGB, H, W, away, rgb, saved
from xai_core.errors import ImageError


@pytest.mark.parametrize("width", [-40, -1, -(2**31)])
def test_a_bmp_of_negative_width_is_damaged(width):
    data = bytearray(saved(rgb(), "BMP"))
    data[18:22] = struct.pack("<i", width)
    with pytest.raises(ImageError, match=f"says that it is {width} px wide, which cannot be"):
        decode(bytes(data))


def bitmap(rows: list[bytes], bits: int, more: bytes = b"", way: int = 0, turned: bool = False):
    """Write a BMP: `more` are its masks or colours, `way` its compression."""
    body = b"".join(row + b"\0" * (-len(row) % 4) if way in (0, 3) else row for row in rows)
    height = -H if turned else H
    header = struct.pack("<IiiHHIIiiII", 40, W, height, 1, bits, way, len(body), 0, 0, 0, 0)
    start = 54 + len(more)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + header + more + body


def runs(rows: np.ndarray, four: bool) -> list[bytes]:
    """Write each row as runs of one or two values, and the end of the picture."""
    step = 2 if four else 1
    coded = [
        b"".join(
            bytes([step, int(row[x]) << 4 | int(row[x + 1]) if four else int(row[x])])
            for x in range(0, W, step)
        ) + b"\0\0"
        for row in rows
    ]  # fmt: skip
    return [*coded, b"\0\1"]


FIVE = RGB.astype("<u2") >> 3
SIX = RGB[..., 1].astype("<u2") >> 2
GREYS = b"".join(bytes([each] * 3 + [0]) for each in range(256))
SIXTEEN = b"".join(bytes([each * 17] * 3 + [0]) for each in range(16))
FOUR = GREY // 16
BGR = RGB[..., ::-1]
BITMAPS = {
    "1 bit": (bitmap([np.packbits(row > 100).tobytes() for row in GREY[::-1]], 1,
                     b"\0\0\0\0\xff\xff\xff\0"), (GREY > 100) * 255, 0),
    "1 bit, white first": (bitmap([np.packbits(row <= 100).tobytes() for row in GREY[::-1]], 1,
                                  b"\xff\xff\xff\0\0\0\0\0"), (GREY > 100) * 255, 0),
    "4 bits": (bitmap([(row[::2] << 4 | row[1::2]).astype("u1").tobytes() for row in FOUR[::-1]],
                      4, SIXTEEN), FOUR * 17, 0),
    "8 bits": (bitmap([row.tobytes() for row in GREY[::-1]], 8, GREYS), GREY, 0),
    "16 bits": (bitmap([row.tobytes() for row in
                        (FIVE[..., 0] << 10 | FIVE[..., 1] << 5 | FIVE[..., 2])[::-1]], 16),
                np.rint(FIVE * 255 / 31), 1),
    "16 bits, masks": (bitmap([row.tobytes() for row in
                               (FIVE[..., 0] << 11 | SIX << 5 | FIVE[..., 2])[::-1]], 16,
                              struct.pack("<III", 0xF800, 0x7E0, 0x1F), 3),
                       np.rint(np.stack([FIVE[..., 0] / 31, SIX / 63, FIVE[..., 2] / 31], -1)
                               * 255), 1),
    "24 bits": (bitmap([row.tobytes() for row in BGR[::-1]], 24), RGB, 0),
    "24 bits, top first": (bitmap([row.tobytes() for row in BGR], 24, turned=True), RGB, 0),
    "32 bits": (bitmap([row.tobytes() for row in np.dstack([BGR, GREY])[::-1]], 32), RGB, 0),
    "runs of 8 bits": (bitmap(runs(GREY[::-1], False), 8, GREYS, 1), GREY, 0),
    "runs of 4 bits": (bitmap(runs(FOUR[::-1], True), 4, SIXTEEN, 2), FOUR * 17, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", BITMAPS)
def test_bitmaps(name):
    data, expected, tolerance = BITMAPS[name]
    assert away(data, np.asarray(expected)) <= tolerance
