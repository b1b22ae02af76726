"""What is dropped in a photo's place is named, with the way out."""

import io

import pytest
from PIL import Image

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
    "dds": (b"DDS |\0\0\0", "DDS"),
    "ppm": (b"P6\n2 2\n255\n" + bytes(12), "Netpbm"),
    "text that begins as Netpbm does": (b"P6 is a good camera", "text file"),
    "text that begins as XBM does": (b"#define WIDTH 3\nint x;\n", "text file"),
    "pfm": (b"PF\n2 2\n-1.0\n" + bytes(48), "Netpbm"),
    "qoi": (b"qoif\0\0\0\x08", "QOI"),
    "exr": (b"\x76\x2f\x31\x01\x02\0\0\0", "OpenEXR"),
    "hdr": (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n", "Radiance"),
    "dicom": (bytes(128) + b"DICM\2\0\0\0", "DICOM"),
    "nifti": (b"\x5c\1\0\0" + bytes(340) + b"n+1\0" + bytes(8), "NIfTI"),
    "djvu": (b"AT&TFORM\0\0\0\0DJVU", "DjVu"),
    "ole": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "FlashPix"),
    "emf": (b"\1\0\0\0" + bytes(36) + b" EMF", "EMF"),
    "wmf": (b"\xd7\xcd\xc6\x9a\0\0", "WMF"),
    "jpeg-ls": (b"\xff\xd8\xff\xf7\0\x0b", "JPEG-LS"),
    "fli": (b"\0\x10\0\0\x11\xaf" + bytes(9), "FLI"),
    "flc": (b"\0\x10\0\0\x12\xaf" + bytes(9), "FLC"),
    "sun": (b"\x59\xa6\x6a\x95\0\0", "Sun raster"),
    "xpm": (b"/* XPM */\nstatic char *x[] = {", "XPM"),
    "targa": (bytes([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 0, 24, 0]) + bytes(12), "Targa"),
    "tar": (b"photo.jpg".ljust(257, b"\0") + b"ustar\x0000", "tar archive"),
    "noise": (bytes(range(250, 256)) * 9, "begins like no photo"),
    "zeros": (bytes(100), "begins like no photo"),
    "text that begins with BM": (b"BM is a text about bitmaps", "text file"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_photo_is_named(name):
    data, words = OTHERS[name]
    with pytest.raises(ImageError, match=words):
        decode(data)


READ = {"PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "MPO"}


def test_every_other_format_that_pillow_writes_is_named():
    Image.init()
    seen = []
    for kind in sorted(set(Image.SAVE) - READ):
        file = io.BytesIO()
        for mode in ("RGB", "P", "L", "1", "RGBA", "F"):
            try:
                Image.new(mode, (32, 32)).save(file, kind)
            except Exception:  # any: a mode or a library that this format has not
                file = io.BytesIO()
                continue
            break
        data = file.getvalue()
        if not data or kind in ("PALM", "SPIDER", "BUFR", "GRIB", "HDF5", "WMF", "FITS"):
            continue  # nothing tells the first two; the others are written by no plain Pillow
        with pytest.raises(ImageError) as caught:
            decode(data)
        assert "like no photo" not in str(caught.value), kind
        seen.append(kind)
    assert len(seen) >= 12
