"""A film into files: WebP pictures for the player, and animated WebP, GIF and WebM to take away."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError
from xai_core.film import Film

Pixels = NDArray[np.uint8]
Kind = Literal["webp", "gif", "webm"]
KINDS: tuple[Kind, ...] = ("webp", "gif", "webm")
QUALITY = 82
LAST = 3
"""Times as long as another frame that the last one stays, before an animation begins again."""


def webp(picture: Pixels, *, quality: int = QUALITY, method: int = 2) -> bytes:
    """Encode uint8 `[h, w, 3]` as WebP; `method` from 0 (quick) to 6 (small)."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "WEBP", quality=quality, method=method)
    return out.getvalue()


def webp_size(data: bytes) -> tuple[int, int]:
    """Return height and width of a still that is one key frame, as `webp` writes it.

    They are read off its head (RFC 9649, section 2.5; RFC 6386, section 9.1), and nothing is
    decoded. Raises ValueError for any other file.
    """
    head = data[:4] + data[8:16] + data[23:26] if len(data) >= 30 else b""
    sizes = (int.from_bytes(data[4:8], "little") + 8, int.from_bytes(data[16:20], "little") + 20)
    even = sizes[1] + sizes[1] % 2
    if head != b"RIFFWEBPVP8 \x9d\x01\x2a" or not sizes[0] == even == len(data):
        raise ValueError("a file that is no plain WebP still")
    width, height = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    if not width or not height:
        raise ValueError("a WebP without pixels")
    return height, width


def joined(stills: Sequence[bytes], seconds: float) -> bytes:
    """Return stills of one size as one animated WebP; each is kept as it is, so `parted` undoes it.

    It is as long as its stills together: `animated` makes a shorter file, and decodes anew. Raises
    ValueError for what is no plain still (RFC 9649, section 2.7).
    """
    height, width = {webp_size(still) for still in stills}.pop()
    sides = _three(width - 1) + _three(height - 1)
    each = round(1000 * seconds)
    waits = [each] * (len(stills) - 1) + [LAST * each]
    frames = [
        _chunk(b"ANMF", bytes(6) + sides + _three(wait) + b"\x02" + still[12:])
        for still, wait in zip(stills, waits, strict=True)
    ]
    head = _chunk(b"VP8X", b"\x02" + bytes(3) + sides) + _chunk(b"ANIM", bytes(6))
    return _chunk(b"RIFF", b"WEBP" + head + b"".join(frames))


def parted(data: bytes) -> list[bytes]:
    """Return the stills of what `joined` made, nothing decoded. Raises ValueError for another."""
    stills, at = [], 12
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"ANMF":
            stills.append(_chunk(b"RIFF", b"WEBP" + data[at + 24 : at + 8 + size]))
        at += 8 + size + size % 2
    if data[:4] != b"RIFF" or len({webp_size(still) for still in stills}) != 1:
        raise ValueError("a file that is no film of plain stills")
    return stills


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)


def _three(number: int) -> bytes:
    return number.to_bytes(3, "little")


def animated(film: Film, kind: Kind) -> bytes:
    """Return a film as one file. Raises ParamError for another kind, or a build that lacks one."""
    return moving([frame.picture for frame in film.frames], film.seconds, kind)


def moving(pictures: list[Pixels], seconds: float, kind: Kind) -> bytes:
    """Return pictures of one size as one file. Raises ParamError as `animated` does."""
    if kind not in KINDS:
        raise ParamError(f"A film's kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if kind == "webm":
        return _webm(pictures, seconds)
    return _pillow(pictures, seconds, kind)


def _pillow(pictures: list[Pixels], seconds: float, kind: str) -> bytes:
    from PIL import Image

    images = [Image.fromarray(picture) for picture in pictures]
    each = round(1000 * seconds)
    durations = [each] * (len(images) - 1) + [LAST * each]
    out = io.BytesIO()
    more = {"quality": QUALITY, "method": 2} if kind == "webp" else {"disposal": 1}
    images[0].save(
        out, kind.upper(), save_all=True, append_images=images[1:], duration=durations, loop=0,
        **more,
    )  # fmt: skip
    return out.getvalue()


def _webm(pictures: list[Pixels], seconds: float) -> bytes:
    import cv2

    height, width = (side + side % 2 for side in pictures[0].shape[:2])  # VP8 wants even sides
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.webm"
        code = cv2.VideoWriter.fourcc(*"VP80")
        writer = cv2.VideoWriter(str(path), code, 1 / seconds, (width, height))
        if not writer.isOpened():
            raise ParamError(
                "This build of OpenCV writes no WebM: take the film as WebP or GIF instead"
            )
        try:
            for picture in pictures:
                rows, columns = height - picture.shape[0], width - picture.shape[1]
                even = np.pad(picture, ((0, rows), (0, columns), (0, 0)), mode="edge")
                writer.write(np.ascontiguousarray(even[..., ::-1]))
        finally:
            writer.release()
        return path.read_bytes()
