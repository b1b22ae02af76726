"""LIME: hide superpixels at random and fit a straight line to what the model then says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import halves, superpixels
from xai_core.card import Cost
from xai_core.engines import lime_library
from xai_core.explainer import Engine, Progress, Raw, Sized, explainer
from xai_core.grain import Superpixels
from xai_core.local_line import Line, LocalLine
from xai_core.model import MasksFast
from xai_core.params import choice, fill, number, seed, segmentation, segments, stop_at
from xai_core.perturb import Segments
from xai_core.report.numbers import percent
from xai_core.segment_map import SegmentMap
from xai_core.steadies import Steadies
from xai_core.target import Target
from xai_core.task import Shape

Array = NDArray[np.float32]
Bits = NDArray[np.bool_]

SHOWN = 6
"""Masked photos that go along with the result, the whole photo first."""
POOR = 0.5
"""An R2 below this is a doubt."""
_REFITS = 40
_BATCH = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Samples:
    """What both engines ask: the cut, the samples, and what hidden pixels show."""

    labels: NDArray[np.int32]
    bits: Bits
    hidden: Array
    kernel: NDArray[np.float64]


def draw(seed: int, samples: int, segments: int) -> Bits:
    """Return which segments each masked photo shows, bool `[samples, segments]`.

    The first shows all. These are lime's own: it takes one number for its segmentation from the
    same stream first.
    """
    state = np.random.RandomState(seed)  # lime's generator, so that a seed means the same in both
    state.randint(0, high=1000)
    bits = np.empty((samples, segments), np.bool_)
    for start in range(0, samples, 1000):  # whole, the 8-byte integers would be 80 MB
        part = bits[start : start + 1000]
        part[:] = state.randint(0, 2, part.size).reshape(part.shape)
    bits[0] = True
    return bits


def kernel(bits: Bits, distance: str, width: float) -> NDArray[np.float64]:
    """Return how much each masked photo counts, float64 `[samples]` in 0..1 (eq. 2's pi)."""
    shown = bits.mean(1, dtype=np.float64)
    away = 1 - np.sqrt(shown) if distance == "cosine" else np.sqrt(1 - shown)
    return np.asarray(np.exp(-((away / width) ** 2) / 2))


def _ask(method: Lime, image: Array) -> _Samples:
    labels = superpixels.cut(image, method.segmentation, method.segments)
    bits = draw(method.seed, method.samples, int(labels.max()) + 1)
    hidden = superpixels.hidden(method.hide, image, labels)
    weights = kernel(bits, method.distance, method.kernel_width)
    return _Samples(labels=labels, bits=bits, hidden=hidden, kernel=weights)


def _steadies(method: Lime, segments: int) -> Steadies[LocalLine]:
    return Steadies(
        lambda: LocalLine(segments),
        lambda line: line.fit(method.features).weights,
        most=method.samples,
        fewest=2 * segments,
        asked=method.stop_at,
    )


def _ours(method: Lime, model: MasksFast, image: Array, target: Target, progress: Progress) -> Raw:
    asked = _ask(method, image)
    segments = asked.bits.shape[1]
    line, scores = LocalLine(segments), np.empty(method.samples)
    steadies = _steadies(method, segments) if method.stop_at < halves.NEVER else None
    masks = Segments(asked.labels, asked.bits)
    due = step = method.samples / _REFITS
    used = passes = 0
    for part, batch in model.masked_scores(image, masks, asked.hidden, [target]):
        passes = part.stop
        scores[part] = batch[:, 0]
        while used < passes and not (steadies and steadies.done):
            taken = slice(used, steadies.until(passes) if steadies else passes)
            line.add(asked.bits[taken], scores[taken], asked.kernel[taken])
            if steadies:
                steadies.add(asked.bits[taken], scores[taken], asked.kernel[taken])
            used = taken.stop
        if steadies and steadies.done:
            break
        partial = None
        if part.stop >= due:
            due += step
            partial = superpixels.painted(line.fit(method.features).weights, asked.labels)
        if part.stop < method.samples:
            progress(part.stop, method.samples, partial)
    fit = line.fit(method.features)
    progress(method.samples, method.samples, superpixels.painted(fit.weights, asked.labels))
    taken_of = dataclasses.replace(asked, bits=asked.bits[:used], kernel=asked.kernel[:used])
    raw = _raw(taken_of, scores[:used], fit, target.number)
    if steadies is None:
        return raw
    return halves.closed(
        raw, "samples", used, method.samples, steadies.agreed, method.stop_at, passes,
        words="masked photos",
    )  # fmt: skip


def _library(method: Lime, model: Any, image: Array, target: Target, progress: Progress) -> Raw:
    asked = _ask(method, image)
    said: list[NDArray[np.float64]] = []
    done = 0

    def scores(views: Array) -> NDArray[np.float64]:
        nonlocal done
        said.append(target.of_views(model, views).astype(np.float64))
        done += len(views)
        progress(done, method.samples)
        return said[-1]

    # its own l2 grows with the number of segments, and ours does not
    wide = 1.0 if method.distance == "cosine" else np.sqrt(asked.bits.shape[1])
    fit = lime_library.lime(
        image,
        scores,
        labels=asked.labels,
        hidden=None if method.hide == "segment" else asked.hidden,
        samples=method.samples,
        features=method.features,
        kernel_width=method.kernel_width * wide,
        distance=method.distance,
        seed=method.seed,
        batch=_BATCH,
    )
    line = Line(weights=fit.weights, intercept=fit.intercept, r2=fit.r2)
    return _raw(asked, np.concatenate(said), line, target.number)


def _raw(asked: _Samples, scores: NDArray[np.float64], line: Line, number: str) -> Raw:
    worth = float(asked.kernel.sum() ** 2 / (asked.kernel**2).sum())
    return Raw(
        attribution=superpixels.painted(line.weights, asked.labels),
        scalars={
            "r2": line.r2,
            "intercept": line.intercept,
            "prediction": line.prediction,
            "score": float(scores[0]),
            "segments": len(line.weights),
            "samples_worth": worth,
        },
        grain=Superpixels(labels=asked.labels, weights=line.weights),
        arrays={
            "scores": scores,
            "kernel": asked.kernel,
            "masks": asked.bits[:SHOWN],
            "hidden": np.rint(asked.hidden * 255).astype(np.uint8),
        },
        notes=_notes(asked, scores, line, worth, number),
    )


def _notes(
    asked: _Samples, scores: NDArray[np.float64], line: Line, worth: float, number: str
) -> tuple[str, ...]:
    segments = len(line.weights)
    if segments == 1:
        return (superpixels.UNCUT,)
    if np.ptp(scores) == 0:
        return (
            f"The {number} is the same for all masked photos, so there is nothing to weigh: hide "
            "with another colour.",
        )
    notes = []
    if line.r2 < POOR:
        notes.append(
            f"The straight line explains only {percent(max(line.r2, 0.0))} of how the {number} "
            "varies over the masked photos (R2): what a superpixel does depends on which others "
            "are hidden, and a single weight for each is a rough summary. Fewer superpixels may "
            "fit better."
        )
    if worth < 2 * segments:
        notes.append(
            f"With this kernel the {len(scores)} samples are worth about {max(worth, 1):.0f} of "
            f"full weight, for {segments} superpixels: the weights are noisy. Take more samples, "
            "a wider kernel or fewer superpixels."
        )
    return tuple(notes)


@explainer
class Lime(SegmentMap):
    """How much each superpixel adds to the score, in a straight line round this photo.

    The photo is cut into superpixels; masked photos hide each by the toss of a coin; those that
    show more of the photo count more; a ridge regression on which superpixels were shown gives each
    its weight (Ribeiro et al. 2016, eq. 1 and section 3.4). Its R2 says how far to believe it.
    """

    title: ClassVar[str] = "LIME"
    place: ClassVar[int] = 30
    shows: ClassVar[str] = "How much each superpixel adds to the score, in a straight-line fit."
    reference: ClassVar[str] = "arXiv:1602.04938"
    arrays: ClassVar[Mapping[str, Shape]] = MappingProxyType(
        {
            "scores": Shape("<f8", ("",), most=20_000),
            "kernel": Shape("<f8", ("",), most=20_000),
            "masks": Shape("|b1", ("", ""), most=SHOWN * 100_000),
            "hidden": Shape("|u1", ("h", "w", 3)),
        }
    )
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        Engine(name="lime", run=_library),
    )

    segmentation: str = segmentation(source="lime segmentation_fn")
    segments: int = segments(50)
    samples: int = number(
        1000,
        10,
        20_000,
        step=10,
        unit="masked photos",
        help="How many masked photos the model is asked about. Twice as many take twice as long "
        "and make the weights steadier.",
        source="lime num_samples",
    )
    features: int = number(
        0,
        0,
        100,
        unit="superpixels",
        help="How many superpixels get a weight; 0 is all. Up to 6 are chosen one after the other, "
        "more by their weight in a first fit; the line is then fitted on these alone.",
        source="lime num_features",
        more=True,
    )
    kernel_width: float = number(
        0.25,
        0.05,
        5.0,
        step=0.05,
        help="How much less a masked photo counts the more of it is hidden. Narrow stays close to "
        "the photo and leaves few samples that count; wide counts all alike.",
        source="lime kernel_width",
        more=True,
    )
    distance: str = choice(
        "cosine",
        ("cosine", "l2"),
        help="How far a masked photo is from the photo, 0 to 1: the cosine of what is shown, as "
        "lime does, or the root of the share that is hidden, which sets them further apart.",
        source="lime distance_metric",
        more=True,
    )
    hide: str = fill(
        "a hidden superpixel",
        ("segment", "grey", "black", "white", "mean", "blur"),
        source="lime hide_color",
    )
    stop_at: float = stop_at(
        "masked photos",
        order="the superpixels by their weights",
        engines=("ours",),
    )
    seed: int = seed(source="lime random_state")

    def cost(self, model: Sized) -> Cost:
        """One forward pass for each masked photo; the first hides nothing."""
        return Cost(forward=self.samples, at_most=self.stop_at < halves.NEVER)
