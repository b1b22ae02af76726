"""Bytes of a photo into pixels, whatever their format, depth and colour space say.

Pillow decodes; what it does silently (16 bits clipped to white, transparency dropped, EXIF turns
and colour profiles ignored) is done here openly, and each change is a note.
"""

from __future__ import annotations

import dataclasses
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import TiffImageFile

from loaders import fax, levels, tiffs
from loaders.image_kinds import Format, photo_format
from loaders.preprocessing import refuse_tiny
from xai_core.errors import ImageError

MAX_BYTES = 64 * 2**20
MAX_PIXELS = 64_000_000
"""Decoding the largest photo that this allows takes less than 1 GiB."""

MAX_SIDE = 4096
"""Larger photos are reduced to this longer side, in pixels: no network sees more."""

MAX_RATIO = 100
MAX_PROFILE = 8 * 2**20

# what turns the stored picture upright, by the EXIF tag 0x0112 (Exif 2.32, 4.6.4 A)
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclasses.dataclass(frozen=True)
class Photo:
    """A decoded photo, upright and in sRGB: `pixels` are uint8 `[H, W, 3]`.

    `notes` are sentences on what was changed on the way.
    """

    pixels: NDArray[np.uint8]
    format: str
    notes: tuple[str, ...] = ()


def decode(data: bytes) -> Photo:
    """Decode a PNG, JPEG, WebP, BMP, GIF (first frame) or TIFF (first page) by its content.

    At most 64 MiB and 64 megapixels; more than 4096 px on the longer side are reduced. Raises
    ImageError, in a sentence that names the thing and the way out.
    """
    if len(data) > MAX_BYTES:
        raise ImageError(
            f"The photo's file has {len(data) / 2**20:.0f} MiB; at most {MAX_BYTES // 2**20} are "
            "read. Save it smaller, or as JPEG."
        )
    kind = photo_format(data)
    notes: list[str] = []
    with _readable(kind):
        _check_bitmap(data, kind)
        if kind == "TIFF":
            image: Image.Image = tiffs.opened(data, notes)
        else:
            image = Image.open(io.BytesIO(data), formats=(kind,))
        _check_size(*image.size)
        pixels = np.array(_decoded(image, data, kind, notes), np.uint8)
    return Photo(pixels, kind, tuple(notes))


