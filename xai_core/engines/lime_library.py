"""The lime library behind our contract. It takes any model: it asks for scores of photos only."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fit:
    """What the library found: weights float64 `[segments]`, 0 for those it left out."""

    weights: NDArray[np.float64]
    intercept: float
    r2: float
    prediction: float


def _quiet(rows: Iterable[Any]) -> Iterable[Any]:
    """Stand in for tqdm, which would draw its bar into the worker's log."""
    return rows


def lime(
    image: Array,
    scores: Callable[[Array], NDArray[np.float64]],
    *,
    labels: NDArray[np.int32],
    hidden: Array | None,
    samples: int,
    features: int,
    kernel_width: float,
    distance: str,
    seed: int,
    batch: int,
) -> Fit:
    """Run `LimeImageExplainer.explain_instance` on one view, float32 `[h, w, 3]`.

    `scores` answers `[b, h, w, 3]` with `[b]`; `hidden` is what hidden pixels show, None their
    superpixel's mean.
    """
    from lime import lime_image

    lime_image.tqdm = _quiet
    # repeatable only by the constructor's random_state: random_seed is the segmentation's alone
    explainer = lime_image.LimeImageExplainer(kernel_width=kernel_width, random_state=seed)
    made = explainer.explain_instance(
        image,
        lambda views: scores(np.asarray(views))[:, None],
        labels=(0,),
        top_labels=None,  # its default of 5 would overrule the labels
        hide_color=hidden,
        num_features=features or int(labels.max()) + 1,
        num_samples=samples,
        batch_size=batch,
        segmentation_fn=lambda view: labels,
        distance_metric=distance,
    )
    weights = np.zeros(int(labels.max()) + 1)
    for index, weight in made.local_exp[0]:
        weights[index] = weight
    return Fit(
        weights=weights,
        intercept=float(made.intercept[0]),
        r2=float(made.score),
        prediction=float(made.local_pred[0]),
    )
