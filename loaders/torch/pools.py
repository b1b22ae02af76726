"""A pooling that torch has no layer for: maxima and means side by side, as fastai's heads take."""

from __future__ import annotations

import torch
from torch import nn


class BothPools(nn.Module):
    """Maps `[N, C, h, w]` to `[N, 2 C, 1, 1]`: their maxima, then their means."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return both, the maxima first."""
        return torch.cat([maps.amax((2, 3), True), maps.mean((2, 3), True)], 1)