@contextmanager
def _readable(kind: Format) -> Iterator[None]:
    """Turn whatever Pillow raises into an ImageError, and keep its warnings to ourselves."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(
            f"The {kind} photo needs more memory than there is to decode. Save it smaller."
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(
            f"The {kind} photo has more than {MAX_PIXELS // 1_000_000} megapixels. Save it smaller."
        ) from None
    # A damaged file makes Pillow's plugins raise nearly anything: OSError, SyntaxError, EOFError,
    # TypeError, ValueError, struct.error, zlib.error, NotImplementedError, KeyError were seen.
    except Exception as error:
        cut = "truncated" in str(error).lower() or isinstance(error, EOFError)
        what = "is cut short" if cut else "is damaged, or of a rare kind that cannot be read"
        raise ImageError(
            f"The {kind} photo {what}: upload it again, or open it and save it as a new PNG."
        ) from None


def _check_bitmap(data: bytes, kind: Format) -> None:
    """Refuse a BMP of negative width, which Pillow reads as one of two thousand millions."""
    if kind == "BMP" and data[14] != 12 and data[21:22] >= b"\x80":
        width = int.from_bytes(data[18:22], "little", signed=True)
        raise ImageError(
            f"The BMP photo says that it is {width} px wide, which cannot be: it is damaged. Open "
            "it and save it as a new PNG."
        )


def _check_size(width: int, height: int) -> None:
    refuse_tiny(height, width)
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"The photo is {width} x {height} px, {width * height / 1e6:.0f} megapixels; at most "
            f"{MAX_PIXELS // 1_000_000} are read. Save it smaller: {MAX_SIDE} px on its longer "
            "side are enough."
        )
    if max(width, height) > MAX_RATIO * min(width, height):
        raise ImageError(
            f"The photo is {width} x {height} px; its longer side must be at most {MAX_RATIO} "
            "times the other. Cut out the part that matters."
        )


def _decoded(image: Image.Image, data: bytes, kind: Format, notes: list[str]) -> Image.Image:
    """Return the picture in mode RGB, upright, and say in `notes` what was done to it."""
    stored = image.size
    profile = image.info.get("icc_profile")
    if kind == "JPEG" and max(stored) > MAX_SIDE:
        # the decoder itself skips to 1/2, 1/4 or 1/8 of the size, never below what is asked
        ratio = MAX_SIDE / max(stored)
        image.draft(image.mode, (int(stored[0] * ratio), int(stored[1] * ratio)))
    if kind == "TIFF":
        # Pillow turns these itself as it loads them, and no others
        orientation, turned_by = _orientation(image, notes)
        image.load()
    else:
        image.load()  # a PNG may hold its EXIF data after its pixels
        orientation, turned_by = _orientation(image, notes)
    if isinstance(image, TiffImageFile) and tiffs.fax(image) and orientation == 1:
        notes.extend(fax.damage(image, data))
    picture = _eight_bits(image, data, kind, notes)
    _say_dark(image, picture, data, kind, notes)
    if max(picture.size) > MAX_SIDE:
        picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    if picture.size != stored and max(stored) > MAX_SIDE:
        notes.append(
            f"The photo was reduced from {stored[0]} x {stored[1]} to "
            f"{picture.size[0]} x {picture.size[1]} px."
        )
    alpha = picture.getchannel("A") if picture.mode in ("LA", "RGBA") else None
    picture = _srgb(picture, profile, notes)
    least, most = (255, 255) if alpha is None else cast(tuple[int, int], alpha.getextrema())
    if most == 0:
        notes.append("The photo is transparent everywhere; the colours under it are shown.")
    elif alpha is not None and least < 255:
        white = Image.new("RGB", picture.size, (255, 255, 255))
        picture = Image.composite(picture, white, alpha)
        notes.append("The transparent parts of the photo are shown on white.")
    if orientation in _UPRIGHT:
        picture = picture if kind == "TIFF" else picture.transpose(_UPRIGHT[orientation])
        notes.append(f"The photo was turned upright, as its {turned_by} say.")
    if _has_more(image):
        notes.append(f"Only the first {'page' if kind == 'TIFF' else 'frame'} is used.")
    return picture


def _orientation(image: Image.Image, notes: list[str]) -> tuple[int, str]:
    """Return the orientation, 1 where there is none that can be read, and what says so.

    Pillow takes it from XMP data where the EXIF data have none.
    """
    try:
        turn = int(image.getexif().get(0x0112, 1))
        return turn, "EXIF data" if _is_in_exif(image) else "XMP data"
    except Exception:  # any, as above: the pixels are good, only the tags are not
        notes.append("The photo's EXIF data are damaged, so it is shown as it is stored.")
        return 1, ""


def _is_in_exif(image: Image.Image) -> bool:
    if isinstance(image, TiffImageFile):
        return 0x0112 in image.tag_v2
    held = image.info.get("exif")
    if not isinstance(held, bytes):
        return "Raw profile type exif" in image.info
    own = Image.Exif()
    own.load(held)
    return 0x0112 in own


def _has_more(image: Image.Image) -> bool:
    try:
        image.seek(1)
    except Exception:  # EOFError where there is one frame only; any other for a damaged second
        return False
    return True


def _eight_bits(image: Image.Image, data: bytes, kind: Format, notes: list[str]) -> Image.Image:
    """Return the picture in mode L, LA, RGB, RGBA, CMYK or LAB, transparency as a channel."""
    mode = image.mode
    if levels.is_deep(image):
        return levels.to_bytes(image, notes)
    key = image.info.get("transparency")
    if kind == "PNG" and key is not None and mode in ("1", "L", "RGB"):
        # Pillow keeps the key in the file's depth (byte 24 of a PNG), the pixels in 8 bits
        top = 2 ** data[24] - 1
        steps = [round(level * 255 / top) for level in (key if mode == "RGB" else (key,))]
        if data[24] == 16:
            steps = [level >> 8 for level in key]  # as its unpacker takes the high byte
        return _keyed(image.convert("RGB"), tuple(steps * (3 // len(steps))))
    if mode in ("P", "PA") or key is not None:
        return image.convert("RGB" if key is None and mode == "P" else "RGBA")
    if mode in ("RGBa", "La"):
        return image.convert("RGBA" if mode == "RGBa" else "LA")
    if mode in ("L", "LA", "RGB", "RGBA", "CMYK", "LAB"):
        return image
    return image.convert("L" if mode == "1" else "RGB")


def _say_dark(
    image: Image.Image, picture: Image.Image, data: bytes, kind: Format, notes: list[str]
) -> None:
    """Say where colours of 16 bits are nearly black: they may hold fewer."""
    deep = (kind == "PNG" and data[24] == 16) or (kind == "TIFF" and tiffs.bits(image) == 16)
    if not deep or picture.mode not in ("RGB", "RGBA"):
        return
    high = max(cast(tuple[int, int], picture.getchannel(band).getextrema())[1] for band in "RGB")
    if high < 16:
        notes.append(
            f"The photo is dark: its brightest value is about {high * 257} of 65535. If it holds "
            "fewer bits than 16, stretch its values and save it again."
        )


def _keyed(image: Image.Image, key: tuple[int, ...]) -> Image.Image:
    """Make the pixels of one colour transparent."""
    alpha = (np.asarray(image) != np.array(key)).any(-1)
    image.putalpha(Image.fromarray(np.where(alpha, 255, 0).astype(np.uint8)))
    return image


def _srgb(image: Image.Image, profile: object, notes: list[str]) -> Image.Image:
    """Return the picture in mode RGB, through its colour profile where there is a usable one."""
    plain = image.convert({"RGBA": "RGB", "LA": "L"}.get(image.mode, image.mode))
    if plain.mode == "LAB":
        notes.append("The photo's Lab colours were turned into RGB.")
        return _through(plain, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if isinstance(profile, bytes) and profile:
        try:
            if len(profile) > MAX_PROFILE:
                raise ValueError("too long")
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" not in ImageCms.getProfileDescription(source).lower():
                picture = _through(plain, source)
                notes.append("The photo's colours were turned into sRGB by its colour profile.")
                return picture
        except Exception:  # lcms and its binding raise OSError, PyCMSError, ValueError, TypeError
            notes.append("The photo's colour profile cannot be used and was ignored.")
    if plain.mode == "CMYK":
        notes.append("The photo's print colours (CMYK) were turned into RGB.")
    return plain.convert("RGB")


def _through(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    picture = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    if picture is None:
        raise ValueError("no picture")
    return picture
