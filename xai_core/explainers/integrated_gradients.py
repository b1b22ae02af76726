"""Integrated gradients: the gradients on the way from a baseline to the photo, summed up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import gradient_map, gradients
from xai_core.card import Cost
from xai_core.engines import xplique_gradients
from xai_core.explainer import Engine, Progress, Raw, Sized, explainer
from xai_core.gradient_map import GradientMap
from xai_core.model import Differentiates
from xai_core.params import FILLS, batch, choice, number, switch
from xai_core.perturb import baseline
from xai_core.report.numbers import amount, percent
from xai_core.target import Target
from xai_core.task import Shape

Array = NDArray[np.float32]
Nodes = NDArray[np.float64]

_BASELINES = ("value", "mean", "blur", "black", "grey", "white")
LARGE = 0.05
"""A gap of more than this share of the score's change is a doubt."""
LITTLE = 0.02
"""A score that changes by less than this share of its own size has hardly a way to explain."""
DOUBLINGS, MOST = 4, 1000
"""How often steps are doubled for the gap's sake, and the most steps of all."""


def _ours(
    method: IntegratedGradients,
    model: Differentiates,
    image: Array,
    target: Target,
    progress: Progress,
) -> Raw:
    start = method.start(image)
    ends = target.of_views(model, np.stack([start, image]))
    rounds = method.rounds()
    done, total = 2, 2 + sum(rounds)
    progress(done, total)
    tried: dict[int, float] = {}
    for steps in rounds:
        parts, arrays = _summed(method, model, image, target, steps, progress, (done, total))
        done += steps
        tried[steps] = _missed(parts, ends)
        if not method.stop_at_gap or _close(tried[steps], method.largest_gap / 100, ends):
            break
    made = method.raw(model, image, target, ends, parts, arrays)
    if not method.stop_at_gap:
        return made
    if done < total:
        progress(total, total, made.attribution)
    return dataclasses.replace(
        made,
        scalars={**made.scalars, "steps": steps},
        notes=(*made.notes[:-1], _doubled(tried, method.largest_gap / 100, ends), made.notes[-1]),
        passes=done,
    )


def _summed(
    method: IntegratedGradients,
    model: Differentiates,
    image: Array,
    target: Target,
    steps: int,
    progress: Progress,
    passed: tuple[int, int],
) -> tuple[NDArray[np.float64], dict[str, NDArray[Any]]]:
    """Return the pixels' parts `[h, w, 3]` by so many steps, and the arrays of the way.

    `passed` are the passes made before, and all that there may be.
    """
    start, (before, passes) = method.start(image), passed
    way = image - start
    nodes, weights = method.path(steps)
    total, slopes, done = np.zeros(image.shape), np.empty(steps, np.float32), 0

    def views(first: int, last: int) -> Array:
        return start + nodes[first:last, None, None, None].astype(np.float32) * way

    def so_far() -> Array:
        return method.joined(total * way / weights[:done].sum())

    for part, found in gradients.stream(
        model, views, steps, target, progress, chunk=method.batch, partial=so_far,
        before=before, after=passes - before - steps,
    ):  # fmt: skip
        total += np.tensordot(weights[part], found, 1)
        slopes[part] = np.einsum("nhwc,hwc->n", found, way, dtype=np.float64)
        done = part.stop
    return total * way, {"nodes": nodes.astype(np.float32), "slopes": slopes}


def _xplique(
    method: IntegratedGradients, model: Any, image: Array, target: Target, progress: Progress
) -> Raw:
    passes = method.steps + 2
    ends = target.of_views(model, np.stack([method.start(image), image]))
    progress(2, passes)
    found = xplique_gradients.attributed(
        "IntegratedGradients",
        model,
        image,
        target,
        steps=method.steps,
        baseline_value=method.value,
        batch_size=method.batch,
    )
    progress(passes, passes)
    return method.raw(model, image, target, ends, found, {})


