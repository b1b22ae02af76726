"""KernelSHAP: the Shapley value of each superpixel, from a line fitted to coalitions of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import halves, superpixels
from xai_core.card import Cost
from xai_core.engines import xplique
from xai_core.explainer import Engine, Progress, Raw, Sized, explainer
from xai_core.grain import Superpixels
from xai_core.model import MasksFast
from xai_core.params import fill, number, seed, segmentation, segments, stop_at
from xai_core.perturb import Segments
from xai_core.report.numbers import amount, counted, percent
from xai_core.segment_map import SegmentMap
from xai_core.shapley_line import ENDS, Coalitions, ShapleyLine, draw
from xai_core.steadies import Steadies
from xai_core.target import Target
from xai_core.task import Shape

Array = NDArray[np.float32]
Numbers = NDArray[np.float64]

NOISY = 0.1
"""Values that err by more than this share of the largest, on average, are a doubt."""
CLOSE = 0.1
"""Ends that differ by less than this share of the scores' range are a doubt."""
_REFITS = 20


class Run:
    """What was asked so far, and the line through it; `scores` are filled in as they come."""

    def __init__(self, method: KernelSHAP, players: int) -> None:
        self.asked = draw(method.seed, method.samples, players)
        self.scores = np.empty(len(self.asked.bits))
        self.used = 0
        self._method = method
        self._known = self._drawn = ShapleyLine(players, 0.0, 0.0)
        self.steadies: Steadies[ShapleyLine] | None = None

    def take(self, end: int) -> None:
        """Take the scores before `end` into the line, as many as are needed."""
        known, bits, kernel = self.asked.known, self.asked.bits, self.asked.kernel
        if self.used < ENDS <= end:
            self._begin()
            self.used = ENDS
        if ENDS <= self.used < (stop := min(end, known)):
            part = slice(self.used, stop)
            self._known.add(bits[part], self.scores[part], kernel[part])
            self.used = stop
        while self.steadies is not None and known <= self.used < end and not self.steadies.done:
            part = slice(self.used, known + self.steadies.until(end - known))
            given = bits[part], self.scores[part], np.ones(part.stop - part.start)
            self._drawn.add(*given)
            self.steadies.add(*given)
            self.used = part.stop

    def _begin(self) -> None:
        none, whole = (float(score) for score in self.scores[:ENDS])
        players = self.asked.bits.shape[1]
        self._known = ShapleyLine(players, none, whole)
        self._drawn = ShapleyLine(players, none, whole)
        if self.asked.drawn:
            self.steadies = Steadies(
                lambda: ShapleyLine(players, none, whole),
                lambda line: self._whole(line).fit(),
                most=self.asked.drawn,
                fewest=2 * players,
                asked=self._method.stop_at,
                together=2,  # a coalition and its complement
            )

    def _whole(self, drawn: ShapleyLine) -> ShapleyLine:
        """Return the line of what is known and of some drawn, which stand for all of theirs."""
        return self._known.joined(drawn, self.asked.open / drawn.w if drawn.w else 0.0)

    @property
    def line(self) -> ShapleyLine:
        """The line through all that was taken."""
        return self._whole(self._drawn)

    @property
    def over(self) -> bool:
        """Whether the halves agree as far as was asked."""
        early = self._method.stop_at < halves.NEVER
        return early and self.steadies is not None and self.steadies.done

    def errors(self) -> Numbers:
        """Return each value's standard error; 0 where nothing was left to chance."""
        if self.steadies is None:
            return np.zeros(self.asked.bits.shape[1])
        return self.steadies.errors()


def _cut(method: KernelSHAP, image: Array) -> tuple[NDArray[np.int32], Array]:
    labels = superpixels.cut(image, method.segmentation, method.segments)
    return labels, superpixels.hidden(method.hide, image, labels)


def _ours(
    method: KernelSHAP, model: MasksFast, image: Array, target: Target, progress: Progress
) -> Raw:
    labels, hidden = _cut(method, image)
    run = Run(method, int(labels.max()) + 1)
    passes, due = 0, method.samples / _REFITS
    masks = Segments(labels, run.asked.bits)
    for part, batch in model.masked_scores(image, masks, hidden, [target]):
        passes = part.stop
        run.scores[part] = batch[:, 0]
        run.take(passes)
        if run.over:
            break
        partial = None
        if passes >= due and run.used > run.asked.known:
            due = passes + method.samples / _REFITS
            partial = superpixels.painted(run.line.fit(), labels)
        if passes < method.samples:
            progress(passes, method.samples, partial)
    values = run.line.fit()
    progress(method.samples, method.samples, superpixels.painted(values, labels))
    scores, asked = run.scores[: run.used], run.asked.first(run.used)
    raw = Raw(
        attribution=superpixels.painted(values, labels),
        scalars={
            **_sums(values, scores[0], scores[1]),
            "drawn": asked.drawn,
        },
        grain=Superpixels(labels=labels, weights=values),
        arrays={"scores": scores, "standard_errors": run.errors()},
        notes=_notes(values, scores, run.errors(), method, target.number),
        way=_way(asked, scores, target.number),
        passes=passes,
    )
    if run.steadies is None or method.stop_at >= halves.NEVER:
        return raw
    return halves.closed(
        raw, "samples", run.used, method.samples, run.steadies.agreed, method.stop_at, passes,
        words="masked photos",
    )  # fmt: skip


