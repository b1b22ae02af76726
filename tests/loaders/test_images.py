"""Photos of every format, depth and colour space against one known picture."""

import io
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

from loaders import images
from loaders.images import decode
from xai_core.errors import ImageError

H, W = 24, 40
ROWS, COLUMNS = np.mgrid[0:H, 0:W]
# smooth, so that lossy formats keep it, and different in each channel and each corner
RGB = np.stack([COLUMNS * 6, ROWS * 10, 200 - COLUMNS * 2 - ROWS * 3], -1).astype(np.uint8)
GREY = (COLUMNS * 4 + ROWS * 3).astype(np.uint8)


def saved(image: Image.Image, kind: str, **settings) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def rgb() -> Image.Image:
    return Image.fromarray(RGB)


def grey() -> Image.Image:
    return Image.fromarray(GREY)


def away(data: bytes, expected: np.ndarray) -> int:
    pixels = decode(data).pixels
    assert pixels.dtype == np.uint8
    if expected.ndim == 2:
        expected = np.stack([expected] * 3, -1)
    assert pixels.shape == expected.shape
    return int(np.abs(pixels.astype(int) - expected.astype(int)).max())


# -- files that Pillow does not write ------------------------------------------------------------


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(rows: list[bytes], width: int, depth: int, colour: int, *extra: bytes) -> bytes:
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            *extra,
            chunk(b"IDAT", body),
            chunk(b"IEND", b""),
        )
    )


def tiff(pixels: np.ndarray, photometric: int) -> bytes:
    """Write an uncompressed little-endian TIFF of one strip."""
    height, width, count = pixels.shape
    bits = pixels.dtype.itemsize * 8
    body = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    extra = 8 + len(body)
    entries = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, count, extra if count > 2 else bits),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, 8),
        (277, 3, 1, count),
        (278, 3, 1, height),
        (279, 4, 1, len(body)),
    ]
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    ifd = struct.pack("<H", len(entries)) + table + b"\0\0\0\0"
    many = struct.pack(f"<{count}H", *[bits] * count) if count > 2 else b""
    return struct.pack("<2sHI", b"II", 42, extra + len(many)) + body + many + ifd


