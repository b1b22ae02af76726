"""What a photo's first bytes say it is: one of six formats, or something named and refused."""

from __future__ import annotations

import re
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
    (b"%!PS", "a PostScript file (EPS)", AS_PHOTO),
    (b"\xc5\xd0\xd3\xc6", "a PostScript file (EPS)", AS_PHOTO),
    (b"DDS ", "a texture (DDS)", AS_PHOTO),
    (b"BLP1", "a texture (BLP)", AS_PHOTO),
    (b"BLP2", "a texture (BLP)", AS_PHOTO),
    (b"FTC\0", "a texture (FTEX)", AS_PHOTO),
    (b"FTU\0", "a texture (FTEX)", AS_PHOTO),
    (b"\xabKTX ", "a texture (KTX)", AS_PHOTO),
    (b"qoif", "a QOI picture", AS_PHOTO),
    (b"FLIF", "a FLIF picture", AS_PHOTO),
    (b"BPG\xfb", "a BPG picture", AS_PHOTO),
    (b"\x01\xda", "a Silicon Graphics picture (SGI)", AS_PHOTO),
    (b"\x59\xa6\x6a\x95", "a Sun raster picture", AS_PHOTO),
    (b"/* XPM */", "an X11 picture (XPM)", AS_PHOTO),
    (b"icns", "a Macintosh icon (ICNS)", AS_PHOTO),
    (b"\x00\x00\x02\x00", "a mouse cursor (CUR) or a Targa picture", AS_PHOTO),
    (b"gimp xcf", "a GIMP file (XCF)", AS_PHOTO),
    (b"DanM", "a Microsoft Paint picture (MSP)", AS_PHOTO),
    (b"LinS", "a Microsoft Paint picture (MSP)", AS_PHOTO),
    (b"\x80\xe8\x00\x00", "a Pixar picture", AS_PHOTO),
    (b"Image type:", "an IFUNC picture (IM)", AS_PHOTO),
    (b"\xd7\xcd\xc6\x9a", "a Windows drawing (WMF)", AS_PHOTO),
    (b"\x76\x2f\x31\x01", "an OpenEXR picture", AS_PHOTO),
    (b"#?RADIANCE", "a Radiance picture (HDR)", AS_PHOTO),
    (b"#?RGBE", "a Radiance picture (HDR)", AS_PHOTO),
    (b"AT&TFORM", "a DjVu document", "save its page as PNG and upload that."),
    (b"\xd0\xcf\x11\xe0", "a FlashPix picture or an old office document", AS_PHOTO),
    (b"\xff\xd8\xff\xf7", "a JPEG-LS picture", AS_PHOTO),
    (b"II\xbc\x01", "a JPEG XR picture", AS_PHOTO),
    (b"\x8aMNG", "an animation (MNG)", "save one frame as PNG and upload that."),
    (b"\x8bJNG", "a JNG picture", AS_PHOTO),
    (b"IIRO", "a camera's raw photo (ORF)", AS_PHOTO),
    (b"IIRS", "a camera's raw photo (ORF)", AS_PHOTO),
    (b"IIU\0", "a camera's raw photo (RW2)", AS_PHOTO),
    (b"FOVb", "a camera's raw photo (X3F)", AS_PHOTO),
    (b"GRIB", "a table of the weather (GRIB)", AS_PHOTO),
    (b"BUFR", "a table of the weather (BUFR)", AS_PHOTO),
    (b"\x0e\x03\x13\x01", "an HDF4 file", AS_PHOTO),
    (b"II\x1a\x00\x00\x00HEAPCCDR", "a camera's raw photo (CRW)", AS_PHOTO),
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

# where a signature stands further in
_INSIDE: tuple[tuple[int, bytes, str, str], ...] = (
    (128, b"DICM", "a medical picture (DICOM)", AS_PHOTO),
    (344, b"n+1\0", "a medical volume (NIfTI)", "save one slice as PNG and upload that."),
    (344, b"ni1\0", "a medical volume (NIfTI)", "save one slice as PNG and upload that."),
    (40, b" EMF", "a Windows drawing (EMF)", AS_PHOTO),
    (4, b"\x11\xaf", "an animation (FLI)", "save one frame as PNG and upload that."),
    (4, b"\x12\xaf", "an animation (FLC)", "save one frame as PNG and upload that."),
    (20, b"GIMP", "a GIMP brush (GBR)", AS_PHOTO),
    (2048, b"PCD_", "a Photo CD picture (PCD)", AS_PHOTO),
    (257, b"ustar", "a tar archive", "unpack it and upload the photo."),
)
_NETPBM = re.compile(rb"P([1-6]\s{1,9}[#\d]|7\s{1,9}(WIDTH|#|332)|[Ff]\s{1,9}\d)")
_XBM = re.compile(rb"#define\s{1,9}\w{1,80}_width\s")

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
    if data.startswith(b"\xff\xd8\xff") and data[3:4] != b"\xf7":
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
    for place, signature, what, way_out in _INSIDE:
        if data[place : place + len(signature)] == signature:
            return what, way_out
    if _NETPBM.match(data):
        return "a Netpbm picture (PBM, PGM, PPM, PAM or PFM)", AS_PHOTO
    if _XBM.match(data):
        return "an X11 picture (XBM)", AS_PHOTO
    if len(data) > 3 and data[:1] == b"\n" and data[1:2] in b"\0\2\3\4\5" and data[2:3] in b"\0\1":
        return "a PC Paintbrush picture (PCX)", AS_PHOTO
    if data[:4] == b"\xb1\x68\xde\x3a":
        return "a PC Paintbrush document (DCX)", AS_PHOTO
    if data[-18:-2] == b"TRUEVISION-XFILE" or _is_targa(data):
        return "a Targa picture (TGA)", AS_PHOTO
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


def _is_targa(data: bytes) -> bool:
    """Tell a Targa by its header, which has no signature: a size, a depth and kinds that fit."""
    if len(data) < 18:
        return False
    table, kind, depth = data[1], data[2], data[16]
    wide, high = (int.from_bytes(data[at : at + 2], "little") for at in (12, 14))
    fits = kind in ((1, 9) if table == 1 else (2, 3, 10, 11)) and table < 2
    whole = kind > 8 or len(data) >= 18 + wide * high * depth // 8
    return fits and depth in (8, 15, 16, 24, 32) and wide > 0 < high and whole


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
