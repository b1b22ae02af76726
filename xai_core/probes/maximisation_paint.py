"""What a picture is made of while it is maximised: its own pixels, or frequencies.

A paint holds values, turns them into a picture `[h, w, 3]` in 0..1, and takes the gradient of the
picture back to its values.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]])
"""How the colours of natural photos go together: the columns are uncorrelated in them.

Measured on ImageNet and published with Olah et al. 2017, "Feature visualization".
"""
_MIX = COLOURS / np.linalg.norm(COLOURS, axis=0).max()


class Paint(Protocol):
    """Values that make a picture."""

    def __init__(self, size: tuple[int, int], rng: np.random.Generator) -> None: ...

    values: Floats

    def picture(self) -> Floats:
        """Return the picture, `[h, w, 3]` in 0..1."""

    def back(self, slope: Floats) -> Floats:
        """Take a slope of the picture last returned back to the values."""

    def move(self, step: Floats) -> None:
        """Add a step to the values."""


class OwnPixels:
    """The picture itself; colours are cut off at 0 and 1."""

    def __init__(self, size: tuple[int, int], rng: np.random.Generator) -> None:
        self.values: Floats = np.clip(0.5 + 0.02 * rng.standard_normal((*size, 3)), 0, 1)

    def picture(self) -> Floats:
        """Return the values."""
        return self.values

    def back(self, slope: Floats) -> Floats:
        """Return the slope."""
        return slope

    def move(self, step: Floats) -> None:
        """Add a step, and cut off."""
        self.values = np.clip(self.values + step, 0, 1)


class Frequencies:
    """The picture's frequencies, each scaled as natural photos have it (Olah et al. 2017).

    A value of one frequency moves all of the picture a little, low ones further than high ones, so
    that a step draws shapes and not grain. Colours are mixed as those of photos go together, and a
    logistic function keeps them in 0..1.
    """

    def __init__(self, size: tuple[int, int], rng: np.random.Generator) -> None:
        self._size = size
        height, width = size
        down = np.fft.fftfreq(height)[:, None]
        across = np.fft.rfftfreq(width)[None]
        frequency = np.maximum(np.hypot(down, across), 1 / max(size))
        self._scale = (np.sqrt(height * width) / 4 / frequency)[..., None]
        # all columns of half a spectrum but the first, and the last of an even width, stand for two
        self._twice = np.full((1, width // 2 + 1, 1), 2.0)
        self._twice[:, 0] = 1
        if width % 2 == 0:
            self._twice[:, -1] = 1
        self.values: Floats = 0.01 * rng.standard_normal((2, height, width // 2 + 1, 3))
        self._shown: Floats = np.zeros((*size, 3))

    def picture(self) -> Floats:
        """Return the picture of the frequencies, whose real and imaginary parts the values are."""
        spectrum = (self.values[0] + 1j * self.values[1]) * self._scale
        waves = np.fft.irfft2(spectrum, self._size, axes=(0, 1)) @ _MIX.T
        self._shown = 0.5 * (1 + np.tanh(0.5 * waves))
        return self._shown

    def back(self, slope: Floats) -> Floats:
        """Return the slope by the values: each step of `picture` transposed, in reverse."""
        waves = (slope * self._shown * (1 - self._shown)) @ _MIX
        spectrum = np.fft.rfft2(waves, axes=(0, 1)) * self._twice * self._scale
        spectrum /= self._size[0] * self._size[1]
        return np.stack([spectrum.real, spectrum.imag])

    def move(self, step: Floats) -> None:
        """Add a step."""
        self.values = self.values + step