def profile(red: tuple, green: tuple, blue: tuple) -> bytes:
    """Write an ICC matrix profile with the gamma of 2.2 and these primaries (XYZ, D50)."""

    def xyz(values: tuple) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", 8) + b"swapped\0" + b"\0" * 78
    text += b"\0" * (-len(text) % 4)
    white = (0.9642, 1.0, 0.8249)
    tags = {
        b"desc": text,
        b"wtpt": xyz(white),
        b"rXYZ": xyz(red),
        b"gXYZ": xyz(green),
        b"bXYZ": xyz(blue),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", offset + len(body), len(value))
        body += value
    header = struct.pack(
        ">I4sI4s4s4s12s4s4sIII8sI3i4s44s",
        offset + len(body), b"\0" * 4, 0x02100000, b"mntr", b"RGB ", b"XYZ ", b"\0" * 12,
        b"acsp", b"\0" * 4, 0, 0, 0, b"\0" * 8, 0, *(round(v * 65536) for v in white),
        b"\0" * 4, b"\0" * 44,
    )  # fmt: skip
    return header + table + body


# sRGB's own primaries, adapted to D50
RED, GREEN, BLUE = (0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)


def palette() -> Image.Image:
    return grey().convert("P")


def seen_through() -> Image.Image:
    """Return the picture with its left half transparent."""
    image = rgb()
    alpha = np.where(COLUMNS < W // 2, 0, 255).astype(np.uint8)
    image.putalpha(Image.fromarray(alpha))
    return image


ON_WHITE = np.where(COLUMNS[..., None] < W // 2, 255, RGB).astype(np.uint8)


def corpus() -> dict[str, tuple[bytes, np.ndarray, int]]:
    """Every kind of file: its bytes, its picture, and how far it may be away."""
    sixteen = GREY.astype(np.uint16) * 257 + 100  # no multiple: a value that wraps would show
    colour16 = RGB.astype(np.uint16) * 257
    big = colour16.astype(">u2")
    la = grey().copy()
    la.putalpha(Image.fromarray(np.where(COLUMNS < 20, 0, 255).astype(np.uint8)))
    bits = (GREY > 100).astype(np.uint8) * 255
    lab = ImageCms.profileToProfile(
        rgb(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    four = (COLUMNS // 3).astype(np.uint8)  # 0..13
    nibbles = [bytes((row[::2] << 4 | row[1::2]).tolist()) for row in four]
    keyed = np.where(four == 4, 255, four * 17)
    rgb16_rows = [row.tobytes() for row in big]
    key16 = chunk(b"tRNS", struct.pack(">3H", *(int(v) for v in colour16[3, 5])))
    hole = RGB.copy()
    hole[3, 5] = 255
    grey_hole = np.where(GREY[2, 2] == GREY, 255, GREY)
    grey_key = chunk(b"tRNS", struct.pack(">H", int(sixteen[2, 2])))
    quarter = Image.fromarray(np.where(COLUMNS < 20, 0, GREY).astype(np.uint8)).convert("P")
    rows16 = [row.astype(">u2").tobytes() for row in sixteen]
    frames = [Image.fromarray(np.full((H, W), 9, np.uint8))]
    return {
        "png rgb": (saved(rgb(), "PNG"), RGB, 0),
        "png grey": (saved(grey(), "PNG"), GREY, 0),
        "png 1 bit": (saved(Image.fromarray(bits).convert("1"), "PNG"), bits, 0),
        "png palette": (saved(palette(), "PNG"), GREY, 0),
        "png palette 4 bits": (saved(palette().quantize(16), "PNG", bits=4), GREY, 24),
        "png palette transparent": (
            saved(quarter, "PNG", transparency=0),
            np.where(np.asarray(quarter.convert("L")) == 0, 255, GREY),
            0,
        ),
        "png rgba": (saved(seen_through(), "PNG"), ON_WHITE, 0),
        "png grey alpha": (saved(la, "PNG"), np.where(COLUMNS < 20, 255, GREY), 0),
        "png grey 16": (saved(Image.fromarray(sixteen), "PNG"), GREY, 0),
        "png rgb 16": (png(rgb16_rows, W, 16, 2), RGB, 1),
        "png rgb 16 key": (png(rgb16_rows, W, 16, 2, key16), hole, 1),
        "png grey 16 key": (png(rows16, W, 16, 0, grey_key), grey_hole, 0),
        "png grey 4 key": (png(nibbles, W, 4, 0, chunk(b"tRNS", b"\0\4")), keyed, 0),
        "png animated": (
            saved(rgb(), "PNG", save_all=True, append_images=[Image.new("RGB", (W, H))]), RGB, 0,
        ),
        "jpeg": (saved(rgb(), "JPEG", quality=95, subsampling=0), RGB, 6),
        "jpeg progressive": (
            saved(rgb(), "JPEG", quality=95, subsampling=0, progressive=True), RGB, 6,
        ),
        "jpeg grey": (saved(grey(), "JPEG", quality=95), GREY, 4),
        "jpeg cmyk": (saved(rgb().convert("CMYK"), "JPEG", quality=98, subsampling=0), RGB, 8),
        "webp lossless": (saved(rgb(), "WEBP", lossless=True), RGB, 0),
        "webp lossy": (saved(rgb(), "WEBP", quality=98), RGB, 16),
        "webp rgba": (saved(seen_through(), "WEBP", lossless=True), ON_WHITE, 0),
        "bmp": (saved(rgb(), "BMP"), RGB, 0),
        "bmp grey": (saved(grey(), "BMP"), GREY, 0),
        "bmp palette": (saved(palette(), "BMP"), GREY, 0),
        "bmp 1 bit": (saved(Image.fromarray(bits).convert("1"), "BMP"), bits, 0),
        "gif": (saved(palette(), "GIF"), GREY, 0),
        "gif grey": (saved(grey(), "GIF"), GREY, 0),
        "gif transparent": (
            saved(quarter, "GIF", transparency=0),
            np.where(np.asarray(quarter.convert("L")) == 0, 255, GREY),
            0,
        ),
        "gif animated": (saved(grey(), "GIF", save_all=True, append_images=frames), GREY, 0),
        "tiff": (saved(rgb(), "TIFF"), RGB, 0),
        "tiff lzw": (saved(rgb(), "TIFF", compression="tiff_lzw"), RGB, 0),
        "tiff deflate": (saved(rgb(), "TIFF", compression="tiff_adobe_deflate"), RGB, 0),
        "tiff jpeg": (saved(rgb(), "TIFF", compression="jpeg", quality=95), RGB, 24),
        "tiff fax": (
            saved(Image.fromarray(bits).convert("1"), "TIFF", compression="group4"), bits, 0,
        ),
        "tiff pages": (
            saved(rgb(), "TIFF", save_all=True, append_images=[Image.new("RGB", (W, H))]), RGB, 0,
        ),
        "tiff big": (saved(rgb(), "TIFF", big_tiff=True), RGB, 0),
        "tiff rgba": (saved(seen_through(), "TIFF"), ON_WHITE, 0),
        "tiff cmyk": (saved(rgb().convert("CMYK"), "TIFF"), RGB, 2),
        "tiff ycbcr": (saved(rgb().convert("YCbCr"), "TIFF"), RGB, 3),
        "tiff lab": (saved(lab, "TIFF"), RGB, 30),
        "tiff grey 16": (saved(Image.fromarray(sixteen), "TIFF"), GREY, 0),
        "tiff rgb 16": (tiff(colour16, 2), RGB, 1),
        "tiff int 32": (saved(Image.fromarray(GREY.astype(np.int32)), "TIFF"), GREY, 0),
        "tiff float 0..1": (saved(Image.fromarray(GREY / np.float32(255)), "TIFF"), GREY, 0),
        "tiff float 0..255": (saved(Image.fromarray(GREY.astype(np.float32)), "TIFF"), GREY, 0),
        "tiff float signed": (
            saved(Image.fromarray(GREY / np.float32(100) - 1), "TIFF"),
            np.rint(GREY * (255 / GREY.max())),
            1,
        ),
    }  # fmt: skip


CORPUS = corpus()


@pytest.mark.parametrize("name", CORPUS)
def test_corpus(name):
    data, expected, tolerance = CORPUS[name]
    assert away(data, expected) <= tolerance
    assert decode(data).format == name.split()[0].upper()


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("png rgba", "on white"),
        ("png palette transparent", "on white"),
        ("jpeg cmyk", "CMYK"),
        ("tiff lab", "Lab"),
        ("tiff float 0..1", "0..1 to 0..255"),
        ("tiff float signed", "-1..1.25 to 0..255"),
        ("gif animated", "first frame"),
        ("png animated", "first frame"),
        ("tiff pages", "first page"),
    ],
)
def test_a_change_is_a_note(name, word):
    assert word in " ".join(decode(CORPUS[name][0]).notes)


@pytest.mark.parametrize("name", ["png rgb", "jpeg", "webp lossy", "bmp", "gif", "tiff"])
def test_plain_photos_have_no_notes(name):
    assert decode(CORPUS[name][0]).notes == ()


def test_an_opaque_alpha_channel_is_no_news():
    image = rgb()
    image.putalpha(255)
    assert decode(saved(image, "PNG")).notes == ()


@pytest.mark.parametrize(("kind", "settings"), [
    ("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True, "exact": True}),
])  # fmt: skip
def test_a_photo_that_is_transparent_everywhere_shows_its_colours(kind, settings):
    image = rgb()
    image.putalpha(0)
    data = saved(image, kind, **settings)
    assert away(data, RGB) == 0
    note = "The photo is transparent everywhere; the colours under it are shown."
    assert decode(data).notes == (note,)


def test_a_palette_that_is_transparent_everywhere_shows_its_colours():
    data = saved(palette(), "PNG", transparency=bytes(256))
    assert away(data, GREY) == 0
    assert "transparent everywhere" in decode(data).notes[0]


XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:Description tiff:Orientation=\"6\"/></x:xmpmeta>"


@pytest.mark.parametrize(("kind", "settings"), [
    ("JPEG", {"xmp": XMP, "quality": 95, "subsampling": 0}),
    ("WEBP", {"xmp": XMP, "lossless": True}),
    ("TIFF", {"tiffinfo": {700: XMP}}),
])  # fmt: skip
def test_a_turn_is_said_to_be_xmps_where_exif_has_none(kind, settings):
    image = Image.fromarray(np.ascontiguousarray(STORED[6]))
    data = saved(image, kind, **settings)
    assert away(data, RGB) <= 6
    assert decode(data).notes == ("The photo was turned upright, as its XMP data say.",)


def test_half_transparent_is_half_white():
    image = Image.new("RGBA", (16, 16), (100, 0, 200, 128))
    assert np.abs(decode(saved(image, "PNG")).pixels[0, 0] - [177, 127, 227.0]).max() <= 1


def test_a_dark_16_bit_tiff_says_so():
    image = Image.fromarray(GREY.astype(np.uint16) * 16)
    assert (
        decode(saved(image, "TIFF"))
        .notes[0]
        .startswith(f"The photo is dark: its brightest value is {int(GREY.max()) * 16} of 65535.")
    )


# the stored picture of each orientation, made by numpy from the upright one (Exif 2.32, 4.6.4 A)
STORED = {
    1: RGB,
    2: RGB[:, ::-1],
    3: RGB[::-1, ::-1],
    4: RGB[::-1],
    5: RGB.transpose(1, 0, 2),
    6: RGB.transpose(1, 0, 2)[::-1],
    7: RGB.transpose(1, 0, 2)[::-1, ::-1],
    8: RGB.transpose(1, 0, 2)[:, ::-1],
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation(orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    settings = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}
    image = Image.fromarray(np.ascontiguousarray(STORED[orientation]))
    data = saved(image, kind, exif=exif, **settings.get(kind, {}))
    assert away(data, RGB) <= (6 if kind == "JPEG" else 0)
    assert ("upright" in " ".join(decode(data).notes)) == (orientation != 1)


def test_damaged_exif_is_a_note():
    data = saved(rgb(), "JPEG", quality=95, subsampling=0, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    assert away(data, RGB) <= 6


@pytest.mark.parametrize("alpha", [False, True])
def test_a_colour_profile_is_applied(alpha):
    # with red's and blue's primaries swapped, the stored picture's channels are swapped too
    image = Image.fromarray(np.ascontiguousarray(RGB[..., ::-1]))
    expected = RGB
    if alpha:
        image.putalpha(seen_through().getchannel("A"))
        expected = ON_WHITE
    data = saved(image, "PNG", icc_profile=profile(BLUE, GREEN, RED))
    # gamma 2.2 and sRGB's curve differ by a few levels in the dark
    assert away(data, expected) <= 8
    assert "colour profile" in decode(data).notes[0]


def test_an_srgb_profile_changes_nothing():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved(rgb(), "PNG", icc_profile=srgb)
    assert away(data, RGB) == 0
    assert decode(data).notes == ()


@pytest.mark.parametrize("broken", [b"no profile", profile(RED, GREEN, BLUE)[:200]])
def test_a_broken_profile_is_ignored_with_a_note(broken):
    data = saved(rgb(), "PNG", icc_profile=broken)
    assert away(data, RGB) == 0
    assert "ignored" in decode(data).notes[0]


def test_a_profile_of_another_colour_space_is_ignored():
    data = saved(grey(), "PNG", icc_profile=profile(RED, GREEN, BLUE))
    assert away(data, GREY) == 0
    assert "ignored" in decode(data).notes[0]


# -- limits --------------------------------------------------------------------------------------


def flat_png(width: int, height: int) -> bytes:
    return png([bytes([90]) * width] * height, width, 8, 0)


def test_a_bomb_is_refused_by_its_header(monkeypatch):
    data = flat_png(9000, 9000)
    assert len(data) < 200_000
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(ImageError, match=r"9000 x 9000 px, 81 megapixels; at most 64"):
        decode(data)


def test_a_header_may_lie_about_2_to_the_31():
    data = bytearray(flat_png(16, 16))
    data[16:24] = struct.pack(">II", 2**31 - 1, 2**31 - 1)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    with pytest.raises(ImageError, match="megapixels"):
        decode(bytes(data))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_large_photo_is_reduced(kind):
    columns = np.linspace(0, 255, 6000).astype(np.uint8)
    image = Image.fromarray(np.tile(columns, (300, 1)))
    photo = decode(saved(image, kind))
    assert photo.pixels.shape == (205, 4096, 3)
    assert photo.notes == ("The photo was reduced from 6000 x 300 to 4096 x 205 px.",)
    expected = np.linspace(0, 255, 4096)
    assert np.abs(photo.pixels[100, :, 0] - expected).max() < 4


def test_a_large_photo_is_reduced_before_it_is_turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = decode(saved(Image.new("L", (8192, 400), 77), "JPEG", exif=exif))
    assert photo.pixels.shape == (4096, 200, 3)


MEASURE = """
import sys
from loaders.images import decode
decode(open(sys.argv[1], "rb").read())
# not ru_maxrss, which a child inherits from the process that started it
print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_the_largest_photo_keeps_its_memory_budget(tmp_path):
    file = tmp_path / "large.png"
    row = bytes((10, 20, 30, 128)) * 8000
    packer, parts = zlib.compressobj(1), []
    parts.extend(packer.compress(b"\0" + row) for _ in range(8000))
    body = b"".join(parts) + packer.flush()
    header = struct.pack(">IIBBBBB", 8000, 8000, 8, 6, 0, 0, 0)
    file.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )
    root = Path(images.__file__).parents[1]
    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", MEASURE, str(file)], cwd=root, capture_output=True, check=True
    )
    assert int(done.stdout) < 2**20  # KiB


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((1, 1), "1 x 1 px; it must be at least 8 px"),
        ((5000, 1), "5000 x 1 px; it must be at least 8 px"),
        ((7, 100), "at least 8 px"),
        ((5000, 20), "5000 x 20 px; its longer side must be at most 100 times"),
    ],
)
def test_too_thin(size, words):
    with pytest.raises(ImageError, match=words):
        decode(saved(Image.new("RGB", size), "PNG"))


def test_the_smallest_photo():
    assert decode(saved(Image.new("RGB", (8, 8)), "PNG")).pixels.shape == (8, 8, 3)


def test_too_many_bytes():
    with pytest.raises(ImageError, match=r"65 MiB; at most 64"):
        decode(CORPUS["png rgb"][0] + bytes(65 * 2**20))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_numbers(bad):
    values = GREY.astype(np.float32)
    values[3, 3] = bad
    with pytest.raises(ImageError, match="not numbers"):
        decode(saved(Image.fromarray(values), "TIFF"))


@pytest.mark.parametrize("name", [name for name in CORPUS if "fax" not in name])
def test_half_a_file_is_refused(name):
    data = CORPUS[name][0]
    cut = len(data) // 2
    if "animated" in name or "pages" in name:
        cut = len(data) // 4
    with pytest.raises(ImageError, match=r"cut short|damaged"):
        decode(data[:cut])


def test_damage_is_decoded_or_refused_in_a_sentence():
    rng = np.random.default_rng(5)
    sentences, count = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, (data, *_) in CORPUS.items():
            for turn in range(40):
                damaged = bytearray(data[: rng.integers(1, len(data))] if turn % 2 else data)
                for _ in range(turn // 4):
                    # the head is where the structure is
                    end = min(len(damaged), 200) if turn % 3 else len(damaged)
                    damaged[rng.integers(0, end)] ^= 1 << rng.integers(0, 8)
                count += 1
                try:
                    pixels = decode(bytes(damaged)).pixels
                except ImageError as error:
                    sentences.append(str(error))
                else:
                    assert pixels.dtype == np.uint8, name
                    assert pixels.shape[2] == 3, name
    assert count > 1500
    assert len(sentences) > count // 4
    assert [text for text in sentences if not text.endswith(".") or "Error" in text] == []
