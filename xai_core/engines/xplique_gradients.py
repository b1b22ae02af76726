"""Xplique's methods of the gradient behind our contract; see `xplique` for what it asks for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.engines import xplique
from xai_core.explainer import Engine, Raw
from xai_core.target import Target

Array = NDArray[np.float32]


def engine(run: Callable[..., Raw]) -> Engine:
    """Return the engine that a method's `run` makes of the library: it explains classes only."""
    return Engine(name=xplique.NAME, run=run, why_not=xplique.why_not, worker="both", units=False)


def attributed(
    method: str, model: Any, image: Array, target: Target, *, seed: int = 0, **settings: Any
) -> Array:
    """Return what one of the library's classes gives for a view, float32 `[h, w, 3]`.

    `settings` are its constructor's. `seed` is what its noise is drawn from.
    """
    import tensorflow as tf
    from xplique import attributions

    with xplique.native(model, gradients=True) as network, _drawing_anew():
        explainer = getattr(attributions, method)(
            network,
            operator=xplique.operator(model, target),
            reducer=None,
            **{"batch_size": xplique.BATCH, **settings},
        )
        tf.random.set_seed(seed)
        found = explainer.explain(image[None], xplique.one_hot(model, target))
    return np.asarray(found, np.float32).reshape(image.shape)


@contextlib.contextmanager
def _drawing_anew() -> Iterator[None]:
    """Let its noise follow the seed: the graph that draws keeps the seed of its first run."""
    from xplique.attributions.gradient_statistics.gradient_statistic import GradientStatistic

    kept = vars(GradientStatistic)["_perturb_samples"]
    GradientStatistic._perturb_samples = staticmethod(kept.__func__.python_function)
    try:
        yield
    finally:
        GradientStatistic._perturb_samples = kept
