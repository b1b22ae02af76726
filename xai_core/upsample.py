"""A coarse map drawn at the size of the view: bilinear, bicubic or nearest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
WAYS = ("linear", "cubic", "nearest")


def resize(values: Array, size: tuple[int, int], how: str) -> Array:
    """Resize float32 `[h, w]` to `size`; `how` is linear, cubic (a = -0.5) or nearest.

    Half-pixel centres, and at the borders the weights that fall outside are left out: the same as
    OpenCV's linear and TensorFlow's bicubic when a map grows.
    """
    from PIL import Image

    filters = {
        "linear": Image.Resampling.BILINEAR,
        "cubic": Image.Resampling.BICUBIC,
        "nearest": Image.Resampling.NEAREST,
    }
    source = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(source.resize((size[1], size[0]), filters[how]), np.float32)
