"""How a picture goes down its gradient: Adam, or the momentum of Mahendran and Vedaldi's paper."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Descent(Protocol):
    """Turns gradients into steps; one for each picture that is made."""

    def step(self, slope: Floats, rate: float) -> Floats:
        """Return what is added to where the gradient `slope` was taken."""


class Adam:
    """Adam (Kingma and Ba 2015, arXiv:1412.6980): each value moves by about `rate` a step."""

    def __init__(self) -> None:
        self._count = 0
        self._mean: Floats | float = 0.0
        self._square: Floats | float = 0.0

    def step(self, slope: Floats, rate: float) -> Floats:
        """Return the step, by the decaying means of the slopes and of their squares."""
        self._count += 1
        self._mean = 0.9 * self._mean + 0.1 * slope
        self._square = 0.999 * self._square + 0.001 * slope**2
        mean = self._mean / (1 - 0.9**self._count)
        square = self._square / (1 - 0.999**self._count)
        return -rate * mean / (np.sqrt(square) + 1e-12)


class Momentum:
    """The paper's: `step = 0.9 step - rate slope` (section 3.2).

    The slope is that of a mean over the pixels; a tenth of their number makes the rate about the
    one that serves Adam.
    """

    def __init__(self) -> None:
        self._last: Floats | float = 0.0

    def step(self, slope: Floats, rate: float) -> Floats:
        """Return the step."""
        made: Floats = 0.9 * self._last - rate * slope.shape[0] * slope.shape[1] / 10 * slope
        self._last = made
        return made


def slowing(rate: float, at: int, steps: int) -> float:
    """Return the rate of a step: half a cosine, from `rate` to nearly nothing."""
    return rate * (1 + math.cos(math.pi * at / steps)) / 2


def moments(steps: int, count: int) -> list[int]:
    """Return `count` of the steps 0 to `steps` or fewer, both ends in, closer where more happens.

    Most changes in the first steps: the places go with the square.
    """
    places = np.linspace(0, 1, max(count, 2)) ** 2 * steps
    return sorted({int(place) for place in np.rint(places)})
