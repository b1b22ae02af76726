"""What a network does to its photos before its first convolution, told by constant photos.

People put ImageNet's normalisation, or a division by 255, into the network itself. What its first
convolution gets of photos of one colour each tells which, wherever in the code it stands.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from loaders.preprocessing import Preprocessing
from xai_core.model import Finding

if TYPE_CHECKING:
    from loaders.torch.probe import Found

Numbers = tuple[float, ...]


def told(module: Any, found: Found) -> tuple[Numbers, Numbers] | None:
    """Return the means and deviations that the network itself takes off; None where it does not."""
    import torch

    from loaders.torch import wrapped
    from loaders.torch.watch import First

    if found.reading.form == "rows":
        return None
    count = found.channels
    colours = torch.tensor([[0.0] * count, [1.0] * count, [0.25, 0.5, 0.75][:count]])
    seen = []
    batch = found.reading.batch or len(colours)
    photos = colours[:, :, None, None].expand(-1, -1, *found.size).contiguous()
    for part in wrapped.batches(photos, batch):
        first = First(count)
        # the pass is ended on purpose, and a stranger's forward may raise anything
        with contextlib.suppress(Exception), torch.inference_mode(), first:
            module(wrapped.formed(part, found.reading))
        if first.middle is None or len(first.middle) != len(part):
            return None
        seen.append(first.middle)
    black, white, mixed = torch.cat(seen)[: len(colours)]
    slopes = white - black
    if not bool(torch.isfinite(slopes).all()) or float(slopes.abs().min()) < 1e-6:
        return None
    straight = [black + slopes * each for each in (colours[2], colours[2].flip(0))]
    if not any(torch.allclose(mixed, each, rtol=1e-3, atol=1e-3) for each in straight):
        return None  # not one line from black to white
    means, deviations = -black / slopes, 1 / slopes
    if float(means.abs().max()) < 1e-3 and float((deviations - 1).abs().max()) < 1e-3:
        return None
    return tuple(map(float, means)), tuple(map(float, deviations))


def preset(means: Numbers, deviations: Numbers) -> str:
    """Return the preset whose values such a network takes, 'unit' or 'raw', or '' for neither."""

    def lie(values: Numbers, low: float, high: float) -> bool:
        return all(low <= value <= high for value in values)

    if lie(means, 0.05, 0.95) and lie(deviations, 0.001, 1.01):
        return "unit"
    if lie(means, -0.01, 0.01) and lie(deviations, 0.001, 0.02):
        return "unit"
    if (lie(means, 20, 240) or lie(means, -0.1, 0.1)) and lie(deviations, 10, 256):
        return "raw"
    return ""


def finding(means: Numbers, deviations: Numbers, done: Preprocessing) -> Finding:
    """Say what the network does itself, and what it therefore gets."""
    less, by = (", ".join(f"{value:.3g}" for value in each) for each in (means, deviations))
    return Finding(
        "info",
        f"The network prepares photos itself, as what its first convolution gets shows (less "
        f"{less} and divided by {by}), so it is meant for values "
        f"{'from 0 to 1' if done.name == 'unit' else 'from 0 to 255'}. If its photos were prepared "
        "otherwise before, choose the pre-processing (--preprocessing).",
        "preprocessing",
    )
