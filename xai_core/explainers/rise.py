"""RISE: random masks, each weighed by the score that it leaves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from xai_core import diagnosis, halves
from xai_core.card import Cost
from xai_core.engines import xplique
from xai_core.errors import ParamError
from xai_core.explainer import Engine, Explainer, Family, Progress, Raw, Sized, explainer
from xai_core.grain import Veils
from xai_core.grids import Grids
from xai_core.halves import Halves
from xai_core.mask_line import MaskLine
from xai_core.masked_mean import MaskedMean, add_to
from xai_core.model import MasksFast
from xai_core.params import batch, choice, fill, number, seed, stop_at, switch
from xai_core.perturb import at_once, baseline
from xai_core.report.numbers import percent
from xai_core.target import Target
from xai_core.task import Shape

Array = NDArray[np.float32]

NOISY = 0.9
"""A map that is expected to agree less than this with that of endless masks is a doubt."""
_LOOKS, _BATCH = 40, 16


def _ours(method: Rise, model: MasksFast, image: Array, target: Target, progress: Progress) -> Raw:
    (made,) = method.weighed(model, image, [target], progress)
    return made


def _xplique(method: Rise, model: Any, image: Array, target: Target, progress: Progress) -> Raw:
    total = method.masks + 1
    method.grids(model)
    progress(0, total)
    attribution = xplique.rise(
        model,
        image,
        target,
        masks=method.masks,
        grid=method.grid,
        keep=method.keep,
        value=method.value,
        seed=method.seed,
    )
    progress(total, total)
    return Raw(
        attribution=attribution,
        signed=target.of != "probability" or len(target.classes()) > 1,
        grain=method.grain(model),
        notes=(
            "Xplique counts from zero, so the map stands about the mean score of all masked "
            f"photos, and shifts each {xplique.BATCH} masks alike, which leaves more noise in it.",
        ),
    )


def _signed(method: Rise, target: Target) -> bool:
    return method.base == "mean" or target.of != "probability" or len(target.classes()) > 1


def _notes(
    model: MasksFast,
    image: Array,
    target: Target,
    scores: Array,
    whole: float,
    last: tuple[float, float, float],
    attribution: Array,
) -> tuple[str, ...]:
    if np.ptp(scores) == 0:
        return (
            diagnosis.independent(model, image, target)
            or diagnosis.saturated(target, whole)
            or f"The {target.number} is the same for all masked photos, so there is nothing to "
            "weigh: hide with another colour, or keep more of the photo.",
        )
    said = []
    if target.of == "probability" and np.ptp(scores) < diagnosis.SATURATED:
        said.append(
            diagnosis.saturated(target, whole)
            or "The probability is nearly the same for all masked photos: hide with another "
            "colour, or explain the score before it becomes a probability (logit)."
        )
    masks, error, agreement = last
    if agreement < NOISY:
        share = error / max(float(np.ptp(attribution)), 1e-30)
        said.append(
            f"With {masks:,.0f} masks the standard error of the map is {percent(share)} of its "
            f"range, so the map of endlessly many masks would correlate with it by about "
            f"{max(agreement, 0):.2f} (1 is the same map). Four times as many masks halve the "
            "error."
        )
    return tuple(said)


@explainer
class Rise(Explainer):
    """How much better the score is than average when a pixel shows.

    Random masks hide about half of the photo in soft cells; each pixel gets the mean score of the
    masked photos, weighed by how much of it each mask shows (Petsiuk et al. 2018, eq. 6), less the
    mean score of all of them, so that a pixel that makes no difference is 0. Each mask is shifted
    on its own. The standard error of each pixel, and how it fell with the masks, go along. A run
    can end before its last mask, once two halves of the masks give the same order of places.
    """

    title: ClassVar[str] = "RISE"
    place: ClassVar[int] = 20
    family: ClassVar[Family] = "perturbation"
    shows: ClassVar[str] = "Where showing the photo lifts the score, over many random masks."
    reference: ClassVar[str] = "arXiv:1806.07421"
    needs: ClassVar[tuple[type, ...]] = (MasksFast,)
    signed: ClassVar[bool] = True
    together: ClassVar[bool] = True
    arrays: ClassVar[Mapping[str, Shape]] = MappingProxyType(
        {
            "scores": Shape("<f4", ("",), most=20_000, optional=True),
            "standard_error": Shape("<f4", ("h", "w"), optional=True),
            "convergence": Shape("<f4", ("", 3), most=3 * _LOOKS, optional=True),
        }
    )
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        Engine(name="xplique", run=_xplique, why_not=xplique.why_not, worker="both", units=False),
    )

    masks: int = number(
        2000,
        50,
        20_000,
        step=50,
        unit="masks",
        help="How many random masks the model is asked about. Four times as many halve the error "
        "of the map and take four times as long.",
        source="Xplique Rise.nb_samples",
    )
    grid: int = number(
        7,
        2,
        32,
        unit="cells",
        help="Cells of a mask along each side. More cells show smaller parts, each alone does "
        "less, and the map needs more masks.",
        source="Xplique Rise.grid_size",
    )
    keep: float = number(
        0.5,
        0.05,
        0.95,
        step=0.05,
        help="With which probability a cell shows the photo. Low values ask which parts suffice "
        "for the class, high ones which are missed.",
        source="Xplique Rise.preservation_probability",
        label="Preservation probability",
    )
    value: float = number(
        0.5,
        0.0,
        1.0,
        step=0.05,
        help="The grey that hides: 0 is black, 1 white.",
        source="Xplique Rise.mask_value",
        more=True,
    )
    fill: str = fill("what is hidden", ("value", "mean", "blur", "noise"), engines=("ours",))
    base: str = choice(
        "mean",
        ("mean", "zero"),
        help="From what the map is counted: from the mean score of all masked photos, so that a "
        "pixel that makes no difference is 0, or from zero, as in the paper.",
        engines=("ours",),
        more=True,
        label="Counted from",
        titles={"mean": "the mean score", "zero": "zero, as in the paper"},
    )
    line: bool = switch(
        False,
        help="Take the part of the map that a straight line in the masks explains as it is for "
        "endlessly many masks, and average only the rest: the same map on average, from fewer "
        "masks. There are no pictures of how it came about.",
        engines=("ours",),
        more=True,
        label="Steady the map by a line",
    )
    stop_at: float = stop_at("masks", engines=("ours",))
    batch: int = batch(_BATCH, engines=("ours",), source="Xplique Rise.batch_size")
    seed: int = seed()

    @classmethod
    def suggest(
        cls, size: tuple[int, int] | None, given: Mapping[str, Any] = MappingProxyType({})
    ) -> dict[str, Any]:
        """Return 7 cells a side, of at least 8 pixels each, and about 40 masks for each cell.

        Fewer go through at once where the view is large, so that a run's memory stays small.
        """
        grid = int(np.clip(min(size or (224, 224)) // 8, 2, 7))
        cells = given.get("grid", grid)
        cells = cells if isinstance(cells, int) else grid
        masks = int(np.clip(40 * cells**2 // 50 * 50, 300, 8000))
        return {"grid": grid, "masks": masks, "batch": at_once(size or (1, 1), _BATCH)}

    def weighed(
        self, model: Any, image: Array, targets: Sequence[Target], progress: Progress
    ) -> list[Raw]:
        """Return the result for each target; all are asked about the same masked photos."""
        masks, total = self.grids(model), self.masks + 1
        wholes = self.scores(model, image[None], targets)[0].tolist()
        progress(1, total)
        zero = self.keep if self.base == "zero" else None
        means = [MaskedMean(model.input_size, whole, zero) for whole in wholes]
        scores = np.empty((self.masks, len(targets)), np.float32)
        looks = set(np.unique(np.geomspace(2, self.masks, _LOOKS).astype(int)).tolist())
        curves: list[list[tuple[float, float, float]]] = [[] for _ in targets]
        two = self._halves(model, wholes, zero)
        used, asked = 0, 1
        shown = np.empty((self.batch, *model.input_size), np.float32)
        for part, found in model.masked_scores(
            image, masks, self.hidden(image), targets, self.batch
        ):
            if len(shown) < len(found):  # a network that takes a number of its own
                shown = np.empty((len(found), *model.input_size), np.float32)
            drawn = shown[: len(found)]
            masks.write(drawn, part.start)
            asked += len(found)
            if two is not None:
                needed = two.add(drawn, found)
                drawn, found = drawn[:needed], found[:needed]
            used = part.start + len(found)
            scores[part.start : used] = found
            add_to(means, drawn, found)  # which overwrites them
            over = used == self.masks or (two is not None and two.done)
            if over or looks.intersection(range(part.start + 1, used + 1)):
                for mean, curve in zip(means, curves, strict=True):
                    curve.append((used, *mean.steadiness()))
            if over:
                break
            progress(used + 1, total, means[0].map())
        progress(total, total, means[0].map())
        made = [
            self._made(model, image, *each)
            for each in zip(targets, means, wholes, scores[:used].T, curves, strict=True)
        ]
        if self.line:
            of = self.after(used).grids(model)
            pairs = zip(made, means, strict=True)
            made = [self._lined(raw, model, of, mean.score) for raw, mean in pairs]
        if two is None:
            return made
        return [
            halves.closed(raw, "masks", used, self.masks, agreed, self.stop_at, asked)
            for raw, agreed in zip(made, two.agreements, strict=True)
        ]

    def _halves(self, model: Sized, wholes: Sequence[float], keep: float | None) -> Halves | None:
        """Return what follows two halves of the masks, where the run may end by them."""
        if self.stop_at >= halves.NEVER:
            return None
        return Halves(model.input_size, wholes, keep, self.masks, self.stop_at)

    def after(self, used: int) -> Self:
        """Return what draws the masks of a run that ended after so many. Raises ParamError."""
        if used != self.masks and (used > self.masks or self.stop_at >= halves.NEVER):
            raise ParamError(f"{self.title} drew {self.masks} masks, and not {used}")
        return dataclasses.replace(self, masks=used)

    def scores(self, model: Any, images: Array, targets: Sequence[Target]) -> Array:
        """Return the score of each view for each target, float32 `[N, targets]`."""
        outputs = targets[0].outputs(model, images)
        head = getattr(model, "head", None)
        return np.stack([target.score(outputs, head) for target in targets], 1)

    def _made(
        self,
        model: Any,
        image: Array,
        target: Target,
        mean: MaskedMean,
        whole: float,
        scores: Array,
        curve: list[tuple[float, float, float]],
    ) -> Raw:
        _, error, agreement = curve[-1]
        attribution = mean.map()
        return Raw(
            attribution=attribution,
            signed=_signed(self, target),
            scalars={
                "score": whole,
                "mean_score": mean.score,
                "standard_error": error,
                "expected_agreement": agreement,
            },
            grain=self.grain(model),
            arrays={
                "scores": np.ascontiguousarray(scores),
                "standard_error": mean.error(),
                "convergence": np.asarray(curve, np.float32),
            },
            notes=_notes(model, image, target, scores, whole, curve[-1], attribution),
        )

    def _lined(self, raw: Raw, model: Any, masks: Grids, level: float) -> Raw:
        """Return the result with the part that a straight line explains known without noise."""
        found = MaskLine(masks, raw.arrays["scores"], self.keep)
        rest = MaskedMean(model.input_size, 0.0)
        for start in range(0, len(masks), self.batch):
            part = np.empty((min(self.batch, len(masks) - start), *model.input_size), np.float32)
            masks.write(part, start)
            rest.add(part, found.rest[start : start + len(part)].astype(np.float32))
        attribution = rest.map() + found.part.astype(np.float32)
        known = rest.error()
        error = float(np.sqrt(np.mean(np.square(known, dtype=np.float64))))
        varies = float(np.var(attribution, dtype=np.float64))
        agreement = max(0.0, 1 - error**2 / varies) ** 0.5 if varies > 0 else 0.0
        steadied = raw.arrays["convergence"].copy()
        steadied[-1, 1:] = error, agreement
        said = {"standard_error": error, "expected_agreement": agreement}
        return dataclasses.replace(
            raw,
            attribution=attribution + np.float32(level if self.base == "zero" else 0),
            scalars={**raw.scalars, **said, "explained_by_line": found.explained},
            arrays={**raw.arrays, "standard_error": known, "convergence": steadied},
            notes=raw.notes if agreement < NOISY else (),
            way=(
                "A straight line in what each block of the photo shows foresees "
                f"{percent(max(found.explained, 0.0))} of how the scores vary; its part of the map "
                "is without noise, and only the rest was averaged over the masks."
            ),
        )

    def grids(self, model: Sized) -> Grids:
        """Return the masks. Raises ParamError where the view has fewer pixels than cells."""
        if self.grid > (least := min(model.input_size)):
            raise ParamError(
                f"Rise.grid must be from 2 to {least} cells, the shorter side of this model's "
                f"view, got {self.grid}"
            )
        return Grids(model.input_size, self.masks, grid=self.grid, keep=self.keep, seed=self.seed)

    def hidden(self, image: Array) -> Array:
        """Return what is shown in the place of what a mask hides, float32 `[h, w, 3]`."""
        if self.fill == "value":
            return np.full_like(image, self.value)
        return baseline(self.fill, image, seed=self.seed)

    def grain(self, model: Sized) -> Veils:
        """Return the masks' cells."""
        # grid cells are enlarged to one cell more than the view
        cells = (-(-side // self.grid) for side in model.input_size)
        height, width = (round((self.grid + 1) * cell / self.grid) for cell in cells)
        return Veils(height=height, width=width)

    def cost(self, model: Sized) -> Cost:
        """One forward pass for each mask and one for the whole view."""
        return Cost(forward=self.masks + 1, at_most=self.stop_at < halves.NEVER)