@explainer
class IntegratedGradients(GradientMap):
    """What each pixel adds to the score on the straight way from a baseline to the photo.

    The photo is mixed with a baseline in even steps; at each one the gradient of the score is
    taken; their mean, times the pixel's difference from the baseline, is the pixel's part, added
    over its colours (Sundararajan et al. 2017, eq. 1). All parts add up to the score of the photo
    less the score of the baseline, up to a gap that more steps make smaller.
    """

    title: ClassVar[str] = "Integrated gradients"
    place: ClassVar[int] = 10
    shows: ClassVar[str] = "What each pixel adds to the score on the way from a baseline."
    reference: ClassVar[str] = "arXiv:1703.01365"
    signed: ClassVar[bool] = True
    arrays: ClassVar[Mapping[str, Shape]] = MappingProxyType(
        {
            "nodes": Shape("<f4", ("",), most=MOST, optional=True),
            "slopes": Shape("<f4", ("",), most=MOST, optional=True),
        }
    )
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        xplique_gradients.engine(_xplique),
    )

    steps: int = number(
        50,
        2,
        MOST,
        unit="steps",
        help="Mixtures of baseline and photo at which the gradient is taken. More steps take "
        "longer and make the gap smaller.",
        source="Xplique IntegratedGradients.steps",
    )
    value: float = number(
        0.0,
        0.0,
        1.0,
        step=0.05,
        help="The grey of the baseline: 0 is black, 1 white. Pixels of that grey get nothing, "
        "whatever they do.",
        source="Xplique IntegratedGradients.baseline_value",
        label="Baseline",
    )
    baseline: str = choice(
        "value",
        _BASELINES,
        help=f"What the way begins at: {', '.join(FILLS[name] for name in _BASELINES[:-1])} or "
        f"{FILLS[_BASELINES[-1]]}. What the photo shares with it gets nothing.",
        engines=("ours",),
        more=True,
        label="Kind of baseline",
    )
    nodes: str = choice(
        "midpoint",
        ("midpoint", "gauss-legendre", "trapezoid"),
        help="Where on the way the gradients are taken: evenly, in the middle of each step; at the "
        "nodes of Gauss and Legendre, better where the gradient is smooth; or evenly with both "
        "ends, as Xplique does.",
        engines=("ours",),
        more=True,
        titles={
            "midpoint": "even, in the middle of each step",
            "gauss-legendre": "Gauss-Legendre",
            "trapezoid": "even, with both ends",
        },
    )
    stop_at_gap: bool = switch(
        False,
        help="Take twice as many steps, and again, until the gap is as small as is wanted: four "
        f"times, and up to {MOST:,} steps. The note tells how many were taken.",
        engines=("ours",),
        more=True,
        label="Double the steps until the gap is small",
    )
    largest_gap: float = number(
        1.0,
        0.01,
        20.0,
        step=0.01,
        unit="%",
        help="How large the gap may be, as a share of the score's change from baseline to photo, "
        "where the steps are doubled until it is small.",
        engines=("ours",),
        more=True,
        label="Largest gap",
    )
    colours: str = gradient_map.signs()
    batch: int = batch(16, source="Xplique IntegratedGradients.batch_size")

    def start(self, image: Array) -> Array:
        """Return the baseline, float32 `[h, w, 3]`."""
        if self.baseline == "value":
            return np.full_like(image, self.value)
        return baseline(self.baseline, image)

    def rounds(self) -> list[int]:
        """Return the steps that are taken, and those that follow where the gap is too large."""
        made = [self.steps]
        while self.stop_at_gap and made[-1] < MOST and len(made) <= DOUBLINGS:
            made.append(min(2 * made[-1], MOST))
        return made

    def path(self, steps: int = 0) -> tuple[Nodes, Nodes]:
        """Return where on the way (0 to 1) gradients are taken, and their weights of sum 1."""
        count = steps or self.steps
        match self.nodes:
            case "gauss-legendre":
                found, shares = np.polynomial.legendre.leggauss(count)
                return (found + 1) / 2, shares / 2
            case "trapezoid":
                weights = np.full(count, 1 / (count - 1))
                weights[[0, -1]] /= 2
                # in single precision, as Xplique's are: a ReLU may bend between two roundings
                at = np.arange(count, dtype=np.float32) * np.float32(1 / (count - 1))
                return np.minimum(at, 1).astype(np.float64), weights
        return (np.arange(count) + 0.5) / count, np.full(count, 1 / count)

    def joined(self, parts: NDArray[Any]) -> Array:
        """Return the map of parts `[h, w, 3]`."""
        return gradient_map.signed(parts, self.colours)

    def raw(
        self,
        model: Differentiates,
        image: Array,
        target: Target,
        ends: Array,
        parts: NDArray[Any],
        arrays: Mapping[str, NDArray[Any]],
    ) -> Raw:
        """Return the result of parts `[h, w, 3]`; `ends` are the baseline's score and the photo's.

        The gap is what the parts add up to less what the score changes by.
        """
        before, after = (float(score) for score in ends)
        total = float(np.asarray(parts, np.float64).sum())
        change = after - before
        gap = total - change
        said = gradient_map.notes(model, image, target, after, parts)
        return Raw(
            attribution=self.joined(parts),
            signed=self.colours == "sum",
            scalars={
                "score": after,
                "baseline_score": before,
                "sum": total,
                "gap": gap,
                "gap_share": abs(gap) / max(abs(change), 1e-12),
            },
            arrays=arrays,
            notes=(*said, _gap(total, before, after, target.number)),
        )

    def cost(self, model: Sized) -> Cost:
        """One pass there and back for each step, and one forward for each end of the way.

        Fewer than all rounds, where the gap is small before the last one.
        """
        rounds = self.rounds() if self.engine == "ours" else [self.steps]
        steps = sum(rounds)
        return Cost(forward=steps + 2, backward=steps, at_most=len(rounds) > 1)


