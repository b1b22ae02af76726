"""What is dropped in a photo's place is named, with the way out."""

import pytest

from loaders.images import decode
from xai_core.errors import ImageError

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
OTHERS = {
    "empty": (b"", "empty file"),
    "heic": (HEIC, "HEIC photo .* save it as JPEG"),
    "heic by a compatible brand": (b"\0\0\0\x18ftypmsf1\0\0\0\0msf1heic", "HEIC"),
    "avif": (b"\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf", "AVIF photo"),
    "avif that says mif1 first": (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF photo"),
    "mp4": (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1", "video"),
    "webm": (b"\x1a\x45\xdf\xa3" + bytes(40), "video"),
    "avi": (b"RIFF\0\0\0\0AVI LIST", "video"),
    "svg": (b"<?xml version='1.0'?>\n<svg xmlns='x'/>", "SVG drawing"),
    "html": (b"\n<!DOCTYPE html><html>", "web page"),
    "text": ("Grüße, no photo".encode(), "text file"),
    "text in utf-16": ("no photo".encode("utf-16"), "text file"),
    "text cut in a character": (b"a" * 4095 + "é".encode() * 9, "text file"),
    "pdf": (b"%PDF-1.7\n", "PDF"),
    "zip": (b"PK\x03\x04" + bytes(40), "zip archive"),
    "torch zip": (b"PK\x03\x04" + bytes(26) + b"net/data.pkl", "as the model"),
    "h5": (b"\x89HDF\r\n\x1a\n" + bytes(40), "as the model"),
    "npy": (b"\x93NUMPY\x01\0", "NumPy array"),
    "psd": (b"8BPS\0\1", "Photoshop"),
    "jpeg xl": (b"\xff\x0a\0", "JPEG XL"),
    "jpeg 2000": (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    "raw": (b"II*\0\x10\0\0\0CR\2\0", "raw photo"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\n", "LFS pointer"),
    "noise": (bytes(range(250, 256)) * 9, "begins like no photo"),
    "zeros": (bytes(100), "begins like no photo"),
    "text that begins with BM": (b"BM is a text about bitmaps", "text file"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_photo_is_named(name):
    data, words = OTHERS[name]
    with pytest.raises(ImageError, match=words):
        decode(data)
