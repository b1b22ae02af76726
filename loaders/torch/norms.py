"""What batch normalisations get against what they got in training, as they remember that."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders.sanity import Statistics


class _SeenError(Exception):
    """Ends a pass: what was looked for is known, and the rest of the network need not run."""


def first_spread(network: Any, views: Any) -> float | None:
    """Return how wide the first batch normalisation's input is against its training's, or None.

    The median over its channels of the deviation in `views` over that of the training. None for a
    network that keeps no statistics or takes no hooks (TorchScript); nan for one never trained.
    """
    ratios: list[NDArray[np.float64]] = []

    def hook(module: Any, args: tuple[Any, ...]) -> None:
        if not args or getattr(args[0], "ndim", 0) != 4:
            return
        then = module.running_var.double()
        fresh = bool((then == 1).all()) and bool((module.running_mean == 0).all())
        if fresh:
            ratios.append(np.full(1, np.nan))
        elif args[0].shape[1] == len(then):
            own = args[0].var((0, 2, 3), unbiased=False).double()
            ratios.append(((own + 1e-9) / (then + 1e-9)).sqrt().numpy())
        raise _SeenError

    with contextlib.suppress(_SeenError):
        _watched(network, views, hook)
    return float(np.sort(ratios[0])[len(ratios[0]) // 2]) if ratios else None


def statistics(network: Any, views: Any) -> list[Statistics]:
    """Return what each batch normalisation gets in a pass, and what it got in training.

    Mean and variance by channel, of the pass and of the training; those without a training are left
    out. Empty for a network that keeps no statistics or takes no hooks (TorchScript).
    """
    found: list[Statistics] = []

    def hook(module: Any, args: tuple[Any, ...]) -> None:
        if not args or getattr(args[0], "ndim", 0) != 4:
            return
        mean, variance = module.running_mean.double(), module.running_var.double()
        fresh = bool((variance == 1).all()) and bool((mean == 0).all())
        if not fresh and args[0].shape[1] == len(mean):
            own = args[0].double()
            seen = (own.mean((0, 2, 3)), own.var((0, 2, 3), unbiased=False))
            found.append((*(each.numpy() for each in seen), mean.numpy(), variance.numpy()))

    _watched(network, views, hook)
    return found


def _watched(network: Any, views: Any, hook: Callable[[Any, tuple[Any, ...]], None]) -> None:
    """Run a pass in which `hook` sees what each module that keeps statistics gets."""
    import torch

    handles = [
        part.register_forward_pre_hook(hook)
        for part in network.modules()
        if not isinstance(part, torch.jit.ScriptModule)
        and getattr(part, "running_var", None) is not None
    ]
    try:
        if handles:
            with torch.inference_mode():
                network(views)
    finally:
        for handle in handles:
            handle.remove()