def _missed(parts: NDArray[Any], ends: Array) -> float:
    """Return the gap, as a share of the score's change from baseline to photo."""
    before, after = (float(score) for score in ends)
    gap = float(np.asarray(parts, np.float64).sum()) - (after - before)
    return abs(gap) / max(abs(after - before), 1e-12)


def _flat(before: float, after: float) -> bool:
    """Say that a score hardly changes on the way."""
    return abs(after - before) <= LITTLE * max(abs(before), abs(after))


def _close(gap: float, largest: float, ends: Array) -> bool:
    """Say that more steps are not wanted: the gap is small, or a share of next to nothing."""
    return gap <= largest or _flat(*(float(score) for score in ends))


def _share(part: float) -> str:
    """Return a share in percent, with the digits that a small one needs."""
    return f"{part * 100:.3g}\u00a0%"


def _doubled(tried: Mapping[int, float], largest: float, ends: Array) -> str:
    """Say how many steps were taken in each round, and the gap that each left."""
    first, *more = (f"{steps:,} steps the gap is {_share(gap)}" for steps, gap in tried.items())
    told = ", ".join([f"By {first}", *(f"by {each}" for each in more)])
    steps, gap = [*tried.items()][-1]
    if gap <= largest:
        return f"{told}: {steps:,} are enough for the {_share(largest)} that was asked for."
    if _close(gap, largest, ends):
        return f"{told}: more were not tried, as the score hardly changes."
    return f"{told}: the {_share(largest)} that was asked for is not reached by the most steps."


def _gap(total: float, before: float, after: float, number: str) -> str:
    change = after - before
    told = (
        f"The pixels' parts add up to {amount(total)}, and the {number} goes from {amount(before)} "
        f"for the baseline to {amount(after)} for the photo, which is {amount(change)}"
    )
    gap = abs(total - change)
    if _flat(before, after):
        return (
            f"{told}: it is nearly the same for baseline and photo, so that there is little to "
            "share out, and parts for and against cancel. Take another baseline."
        )
    share = percent(gap / abs(change))
    if gap > LARGE * abs(change):
        return (
            f"{told}: a gap of {share} is left, so the steps are too few for this way. Take more "
            "steps."
        )
    return f"{told}: the gap is {share}."
