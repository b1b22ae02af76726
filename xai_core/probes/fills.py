"""What stands where a part of a view is hidden, whatever the shape of that part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xai_core.perturb import baseline

Array = NDArray[np.float32]
Hidden = NDArray[np.bool_]

INPAINTED = "inpainted"
"""The one fill that depends on the part that is hidden: its edge is continued into it."""

FILLS = ("mean", "grey", "black", "blur", "noise", INPAINTED)
RADIUS = 3
"""Pixels round a hidden one from which it is continued."""


def cover(image: Array, fill: str, *, seed: int = 0) -> Array:
    """Return what any hidden pixel of a view would show, float32 `[h, w, 3]`.

    For the fill that depends on the part it is the mean colour: it stands where nothing is left to
    be continued. Raises ParamError for an unknown fill.
    """
    return baseline("mean" if fill == INPAINTED else fill, image, seed=seed)


def filled(image: Array, hidden: Hidden, fill: str, *, seed: int = 0) -> Array:
    """Return a view float32 `[h, w, 3]` in 0..1 with the pixels in `hidden` bool `[h, w]` hidden.

    All others stay as they are. Raises ParamError for an unknown fill.
    """
    return covered(image, hidden, fill, cover(image, fill, seed=seed))


def covered(image: Array, hidden: Hidden, fill: str, shown: Array) -> Array:
    """Return the same, where what `cover` gives is known."""
    if fill == INPAINTED and hidden.any() and not hidden.all():
        shown = _continued(image, hidden)
    return np.where(hidden[..., None], shown, image).astype(np.float32)


def _continued(image: Array, hidden: Hidden) -> Array:
    """Continue the edge of the hidden part into it (Telea 2004, as OpenCV has it)."""
    import cv2

    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    made = cv2.inpaint(pixels, hidden.astype(np.uint8), RADIUS, cv2.INPAINT_TELEA)
    return np.asarray(made, np.float32) / np.float32(255)
