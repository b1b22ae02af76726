"""What batch normalisations get against what they got in training, as they remember that."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders.keras.layers import tree
from loaders.sanity import Statistics

Array = NDArray[np.float32]


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


def statistics(layers: Iterable[Any], run: Callable[[], Any]) -> list[Statistics]:
    """Return what each batch normalisation gets in a pass, and what it got in training.

    Mean and variance by channel, of the pass and of the training. Empty for a network that keeps no
    statistics, was never trained, or does not run in Python.
    """
    found: list[Statistics] = []
    norms = [layer for layer in layers if type(layer).__name__ == "BatchNormalization"]
    before = [vars(layer).get("call") for layer in norms]

    def watched(layer: Any, call: Any) -> Any:
        def seen(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            if len(inputs.shape) == 4 and hasattr(inputs, "numpy"):
                own = np.asarray(inputs, np.float64)
                mean, variance = (
                    np.asarray(each, np.float64)
                    for each in (layer.moving_mean, layer.moving_variance)
                )
                fresh = bool((variance == 1).all()) and not mean.any()
                fits = own.shape[-1] == len(variance)
                if fits and not fresh and not _begins(own.var((0, 1, 2)), variance):
                    found.append((own.mean((0, 1, 2)), own.var((0, 1, 2)), mean, variance))
            return call(inputs, *args, **kwargs)

        return seen

    try:
        for layer in norms:
            vars(layer)["call"] = watched(layer, layer.call)
        if norms:
            run()
    except Exception:  # a network may not run in Python
        return []
    finally:
        for layer, call in zip(norms, before, strict=True):
            if call is None:
                vars(layer).pop("call", None)
            else:
                vars(layer)["call"] = call
    return found


class Watched:
    """Lets a model's batch normalisations be watched; `_network` is its network."""

    _network: Any

    def first_spread(self, images: Array) -> float | None:
        """Return how wide the first batch normalisation's input is against its training's."""
        return first_spread(*self._parts(images))

    def norm_statistics(self, images: Array) -> list[Statistics]:
        """Return what each batch normalisation gets in a pass, and what it got in training."""
        return statistics(*self._parts(images))

    def _parts(self, images: Array) -> tuple[Iterable[Any], Callable[[], Any]]:
        network = self._network
        return tree(network.model).values(), functools.partial(network.scores, images)
