"""The hiding test: whether a score hangs on what a map marks, more than on other places."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core import parts
from xai_core.card import Card
from xai_core.errors import ParamError
from xai_core.explanation import Explanation
from xai_core.grain import PIXELS, Grain
from xai_core.hashes import hash_of
from xai_core.model import MasksFast
from xai_core.params import fill, number, seed
from xai_core.parts import Cut, Hides, Places
from xai_core.perturb import baseline
from xai_core.probes._asked import Asked
from xai_core.probes._hidden import Answers, Hidden
from xai_core.probes._notes import notes
from xai_core.probes.areas import shifts
from xai_core.target import Target
from xai_core.task import Bench, Progress, Shape, Task, task

Array = NDArray[np.float32]
SHARES = (0.05, 0.1, 0.2)
MOST_SHARES, MOST_ANSWERS = 10, 100_000
LEAST_SECONDS, MOST_SECONDS = 600.0, 6 * 3600.0
_SETS = ("whole", "blank", "strongest", "kept", "least", "random", "curve", "curve_random")
_TWO = ("random", "curve_random")
"""The answers that have a side for the draws."""


@task
class Hiding(Task):
    """Hides the strongest parts of a map, and as much elsewhere, and asks the model each time.

    A part is what the map can tell apart (its grain): whole cells, patches or superpixels, else
    pixels. So the area that is hidden is the one nearest to the share that was asked, and the
    result says what it was.

    The control is the same region at random places: the mask is rolled, rows and columns, over the
    edges and in at the other side, by a shift that is uniform over the view and never zero. So each
    draw hides as many pixels exactly, in a region of the same shape, as compact or as scattered,
    and each pixel is as likely to be hidden as any other; if the place of the map's mark meant
    nothing, it would be one more such draw. Parts drawn anew would be scattered where the map's are
    not, and differ in size where parts do. A draw may touch what the map marks, and rolls over an
    edge are cut in two there: both make the control harder to beat. The draws' shifts are the same
    for every share.

    Of a signed map the strongest parts are those that speak most for the target, and the least
    important ones those nearest to zero; of others, the smallest. Equals are taken in an order that
    is drawn. `deletion` curves: Petsiuk et al. 2018, section 4.3 (arXiv:1806.07421).
    """

    title = "Hiding test"
    returns = Hidden
    needs = (MasksFast,)

    pixels: NDArray[np.uint8]
    attribution: Array
    target: Target
    grain: Grain = PIXELS
    signed: bool = False
    shares: tuple[float, ...] = SHARES
    fill: str = fill("what is hidden", ("mean", "grey", "black", "blur"), more=False)
    draws: int = number(
        10,
        1,
        50,
        unit="draws",
        help="Random regions for each share. More of them say better how much chance does.",
    )
    points: int = number(
        20, 2, 100, unit="points", help="Shares on the curve, evenly spaced.", more=True
    )
    seed: int = seed("regions")

    @classmethod
    def of(
        cls,
        explanation: Explanation,
        pixels: NDArray[np.uint8],
        *,
        card: Card | None = None,
        **values: Any,
    ) -> Hiding:
        """Return the test of an explanation's map on its photo.

        Raises ParamError for another photo than the map's, another model, and bad values.
        """
        if explanation.image_hash and explanation.image_hash != hash_of(pixels):
            raise ParamError(
                f"{cls.__name__}.pixels must be the photo that the map explains, and this is "
                "another one. Run the method on this photo first."
            )
        if card is not None and explanation.model_hash not in ("", card.hash):
            raise ParamError(
                f"{cls.__name__} asks the model that the map explains, and this is another one. "
                "Run the method on this model first."
            )
        return cls(
            pixels=pixels,
            attribution=explanation.attribution,
            target=explanation.target,
            grain=explanation.grain,
            signed=explanation.signed,
            **values,
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        rising = all(a < b for a, b in zip(self.shares, self.shares[1:], strict=False))
        good = 1 <= len(self.shares) <= MOST_SHARES and rising
        if not good or not all(0 < share < 1 for share in self.shares):
            raise ParamError(
                f"{type(self).__name__}.shares must be 1 to {MOST_SHARES} rising parts of the "
                f"view, each between 0 and 1, got {self.shares!r:.60}"
            )
        if self.attribution.ndim != 2 or not np.isfinite(self.attribution).all():
            raise ParamError(
                f"{type(self).__name__}.attribution must be a finite map [h, w], got "
                f"{self.attribution.dtype} {list(self.attribution.shape)}"
            )
        try:
            self.grain.check((self.attribution.shape[0], self.attribution.shape[1]))
        except ValueError as error:
            raise ParamError(f"{type(self).__name__}.grain does not fit: {error}") from None

    @property
    def passes(self) -> int:
        """The most images that go through the network."""
        return 2 + (3 + self.draws) * len(self.shares) + (1 + self.draws) * self.points

    def limit(self, card: Card | None) -> float:
        """Return four times the estimate and a minute, from 10 minutes to 6 hours."""
        if card is None:
            return LEAST_SECONDS
        seconds = 4 * self.passes * card.pace.forward / 1000 + 60
        return min(MOST_SECONDS, max(LEAST_SECONDS, seconds))

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shapes of the answers, of the two orders and of the shifts."""
        made = {
            "most_places": Shape("<i4", ("h", "w")),
            "least_places": Shape("<i4", ("h", "w")),
            "shifts": Shape("<i4", (self.draws, 2)),
            "changed": Shape("<f8", (len(self.shares),)),
            "changed_random": Shape("<f8", (len(self.shares), self.draws)),
        }
        for name in ("cuts", "least_cuts"):
            made[name] = Shape("<i4", (len(self.shares),))
        made["curve_cuts"] = Shape("<i4", ("",), most=self.points + 1)
        for name in _SETS:
            sides = ("", self.draws) if name in _TWO else ("",)
            for field, dtype in (("scores", "<f4"), ("probabilities", "<f4"), ("firsts", "<i4")):
                made[f"{name}.{field}"] = Shape(
                    dtype, sides, most=MOST_ANSWERS, optional=field != "scores"
                )
        return made

    def shows(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shapes of the curve so far: the shares of its points, and their scores."""
        return {
            "areas": Shape("<f8", ("",), most=self.points + 1),
            "scores": Shape("<f4", ("",), most=self.points + 1),
        }

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for the answer to another test, and for one that does not add up."""
        asked = (self.target, self.shares, self.fill, self.seed)
        if (result.target, result.shares, result.fill, result.seed) != asked:
            raise ValueError("an answer to another test")
        if result.most_places.shape != self.attribution.shape:
            raise ValueError("a test of another view")
        result.consistent(None if card is None else card.classes, self.draws)

    def run(self, bench: Bench, progress: Progress) -> Hidden:
        """Return what the model said. Raises ParamError for a map of another view's size.

        Raises UnsupportedModel where a score is not finite.
        """
        model = bench.model
        self.target.check(model)
        if self.attribution.shape != tuple(model.input_size):
            raise ParamError(
                f"{type(self).__name__}.attribution must be a map of this model's view, "
                f"{list(model.input_size)}, got {list(self.attribution.shape)}"
            )
        image, _ = model.preprocessing.view(self.pixels)
        return self.tested(model, np.asarray(image, np.float32), progress)

    def tested(self, model: Any, image: Array, progress: Progress) -> Hidden:
        """Return what a model says of the variants of a view, float32 `[h, w, 3]` in 0..1."""
        rng = np.random.default_rng(self.seed)
        cut_up = parts.parts(self.attribution, self.grain)
        values, sizes, total = cut_up.values, cut_up.sizes, len(cut_up.values)
        most = parts.order(values, rng)
        least = parts.order(-np.abs(values) if self.signed else -values, rng)
        moves = shifts(self.attribution.shape, self.draws, rng)
        cuts = parts.cuts(sizes[most], self.shares)
        least_cuts = parts.cuts(sizes[least], self.shares)
        spaced = [point / self.points for point in range(1, self.points + 1)]
        curve = np.unique(np.append(parts.cuts(sizes[most], spaced), [0, total])).astype(np.int32)
        hides = Hides(
            parts.places(cut_up.labels, most),
            parts.places(cut_up.labels, least),
            _plan(cuts, least_cuts, curve, moves, total),
        )
        hidden = baseline(self.fill, image)
        areas = np.append(0, np.cumsum(sizes[most])) / image[..., 0].size
        asked = _Asked(model, self.target, hides)
        asked.ask_all(image, hidden, progress, curve, areas)
        changed, changed_random = _changed(image, hidden, hides.most, cuts, moves)
        made = Hidden(
            target=self.target,
            shares=self.shares,
            fill=self.fill,
            seed=self.seed,
            parts=total,
            part=cut_up.called,
            flat=bool(np.ptp(values) == 0),
            most_places=hides.most,
            least_places=hides.least,
            shifts=moves,
            cuts=cuts,
            least_cuts=least_cuts,
            curve_cuts=curve,
            changed=changed,
            changed_random=changed_random,
            whole=asked.cut([Cut(0)]),
            blank=asked.cut([Cut(total)]),
            strongest=asked.cut([Cut(int(cut)) for cut in cuts]),
            kept=asked.cut([Cut(int(cut), kept=True) for cut in cuts]),
            least=asked.cut([Cut(int(cut), least=True) for cut in least_cuts]),
            random=asked.rolled(cuts, moves),
            curve=asked.cut([Cut(int(cut)) for cut in curve]),
            curve_random=asked.rolled(curve, moves),
        )
        return dataclasses.replace(made, notes=notes(made, values[most], self.signed))


def _normal(cut: Cut, total: int) -> Cut:
    """Return the one cut of several that hide the same: all of it, or nothing."""
    if cut.count not in (0, total):
        return cut
    return Cut(total if (cut.count == total) != cut.kept else 0)


def _rolled(count: int, shift: NDArray[np.int32]) -> Cut:
    return Cut(int(count), shift=(int(shift[0]), int(shift[1])))


def _plan(
    cuts: NDArray[np.int32],
    least_cuts: NDArray[np.int32],
    curve: NDArray[np.int32],
    shifts: NDArray[np.int32],
    total: int,
) -> list[Cut]:
    """List every mask that is asked about, each once, the shares' first."""
    asked = [Cut(0), Cut(total)]
    for cut, least in zip(cuts.tolist(), least_cuts.tolist(), strict=True):
        asked += [Cut(cut), Cut(cut, kept=True), Cut(least, least=True)]
        asked += [_rolled(cut, shift) for shift in shifts]
    for cut in curve.tolist():
        asked += [Cut(cut), *(_rolled(cut, shift) for shift in shifts)]
    return list(dict.fromkeys(_normal(cut, total) for cut in asked))


class _Asked(Asked):
    """A model's answers to the masks of a plan, each under its cut."""

    def __init__(self, model: Any, target: Target, hides: Hides) -> None:
        super().__init__(model, target, hides, hides.cuts)
        self.total = int(hides.most.max()) + 1

    def ask_all(
        self,
        image: Array,
        hidden: Array,
        progress: Progress,
        curve: NDArray[np.int32],
        areas: NDArray[np.float64],
    ) -> None:
        """Ask about every mask, and report the curve as it grows."""
        rows = [self.at[_normal(Cut(int(cut)), self.total)] for cut in curve]

        def told(done: int) -> None:
            known = [at for at, row in enumerate(rows) if row < done]
            so_far: dict[str, NDArray[Any]] = {
                "areas": areas[curve[known]],
                "scores": self.scores[[rows[at] for at in known]],
            }
            progress(done, len(self.masks), arrays=so_far)

        self.ask(image, hidden, told)

    def cut(self, cuts: Iterable[Cut]) -> Answers:
        """Return the answers to some cuts, in their order."""
        return self.of(_normal(cut, self.total) for cut in cuts)

    def rolled(self, counts: NDArray[np.int32], shifts: NDArray[np.int32]) -> Answers:
        """Return the answers `[counts, draws]` to rolled cuts."""
        flat = self.cut(_rolled(count, shift) for count in counts.tolist() for shift in shifts)
        return flat.shaped((len(counts), len(shifts)))


def _changed(
    image: Array,
    hidden: Array,
    most: Places,
    cuts: NDArray[np.int32],
    shifts: NDArray[np.int32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far hiding changes a hidden pixel on average, 0..1: `[s]` and `[s, draws]`."""
    change = np.abs(image - hidden).mean(2, dtype=np.float64)
    strongest, drawn = np.empty(len(cuts)), np.empty((len(cuts), len(shifts)))
    for row, cut in enumerate(cuts):
        inside = most < cut
        strongest[row] = change[inside].mean()
        for at, shift in enumerate(shifts.tolist()):
            drawn[row, at] = change[np.roll(inside, shift, (0, 1))].mean()
    return strongest, drawn
