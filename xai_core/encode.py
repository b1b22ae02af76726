"""A film into files: WebP pictures for the player, and animated WebP, GIF and WebM to take away."""

from __future__ import annotations

import io
import tempfile
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


def webp(picture: Pixels) -> bytes:
    """Encode uint8 `[h, w, 3]` as WebP."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "WEBP", quality=QUALITY, method=2)
    return out.getvalue()


def webp_frames(film: Film) -> list[bytes]:
    """Return each frame of a film as WebP, and its still after them."""
    return [webp(frame.picture) for frame in (*film.frames, film.still)]


def animated(film: Film, kind: Kind) -> bytes:
    """Return a film as one file. Raises ParamError for another kind, or a build that lacks one."""
    if kind not in KINDS:
        raise ParamError(f"A film's kind must be one of {', '.join(KINDS)}, got {kind!r}")
    pictures = [frame.picture for frame in film.frames]
    if kind == "webm":
        return _webm(pictures, film.seconds)
    return _pillow(pictures, film.seconds, kind)


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
