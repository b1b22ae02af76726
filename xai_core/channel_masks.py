"""A layer's channels as masks over the photo, each enlarged when it is due."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xai_core.perturb import Blended

Array = NDArray[np.float32]


class ChannelMasks(Blended):
    """The channels of a layer's map `[mh, mw, channels]`, enlarged to `size` and scaled to 0..1.

    The map's outermost cells lie on the view's edges, as the grad-cam library has them. A channel
    that is the same everywhere hides everything.
    """

    def __init__(self, maps: Array, size: tuple[int, int]) -> None:
        self.size = size
        self._maps = np.ascontiguousarray(maps.transpose(2, 0, 1), np.float32)
        self._down, self._across = (
            _edge_to_edge(cells, pixels) for cells, pixels in zip(maps.shape[:2], size, strict=True)
        )

    def __len__(self) -> int:
        return len(self._maps)

    def write(self, out: Array, start: int) -> None:
        """Write masks `start .. start + len(out)` into `out`, float32 `[b, h, w]`."""
        for row, channel in zip(out, self._maps[start : start + len(out)], strict=True):
            large = self._down @ channel @ self._across.T
            large -= large.min()
            np.divide(large, large.max() + 1e-8, out=row)


def _edge_to_edge(cells: int, pixels: int) -> Array:
    """Return what enlarges a row of `cells` linearly, float32 `[pixels, cells]`, rows of sum 1."""
    at = np.linspace(0, cells - 1, pixels)
    low = np.minimum(at.astype(np.int64), max(cells - 2, 0))
    made = np.zeros((pixels, cells), np.float32)
    rows = np.arange(pixels)
    made[rows, low] = 1 - (at - low)
    if cells > 1:
        made[rows, low + 1] += at - low
    return made
