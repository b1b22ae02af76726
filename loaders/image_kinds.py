"""What a photo's first bytes say it is: one of six formats, or something named and refused."""

from __future__ import annotations

from typing import Literal

from xai_core.errors import ImageError

Format = Literal["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"]

READABLE = "PNG, JPEG, WebP, BMP, GIF or TIFF"
AS_PHOTO = "save it as JPEG or PNG and upload that."
AS_MODEL = "it looks like a model, so upload it as the model, and a photo here."

# signature, what it is, the way out; tried in order
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF", "a PDF document", "save its page as PNG and upload that."),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", AS_MODEL),
    (b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46", "a PyTorch file", AS_MODEL),
    (b"\x93NUMPY", "a NumPy array", AS_PHOTO),
    (b"\x1f\x8b", "a gzip archive", "unpack it and upload the photo."),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it and upload the photo."),
    (b"Rar!", "a RAR archive", "unpack it and upload the photo."),
    (b"8BPS", "a Photoshop file", AS_PHOTO),
    (b"%!PS", "a PostScript file", AS_PHOTO),
    (b"\xc5\xd0\xd3\xc6", "a PostScript file", AS_PHOTO),
    (b"\xff\x0a", "a JPEG XL photo", AS_PHOTO),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL photo", AS_PHOTO),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 photo", AS_PHOTO),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 photo", AS_PHOTO),
    (b"\x00\x00\x01\x00", "an icon (ICO)", AS_PHOTO),
    (b"FUJIFILMCCD-RAW", "a camera's raw photo", AS_PHOTO),
    (b"\x1a\x45\xdf\xa3", "a video (WebM or Matroska)", "save one frame as PNG and upload that."),
    (b"\x00\x00\x01\xba", "a video (MPEG)", "save one frame as PNG and upload that."),
    (b"\x00\x00\x01\xb3", "a video (MPEG)", "save one frame as PNG and upload that."),
    (b"FLV\x01", "a video (Flash)", "save one frame as PNG and upload that."),
    (b"ID3", "a sound (MP3)", "upload a photo."),
    (b"OggS", "a sound or a video (Ogg)", "upload a photo."),
    (b"SIMPLE  =", "a FITS file", AS_PHOTO),
    (b"\x7fELF", "a program", "upload a photo."),
)

# brands of the ISO container (ISO/IEC 14496-12) that hold stills
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF = {b"avif", b"avis"}
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}


def photo_format(data: bytes) -> Format:
    """Return which of the six formats `data` is, by its content. Raises ImageError."""
    if not data:
        raise ImageError("The photo is an empty file (0 bytes): upload it again.")
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        if data[8:10] == b"CR":
            raise _refusal("a camera's raw photo (CR2)", AS_PHOTO)
        return "TIFF"
    raise _refusal(*_other(data))


def _refusal(what: str, way_out: str) -> ImageError:
    return ImageError(f"This is {what}, not a {READABLE} photo: {way_out}")


def _other(data: bytes) -> tuple[str, str]:
    """Name what is none of the six, and the way out."""
    for signature, what, way_out in _OTHERS:
        if data.startswith(signature):
            return what, way_out
    if data[4:8] == b"ftyp":
        return _iso(data)
    if data[:4] == b"RIFF":
        return (
            ("a video (AVI)", "save one frame as PNG and upload that.")
            if data[8:12] == b"AVI "
            else ("a sound (WAVE)", "upload a photo.")
        )
    if data[:2] == b"PK":
        head = data[:4096]
        if b"data.pkl" in head or b"config.json" in head:
            return "a zip file", AS_MODEL
        return "a zip archive or an office document", "unpack it and upload the photo."
    return _text(data[:4096]) or (
        "a file that begins like no photo we know",
        "save the photo as JPEG or PNG and upload that.",
    )


def _iso(data: bytes) -> tuple[str, str]:
    length = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[start : start + 4] for start in range(16, length, 4))}
    # AVIF files name mif1 too: the narrower brand decides
    if brands & _AVIF:
        return "an AVIF photo", AS_PHOTO
    if brands & _HEIC:
        return "a HEIC photo (as phones take them)", AS_PHOTO
    if b"crx " in brands:
        return "a camera's raw photo (CR3)", AS_PHOTO
    return "a video (MP4 or QuickTime)", "save one frame as PNG and upload that."


def _text(head: bytes) -> tuple[str, str] | None:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = head[: len(head) // 2 * 2].decode("utf-16", "replace")
    else:
        # the cut may fall inside a character: up to three bytes are forgiven
        for cut in range(4):
            try:
                text = head[: len(head) - cut].decode("utf-8")
                break
            except UnicodeDecodeError:
                continue
        else:
            return None
    if any(ord(letter) < 32 and letter not in "\t\n\r\f\x1b" for letter in text):
        return None
    lower = text.lower()
    if "<svg" in lower:
        return "an SVG drawing", "save it as PNG and upload that."
    if "<html" in lower or "<!doctype html" in lower:
        return (
            "a web page (HTML)",
            "the download of the photo may have failed; open it and save it.",
        )
    if lower.startswith("version https://git-lfs"):
        return "a Git LFS pointer", "run 'git lfs pull' and upload the photo itself."
    return "a text file", "upload the photo itself."
