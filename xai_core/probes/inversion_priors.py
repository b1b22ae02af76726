"""What keeps a picture that is made by gradients like a photo: total variation, and the norm.

Both are Mahendran and Vedaldi's (2015, arXiv:1412.0035, section 3), as means over the pixels, so
that a weight means the same at any size. Pictures are views, `[h, w, 3]` in 0..1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FLAT = 1e-8
"""Added to a squared slope, whose root has no gradient where the picture is flat."""


def variation(picture: Floats, beta: float) -> tuple[float, Floats]:
    """Return the total variation and its gradient, `[h, w, 3]`.

    The sum over colours of `(right - here)^2 + (below - here)^2`, each to the power of `beta / 2`,
    divided by the number of pixels (eq. 4); there is no step over the far edges.
    """
    across, down = np.zeros_like(picture), np.zeros_like(picture)
    across[:, :-1] = picture[:, 1:] - picture[:, :-1]
    down[:-1] = picture[1:] - picture[:-1]
    squared = across**2 + down**2
    pixels = picture.shape[0] * picture.shape[1]
    value = float((squared ** (beta / 2)).sum()) / pixels
    if beta == 2:
        pull = np.full_like(picture, 2 / pixels)
    else:
        pull = beta / pixels * (squared + FLAT) ** (beta / 2 - 1)
    across, down = pull * across, pull * down
    slope = -across - down
    slope[:, 1:] += across[:, :-1]
    slope[1:] += down[:-1]
    return value, slope


def norm(picture: Floats, alpha: float) -> tuple[float, Floats]:
    """Return the norm of the picture about grey, and its gradient, `[h, w, 3]`.

    The sum over colours of `|2 picture - 1|` to the power of `alpha`, divided by the number of
    pixels (the paper's first prior, on colours from -1 to 1).
    """
    about = 2 * picture - 1
    pixels = picture.shape[0] * picture.shape[1]
    size = np.abs(about)
    value = float((size**alpha).sum()) / pixels
    return value, 2 * alpha / pixels * np.sign(about) * size ** (alpha - 1)
