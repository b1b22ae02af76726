"""What the first batch normalisation gets against what it got in training, as it remembers that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


class _SeenError(Exception):
    """Ends a pass: what was looked for is known, and the rest of the network need not run."""


def _begins(own: NDArray[np.float64], then: NDArray[np.float64]) -> bool:
    """Say whether statistics still hold the 1 that they began with, and so tell nothing.

    Keras moves them by a hundredth a step: after few steps each is a part of that 1 and little
    more, alike in all channels, where what was learnt differs from channel to channel.
    """
    left = float(np.median((then - own) / np.maximum(1 - own, 1e-9)))
    if not 0.02 < left <= 1 or np.median(own) > 0.5:
        return False
    off = np.abs(then - ((1 - left) * own + left)) / then
    return bool(np.mean(off < 0.15) >= 0.8)


def first_spread(layers: Iterable[Any], run: Callable[[], Any]) -> float | None:
    """Return how wide the first batch normalisation's input is against its training's, or None.

    The median over its channels of the deviation in a pass over that of the training. `layers` are
    the network's, and `run` sends photos through it in Python. None for a network that keeps no
    statistics, or was never trained.
    """
    ratios: list[NDArray[np.float64]] = []
    norms = [layer for layer in layers if type(layer).__name__ == "BatchNormalization"]
    before = [vars(layer).get("call") for layer in norms]

    def watched(layer: Any, call: Any) -> Any:
        def seen(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            if len(inputs.shape) == 4 and hasattr(inputs, "numpy"):
                own = np.asarray(inputs, np.float64).var((0, 1, 2))
                then = np.asarray(layer.moving_variance, np.float64)
                fresh = bool((then == 1).all()) and not np.any(np.asarray(layer.moving_mean))
                if own.shape == then.shape and not fresh:
                    ratio = np.sqrt((own + 1e-9) / (then + 1e-9))
                    ratios.append(np.ones_like(ratio) if _begins(own, then) else ratio)
                    raise _SeenError
            return call(inputs, *args, **kwargs)

        return seen

    try:
        for layer in norms:
            vars(layer)["call"] = watched(layer, layer.call)
        if norms:
            run()
    except Exception:  # Keras wraps what a layer raises, and a network may not run in Python
        if not ratios:
            return None
    finally:
        for layer, call in zip(norms, before, strict=True):
            if call is None:
                vars(layer).pop("call", None)
            else:
                vars(layer)["call"] = call
    return float(np.sort(ratios[0])[len(ratios[0]) // 2]) if ratios else None
