"""TIFFs of every storage: a known gradient in it gives the right 8 bits, whatever the packing."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from loaders.images import decode
from tests.fakes.tiffs import tiff
from xai_core.errors import ImageError

H, W = 24, 40
ROWS, COLUMNS = np.mgrid[:H, :W]
GREY = COLUMNS * 4 + ROWS * 3  # 0..225
FULL = COLUMNS * 255 // (W - 1)  # 0..255
RGB = np.stack([COLUMNS * 6, ROWS * 10, 200 - COLUMNS * 2 - ROWS * 3], -1)
INK = np.concatenate([255 - RGB, 0 * RGB[..., :1]], -1)
TABLE = [257 * each for row in (range(256), range(255, -1, -1), [0] * 256) for each in row]
COLOURED = np.stack([GREY, 255 - GREY, 0 * GREY], -1)


def half(values: Any) -> Any:
    return np.rint(values * 255 / 127)


STORAGES: dict[str, tuple[Any, dict[str, Any], Any]] = {
    "1 bit": ((GREY > 100).astype("u1"), {"bits": 1}, (GREY > 100) * 255),
    "1 bit, white 0": ((GREY <= 100).astype("u1"), {"bits": 1, "photometric": 0},
                       (GREY > 100) * 255),
    "2 bits": (np.rint(GREY / 85).astype("u1"), {"bits": 2}, np.rint(GREY / 85) * 85),
    "4 bits": (np.rint(GREY / 17).astype("u1"), {"bits": 4}, np.rint(GREY / 17) * 17),
    "8 bits": (GREY.astype("u1"), {}, GREY),
    "8 bits, white 0": ((255 - GREY).astype("u1"), {"photometric": 0}, GREY),
    "8 bits, signed": ((FULL - 128).astype("i1"), {"form": 2}, FULL),
    "8 bits, signed, above 0": ((GREY // 2).astype("i1"), {"form": 2}, half(GREY // 2)),
    "12 bits": (np.rint(GREY * 4095 / 255).astype("u2"), {"bits": 12}, GREY),
    "16 bits": ((GREY * 257).astype("u2"), {}, GREY),
    "16 bits, white 0": ((65535 - GREY * 257).astype("u2"), {"photometric": 0}, GREY),
    "16 bits that hold 12": (np.rint(GREY * 4095 / 255).astype("u2"),
                             {"more": {281: ("H", [4095])}}, GREY),
    "16 bits that hold 10": (np.rint(GREY * 1023 / 255).astype("u2"),
                             {"more": {281: ("H", [1023])}}, GREY),
    "16 bits, signed": ((COLUMNS * 65535 // (W - 1) - 32768).astype("i2"), {"form": 2}, FULL),
    "16 bits, signed, above 0": (np.rint(GREY * 32767 / 255).astype("i2"), {"form": 2}, GREY),
    "32 bits": ((COLUMNS * (2**32 - 1) // (W - 1)).astype("u4"), {}, FULL),
    "32 bits, signed": ((COLUMNS * (2**32 - 1) // (W - 1) - 2**31).astype("i4"), {"form": 2}, FULL),
    "real": ((GREY / 255).astype("f4"), {"form": 3}, GREY),
    "real, white 0": ((1 - GREY / 255).astype("f4"), {"form": 3, "photometric": 0}, GREY),
    "colours of 8 bits": (RGB.astype("u1"), {"photometric": 2}, RGB),
    "colours of 16 bits": ((RGB * 257).astype("u2"), {"photometric": 2}, RGB),
    "planes of 8 bits": (RGB.astype("u1"), {"photometric": 2, "planes": 2}, RGB),
    "planes of 16 bits": ((RGB * 257).astype("u2"), {"photometric": 2, "planes": 2}, RGB),
    "inks": (INK.astype("u1"), {"photometric": 5}, RGB),
    "inks of 16 bits": ((INK * 257).astype("u2"), {"photometric": 5}, RGB),
    "inks in planes": (INK.astype("u1"), {"photometric": 5, "planes": 2}, RGB),
    "a table": (GREY.astype("u1"), {"photometric": 3, "more": {320: ("H", TABLE)}}, COLOURED),
    "a table of 8 bits": (GREY.astype("u1"), {"photometric": 3, "more":
                          {320: ("H", [each // 257 for each in TABLE])}}, COLOURED),
}  # fmt: skip
PACKINGS: dict[str, dict[str, Any]] = {
    "one strip": {},
    "strips": {"rows": 5},
    "tiles": {"tile": 16},
    "deflated": {"packed": True},
    "deflated tiles": {"packed": True, "tile": 16},
}
UNREAD = {"12 bits", "16 bits, white 0", "32 bits"}
"""What Pillow does not read where the first byte is the high one: refused, not guessed."""


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("storage", STORAGES)
def test_storages(storage: str, packing: str, order: str) -> None:
    values, settings, expected = STORAGES[storage]
    data = tiff(values, order=order, **settings, **PACKINGS[packing])
    if order == ">" and storage in UNREAD:
        with pytest.raises(ImageError, match="rare kind"):
            decode(data)
        return
    pixels = decode(data).pixels
    expected = expected if expected.ndim == 3 else np.stack([expected] * 3, -1)
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= 1


def test_12_bits_in_16() -> None:
    # the tag says 12 and each number has two bytes
    values = np.rint(GREY * 4095 / 255).astype("u2")
    data = tiff(values).replace(
        b"\x02\x01\x03\0\x01\0\0\0\x10\0", b"\x02\x01\x03\0\x01\0\0\0\x0c\0"
    )
    assert np.abs(decode(data).pixels[..., 0].astype(int) - GREY).max() <= 1


@pytest.mark.parametrize(
    ("values", "settings", "words"),
    [
        (np.rint(GREY * 4095 / 255).astype("u2"), {"more": {281: ("H", [4095])}},
         "from 0..4095 to 0..255, as its tags say"),
        ((GREY * 16).astype("u2"), {}, "brightest value is 3600 of 65535"),
        ((GREY * 8).astype("i2"), {"form": 2}, "brightest value is 1800 of 32767"),
        ((RGB * 16).astype("u2"), {"photometric": 2}, "brightest value is about"),
        ((FULL - 128).astype("i1"), {"form": 2}, "from -128..127 to 0..255"),
        ((GREY * 9 - 1000).astype("i2"), {"form": 2}, "from -1000..1025 to 0..255"),
        (STORAGES["a table of 8 bits"][0], STORAGES["a table of 8 bits"][1], "table of colours"),
    ],
)  # fmt: skip
def test_a_guess_is_said(values: Any, settings: dict[str, Any], words: str) -> None:
    assert words in " ".join(decode(tiff(values, **settings)).notes)


def test_colours_for_four_pixels_together_are_refused() -> None:
    data = tiff(RGB.astype("u1"), photometric=6, more={530: ("H", [2, 2])})
    with pytest.raises(ImageError, match="rare kind"):
        decode(data)


# Fax data -----------------------------------------------------------------------------------------

PAGE = (np.add.outer(np.arange(400) // 9, np.arange(600) // 13) % 3 > 0) ^ (
    np.random.default_rng(1).random((400, 600)) > 0.97
)


def faxed(kind: str, rows: int, **tags: int) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(PAGE.astype(np.uint8) * 255).convert("1")
    image.save(file, "TIFF", compression=kind, tiffinfo={278: rows, 262: tags.get("zero", 1)})
    return file.getvalue()


def strips(data: bytes) -> list[tuple[int, int]]:
    tags = Image.open(io.BytesIO(data)).tag_v2  # type: ignore[attr-defined]
    return list(zip(tags[273], tags[279], strict=True))


@pytest.mark.parametrize("zero", [0, 1])
@pytest.mark.parametrize("rows", [400, 64])
@pytest.mark.parametrize("kind", ["group4", "group3", "tiff_ccitt"])
def test_damaged_fax_is_said_and_whole_fax_is_not(kind: str, rows: int, zero: int) -> None:
    data = faxed(kind, rows, zero=zero)
    photo = decode(data)
    assert photo.notes == ()
    np.testing.assert_array_equal(photo.pixels[..., 0] > 0, PAGE)
    start, length = strips(data)[-1]
    rng = np.random.default_rng(2)
    seen = 0
    for _ in range(20):
        broken = bytearray(data)
        broken[start + int(rng.integers(20, length - 20))] ^= 1 << int(rng.integers(8))
        try:
            found = decode(bytes(broken))
        except ImageError:
            seen += 1
            continue
        # a bit may turn one good code into another, which moves a few pixels and nothing more
        same = int((found.pixels != photo.pixels)[..., 0].sum()) <= 100
        said = any("fax data seem to be damaged" in note for note in found.notes)
        assert said or same
        seen += said
    assert seen >= 5


@pytest.mark.parametrize("kind", ["group4", "group3", "tiff_ccitt"])
def test_fax_that_is_cut_short_is_refused(kind: str) -> None:
    data = bytearray(faxed(kind, 400))
    ((_, length),) = strips(bytes(data))
    at = data.find(length.to_bytes(4, "little"))
    assert at > 0
    with pytest.raises(ImageError, match=r"cut short|damaged"):
        decode(bytes(data[:at]) + (length + 100_000).to_bytes(4, "little") + bytes(data[at + 4 :]))
