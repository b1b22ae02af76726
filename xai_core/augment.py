"""A photo changed in a way that should not change what it shows: for comparing its maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Change = Callable[[Pixels], Pixels]

TURN = 15.0
"""Degrees that `turned` turns by, against the clock."""
SHIFT = 0.1
"""The share of its side that `shifted` moves a photo down and to the right."""
BRIGHTER = 1.4
"""What `brighter` multiplies each colour by."""


def flipped(photo: Pixels) -> Pixels:
    """Return a photo uint8 `[h, w, 3]` with left and right exchanged."""
    return np.ascontiguousarray(photo[:, ::-1])


def turned(photo: Pixels) -> Pixels:
    """Return it turned by `TURN` degrees about its middle; the corners are its mean colour."""
    from PIL import Image

    mean = tuple(int(value) for value in photo.reshape(-1, 3).mean(0).round())
    image = Image.fromarray(photo)
    made: Pixels = np.array(image.rotate(TURN, Image.Resampling.BICUBIC, fillcolor=mean))
    return made


def brighter(photo: Pixels) -> Pixels:
    """Return it with each colour multiplied by `BRIGHTER`, at most white."""
    made: Pixels = np.clip(np.rint(photo * BRIGHTER), 0, 255).astype(np.uint8)
    return made


def shifted(photo: Pixels) -> Pixels:
    """Return it moved down and right by a share `SHIFT`; what comes in is its mean colour."""
    down, across = round(photo.shape[0] * SHIFT), round(photo.shape[1] * SHIFT)
    made = np.empty_like(photo)
    made[:] = photo.reshape(-1, 3).mean(0).round().astype(np.uint8)
    made[down:, across:] = photo[: photo.shape[0] - down, : photo.shape[1] - across]
    return made


CHANGES: Mapping[str, Change] = MappingProxyType(
    {"flipped": flipped, "turned": turned, "brighter": brighter, "shifted": shifted}
)
"""What may be done to a photo, by its name."""
