"""What the second stage of a detector makes of one region without each of its channels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torchvision.models.detection.faster_rcnn import TwoMLPHead

REGIONS = 64
"""Copies of a region's maps that are judged at once."""


def scores(heads: nn.Module, read: torch.Tensor, label: int) -> torch.Tensor:
    """Return the score of a label of all channels and without each in turn, `[1 + channels]`.

    `read` is what was pooled of a region, `[1, channels, h, w]`. Pooling is linear in the maps, so
    that a channel that is left out of the maps is one of zeros here.
    """
    head = heads.box_head
    parts = _by_parts(head, read) if isinstance(head, TwoMLPHead) else _by_copies(head, read)
    said = [heads.box_predictor(part)[0].softmax(-1)[:, label] for part in parts]
    return torch.cat(said)


def _by_copies(head: Any, read: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield what any head makes of a region, and of copies of it without each channel."""
    yield head(read)
    count = read.shape[1]
    for start in range(0, count, REGIONS):
        stop = min(start + REGIONS, count)
        copies = read.repeat(stop - start, 1, 1, 1)
        copies[range(stop - start), range(start, stop)] = 0
        yield head(copies)


def _by_parts(head: TwoMLPHead, read: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the same of a head whose first layer is a sum over channels: each is taken from it.

    That layer, by far the largest, so runs once instead of once for each channel.
    """
    count, first = read.shape[1], head.fc6
    weights = first.weight.view(first.out_features, count, -1)  # [numbers, channels, h * w]
    shares = torch.einsum("ncp,cp->cn", weights, read.reshape(count, -1))
    whole = shares.sum(0, keepdim=True) + first.bias
    sums = torch.cat([whole, whole - shares])  # [1 + channels, numbers]
    yield torch.relu(head.fc7(torch.relu(sums)))
