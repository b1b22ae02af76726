"""What a network that came whole takes and gives, told by trying."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xai_core.errors import UnsupportedModel

SIZES = (224, 299, 256, 384, 192, 160, 128, 112, 96, 64, 48, 32, 28)
"""Sides that are tried, in pixels, where nothing says what a network was trained on."""


def channels_of(module: Any) -> int:
    """Return how many channels the first convolution takes; 3 where there is none."""
    for tensor in module.state_dict().values():
        if tensor.ndim == 4:
            return int(tensor.shape[1])
    return 3


def runs_on(module: Any, channels: int, sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the first of `sizes` that the network runs on. Raises UnsupportedModel."""
    import torch

    reason = ""
    for height, width in sizes:
        try:
            with torch.inference_mode():
                output = module(torch.full((2, channels, height, width), 0.1))
        except Exception as error:  # a stranger's forward may raise anything
            reason = reason or _said(error)
            continue
        if isinstance(output, torch.Tensor) and output.ndim == 2 and len(output) == 2:
            return height, width
        shown = list(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise UnsupportedModel(
            f"The network answers with {shown}, not with one row of class scores a photo: it is no "
            "image classifier."
        )
    tried = ", ".join(str(height) for height, _ in sizes[:4])
    raise UnsupportedModel(
        f"The network does not run on photos with {channels} channel{'s' * (channels > 1)} of "
        f"{tried} or more sizes ({reason}). Set the size it was trained at, and export it with a "
        "free batch dimension."
    )


def _said(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    # TorchScript tells where it happened first, and what happened last.
    line = lines[-1] if "TorchScript interpreter" in lines[0] else lines[0]
    return "".join(letter for letter in line if letter.isprintable())[:120]


def classes_of(module: Any, channels: int, size: tuple[int, int]) -> int:
    """Return how many scores the network gives a photo."""
    import torch

    with torch.inference_mode():
        return int(module(torch.zeros((2, channels, *size))).shape[1])
