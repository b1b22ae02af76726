"""The channels of a layer that count most in a weighted sum, kept so that the sum can be shown."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.task import Shape

Array = NDArray[np.float32]

MOST = 12
"""Channels that are kept."""
CELLS = 1 << 18
"""Elements that they may have together; of very large maps fewer channels are kept."""

SHAPES = MappingProxyType(
    {
        "numbers": Shape("<i4", ("",), most=MOST, optional=True),
        "channels": Shape("<f4", ("", "", ""), most=CELLS, optional=True),
        "sum": Shape("<f4", ("", ""), most=1 << 20, optional=True),
    }
)
"""What `strongest` returns, for a method's own declaration of its arrays."""


def strongest(maps: Array, weights: Array) -> dict[str, NDArray[Any]]:
    """Return the parts of a weighted sum of maps `[mh, mw, channels]` that are worth showing.

    Returns
    -------
    dict
        `numbers` int32 `[k]`: the channels with the largest sum of |weight x map|, that first;
        `channels` float32 `[k, mh, mw]`: their maps, not weighted; `sum` float32 `[mh, mw]`: all
        channels, weighted and added, before anything is cut.
    """
    part = np.abs(maps).sum((0, 1), dtype=np.float64) * np.abs(weights)  # [channels]
    keep = min(MOST, CELLS // max(maps[..., 0].size, 1))
    numbers = np.argsort(-part, kind="stable")[:keep]
    return {
        "numbers": numbers.astype(np.int32),
        "channels": np.ascontiguousarray(maps[..., numbers].transpose(2, 0, 1), np.float32),
        "sum": np.asarray(maps @ weights, np.float32),
    }