def _xplique(
    method: KernelSHAP, model: Any, image: Array, target: Target, progress: Progress
) -> Raw:
    labels, hidden = _cut(method, image)
    progress(0, method.samples)
    ends = target.of_views(model, np.stack([hidden, image]).astype(np.float32)).astype(np.float64)
    none, whole = float(ends[0]), float(ends[1])
    progress(ENDS, method.samples)
    if labels.max() == 0:
        values, notes = np.array([whole - none]), (superpixels.UNCUT,)
    else:
        values = xplique.kernel_shap(
            model,
            image,
            target,
            labels=labels,
            hidden=hidden,
            samples=method.samples - ENDS,
            seed=method.seed,
        )
        notes = (
            f"Xplique's line is not held to its ends: its values add up to "
            f"{amount(float(values.sum()))}, and the {target.number} of the photo less that with "
            f"all hidden is {amount(whole - none)}.",
        )
    progress(method.samples, method.samples)
    return Raw(
        attribution=superpixels.painted(values, labels),
        scalars=_sums(values, none, whole),
        grain=Superpixels(labels=labels, weights=values),
        notes=notes,
    )


def _sums(values: Numbers, none: float, whole: float) -> dict[str, float]:
    """Return the ends, and what the values leave over of the difference between them."""
    return {
        "score": float(whole),
        "hidden_score": float(none),
        "gap": float(values.sum() - (whole - none)),
        "segments": len(values),
    }


def drawn_how(asked: Coalitions) -> str:
    """Say in a sentence which coalitions were asked."""
    players = asked.bits.shape[1]
    if asked.exact:
        return (
            f"All {len(asked.bits):,} ways to show some of {counted(players, 'superpixel')} and "
            "hide the others were asked, so these are the Shapley values themselves."
        )
    sizes = asked.known - ENDS
    whole = f"{sizes:,} that show or hide few superpixels were asked one and all, and "
    return (
        f"Of the 2^{players} ways to show some of {players} superpixels and hide the others, "
        f"{whole if sizes else ''}{asked.drawn:,} were drawn, each with its opposite."
    )


def _way(asked: Coalitions, scores: Numbers, number: str) -> str:
    return (
        f"{drawn_how(asked)} The values add up to {amount(float(scores[1] - scores[0]))}: the "
        f"{number} of the photo, {amount(float(scores[1]))}, less that with all hidden, "
        f"{amount(float(scores[0]))}."
    )


def _notes(
    values: Numbers, scores: Numbers, errors: Numbers, method: KernelSHAP, number: str
) -> tuple[str, ...]:
    if len(values) == 1:
        return (superpixels.UNCUT,)
    spread, whole = float(np.ptp(scores)), float(scores[1] - scores[0])
    if spread == 0:
        return (
            f"The {number} is the same for all masked photos, so there is nothing to share out: "
            "hide with another colour.",
        )
    notes = []
    if abs(whole) < CLOSE * spread:
        notes.append(
            f"With all superpixels hidden the {number} is {amount(float(scores[0]))}, and of the "
            f"photo {amount(float(scores[1]))}: there is little to share out, and values for and "
            "against make up for each other. Hide with another colour."
        )
    error, largest = float(np.sqrt(np.mean(errors**2))), float(np.abs(values).max())
    if error > NOISY * largest and method.stop_at >= halves.NEVER:
        notes.append(
            f"The standard error of a value is {amount(error)}, {percent(error / largest)} of the "
            "largest value: they are noisy. Take more samples, or fewer superpixels."
        )
    return tuple(notes)


@explainer
class KernelSHAP(SegmentMap):
    """Each superpixel's fair share of the score, by Shapley's rule.

    The photo is cut into superpixels, and photos that show some of them and hide the others are
    scored. A superpixel's Shapley value is what it adds to the score, averaged over all orders in
    which the superpixels can be put in. A straight line that is fitted to the masked photos with
    the weights of the Shapley kernel has these values as its slopes; here it is held to the score
    of the whole photo and to that with all hidden, so that the values add up to the difference
    (Lundberg and Lee 2017, theorem 2). With few superpixels every masked photo is asked and the
    values are exact; with more they are estimates, and how far two halves of the masked photos
    agree can end the run.
    """

    title: ClassVar[str] = "KernelSHAP"
    place: ClassVar[int] = 35
    shows: ClassVar[str] = "How the score is shared out among superpixels, by Shapley's rule."
    reference: ClassVar[str] = "arXiv:1705.07874"
    arrays: ClassVar[Mapping[str, Shape]] = MappingProxyType(
        {
            "scores": Shape("<f8", ("",), most=20_000, optional=True),
            "standard_errors": Shape("<f8", ("",), most=100_000, optional=True),
        }
    )
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        Engine(name="xplique", run=_xplique, why_not=xplique.why_not, worker="both", units=False),
    )

    segmentation: str = segmentation(source="Xplique KernelShap.map_to_interpret_space")
    segments: int = segments(50)
    samples: int = number(
        1000,
        10,
        20_000,
        step=10,
        unit="masked photos",
        help="How many masked photos the model is asked about, the whole photo and the one with "
        "all hidden among them. More make the values steadier; where 2 to the power of the "
        "superpixels is no more, all are asked and the values are exact.",
        source="Xplique KernelShap.nb_samples",
    )
    hide: str = fill(
        "a hidden superpixel",
        ("grey", "black", "white", "mean", "blur", "segment"),
        source="Xplique KernelShap.ref_value",
    )
    stop_at: float = stop_at(
        "drawn masked photos",
        order="the superpixels by their values",
        engines=("ours",),
    )
    seed: int = seed("masked photos")

    def cost(self, model: Sized) -> Cost:
        """One forward pass for each masked photo, fewer where there are no more to be asked."""
        all_asked = 0 < self.segments < self.samples.bit_length()
        return Cost(forward=self.samples, at_most=all_asked or self.stop_at < halves.NEVER)
