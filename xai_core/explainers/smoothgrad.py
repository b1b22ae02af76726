"""SmoothGrad: the gradient, averaged over noisy copies of the photo."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import gradient_map, gradients
from xai_core.card import Cost
from xai_core.engines import xplique_gradients
from xai_core.explainer import Engine, Progress, Raw, Sized, explainer
from xai_core.gradient_map import GradientMap
from xai_core.model import Differentiates
from xai_core.params import batch, choice, number, seed
from xai_core.target import Target

Array = NDArray[np.float32]


def _ours(
    method: SmoothGrad, model: Differentiates, image: Array, target: Target, progress: Progress
) -> Raw:
    score = float(target.of_views(model, image[None])[0])
    progress(1, method.samples + 1)
    rng, deviation = np.random.default_rng(method.seed), np.float32(method.deviation(image))
    total, done = np.zeros(image.shape), 0

    def views(first: int, last: int) -> Array:
        return image + deviation * rng.standard_normal((last - first, *image.shape), np.float32)

    def so_far() -> Array:
        return gradient_map.sized(total / done, method.colours)

    for part, found in gradients.stream(
        model,
        views,
        method.samples,
        target,
        progress,
        chunk=method.batch,
        partial=so_far,
        before=1,
    ):
        total += (found if method.average == "mean" else np.square(found)).sum(0, np.float64)
        done = part.stop
    return method.raw(model, image, target, score, total / done)


def _xplique(
    method: SmoothGrad, model: Any, image: Array, target: Target, progress: Progress
) -> Raw:
    passes = method.samples + 1
    score = float(target.of_views(model, image[None])[0])
    progress(1, passes)
    found = xplique_gradients.attributed(
        "SmoothGrad" if method.average == "mean" else "SquareGrad",
        model,
        image,
        target,
        nb_samples=method.samples,
        noise=method.deviation(image),
        seed=method.seed,
    )
    progress(passes, passes)
    return method.raw(model, image, target, score, found)


@explainer
class SmoothGrad(GradientMap):
    """How far a change of each pixel moves the score, steadied over noisy copies of the photo.

    The gradient is averaged over copies with normal noise, and its size is shown (Smilkov et al.
    2017, section 3.1); or the mean of its square (Hooker et al. 2019), which keeps what
    changes its sign from copy to copy. The map is that of photos near this one.
    """

    title: ClassVar[str] = "SmoothGrad"
    place: ClassVar[int] = 30
    shows: ClassVar[str] = "Saliency, averaged over noisy copies of the photo."
    reference: ClassVar[str] = "arXiv:1706.03825"
    signed: ClassVar[bool] = False
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        xplique_gradients.engine(_xplique),
    )

    samples: int = number(
        50,
        2,
        1000,
        unit="copies",
        help="Noisy copies that are averaged. More are steadier and take longer.",
        source="Xplique SmoothGrad.nb_samples",
    )
    noise: float = number(
        0.15,
        0.01,
        0.5,
        step=0.01,
        help="The noise's deviation, as a share of the range from the photo's darkest value to its "
        "brightest. More noise smooths more, and asks of photos further away.",
        source="Xplique SmoothGrad.noise",
    )
    average: str = choice(
        "mean",
        ("mean", "square"),
        help="What is averaged: the gradient, whose sign may cancel, or its square.",
        label="Average of",
        titles={"mean": "the gradient", "square": "its square"},
        source="Xplique SmoothGrad, SquareGrad",
    )
    colours: str = gradient_map.sizes()
    batch: int = batch(16, engines=("ours",), source="Xplique SmoothGrad.batch_size")
    seed: int = seed("noise")

    def deviation(self, image: Array) -> float:
        """Return the noise's deviation in the view's values."""
        return self.noise * (float(np.ptp(image)) or 1.0)

    def raw(
        self,
        model: Differentiates,
        image: Array,
        target: Target,
        score: float,
        found: NDArray[Any],
    ) -> Raw:
        """Return the result of what was averaged, `[h, w, 3]`."""
        return Raw(
            attribution=gradient_map.sized(found, self.colours),
            scalars={"score": score},
            notes=gradient_map.notes(model, image, target, score, found),
        )

    def cost(self, model: Sized) -> Cost:
        """One pass there and back for each copy, and one for the photo's own score."""
        return Cost(forward=self.samples + 1, backward=self.samples)
