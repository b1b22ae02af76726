"""Masking: how the answer goes as more of what a map marks is hidden, or nothing else is kept."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from xai_core import parts
from xai_core.card import Card
from xai_core.errors import ParamError
from xai_core.explanation import Explanation
from xai_core.grain import PIXELS, Grain
from xai_core.hashes import hash_of
from xai_core.model import MasksFast
from xai_core.params import choice, fill, number, seed
from xai_core.probes._asked import Asked
from xai_core.probes._hidden import Answers
from xai_core.probes._masked import ORDERS, Masked, Order, Way
from xai_core.probes.areas import Area, Covers, Ranks, brightest, ranked, shifts
from xai_core.probes.fills import FILLS, cover
from xai_core.target import Target
from xai_core.task import Bench, Progress, Shape, Task, task

__all__ = ["ORDERS", "POINTS", "WAYS", "Masked", "Masking", "Order", "Way"]

Array = NDArray[np.float32]
POINTS = (
    *(0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25),
    *(0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
)
"""The shares of the view on the curve: closer where maps have their evidence."""

LEAST_SECONDS, MOST_SECONDS = 600.0, 6 * 3600.0
WAYS: Mapping[str, str] = MappingProxyType(
    {"hide": "Hide what the map marks", "keep": "Keep only what it marks"}
)
_SETS = ("whole", "blank", *ORDERS, "random")


@task
class Masking(Task):
    """Hides the strongest parts of a map, more and more of them, and asks the model each time.

    Each point of the curve takes whole parts of the map (its grain), the nearest to a share. Beside
    each stand three controls of as many pixels exactly. The random one is the same region rolled
    over the edges to another place: it keeps the region's shape, as compact or as scattered, for
    single pixels strewn anew disturb a network more than one patch does, and would be no fair
    control. The least important parts come from the map's other end; the last of them is cut where
    the area is full. The brightest pixels of the photo, whatever the map says, tell whether the map
    knows more than where the light is.

    Of a signed map the strongest parts are those that speak most for the target, and the least
    important ones those nearest to zero. `keep` hides all but the area instead.
    """

    title = "Masking"
    returns = Masked
    needs = (MasksFast,)

    pixels: NDArray[np.uint8]
    attribution: Array
    target: Target
    grain: Grain = PIXELS
    signed: bool = False
    way: str = choice(
        "hide",
        ("hide", "keep"),
        help="Whether the marked part is hidden, or all the rest.",
        label="What to do",
        titles=WAYS,
    )
    fill: str = fill("what is hidden", FILLS, more=False)
    draws: int = number(
        5,
        1,
        50,
        unit="draws",
        help="Random areas beside each point. More of them say better how much chance does.",
        more=True,
    )
    seed: int = seed("areas")

    @classmethod
    def of(
        cls,
        explanation: Explanation,
        pixels: NDArray[np.uint8],
        *,
        card: Card | None = None,
        **values: Any,
    ) -> Masking:
        """Return the curve of an explanation's map on its photo.

        Raises ParamError for another photo than the map's, another model, and bad values.
        """
        if explanation.image_hash and explanation.image_hash != hash_of(pixels):
            raise ParamError(
                "Masking hides parts of the photo that the map explains, and this is another one. "
                "Run the method on this photo first."
            )
        if card is not None and explanation.model_hash not in ("", card.hash):
            raise ParamError(
                "Masking asks the model that the map explains, and this is another one. Run the "
                "method on this model first."
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
        if self.attribution.ndim != 2 or not np.isfinite(self.attribution).all():
            raise ParamError(
                "Masking.attribution must be a finite map [h, w], got "
                f"{self.attribution.dtype} {list(self.attribution.shape)}"
            )
        try:
            self.grain.check((self.attribution.shape[0], self.attribution.shape[1]))
        except ValueError as error:
            raise ParamError(f"Masking.grain does not fit: {error}") from None

    @property
    def passes(self) -> int:
        """The most images that go through the network."""
        return 2 + len(POINTS) * (len(ORDERS) + self.draws)

    def limit(self, card: Card | None) -> float:
        """Return four times the estimate and a minute, from 10 minutes to 6 hours."""
        if card is None:
            return LEAST_SECONDS
        seconds = 4 * self.passes * card.pace.forward / 1000 + 60
        return min(MOST_SECONDS, max(LEAST_SECONDS, seconds))

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shapes of the orders, of the counts, and of the answers."""
        made = {f"{order}_ranks": Shape("<i4", ("h", "w")) for order in ORDERS}
        made["shifts"] = Shape("<i4", (self.draws, 2))
        made["counts"] = Shape("<i4", ("",), most=len(POINTS) + 1)
        for name in _SETS:
            sides = ("", self.draws) if name == "random" else ("",)
            for field, dtype in (("scores", "<f4"), ("probabilities", "<f4"), ("firsts", "<i4")):
                most = (len(POINTS) + 1) * self.draws
                made[f"{name}.{field}"] = Shape(
                    dtype, sides, most=most + len(POINTS) + 1, optional=field != "scores"
                )
        return made

    def shows(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shapes of the curve so far: the shares of its points, and their scores."""
        return {
            "areas": Shape("<f8", ("",), most=len(POINTS) + 1),
            "scores": Shape("<f4", ("",), most=len(POINTS) + 1),
        }

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for the answer to another curve, and for one that does not add up."""
        asked = (self.target, self.way, self.fill, self.seed, self.draws)
        if (result.target, result.way, result.fill, result.seed, result.draws) != asked:
            raise ValueError("an answer to another curve")
        if {result.ranks(order).shape for order in ORDERS} != {self.attribution.shape}:
            raise ValueError("a curve of another view")
        result.consistent(None if card is None else card.classes)

    def run(self, bench: Bench, progress: Progress) -> Masked:
        """Return what the model said. Raises ParamError for a map of another view's size.

        Raises UnsupportedModel where a score is not finite.
        """
        model = bench.model
        self.target.check(model)
        if self.attribution.shape != tuple(model.input_size):
            raise ParamError(
                f"Masking.attribution must be a map of this model's view, "
                f"{list(model.input_size)}, got {list(self.attribution.shape)}"
            )
        image, _ = model.preprocessing.view(self.pixels)
        return self.masked(model, np.asarray(image, np.float32), progress)

    def masked(self, model: Any, image: Array, progress: Progress) -> Masked:
        """Return what a model says of the versions of a view, float32 `[h, w, 3]` in 0..1."""
        rng = np.random.default_rng(self.seed)
        cut_up = parts.parts(self.attribution, self.grain)
        values, sizes = cut_up.values, cut_up.sizes
        most = parts.order(values, rng)
        least = parts.order(-np.abs(values) if self.signed else -values, rng)
        orders: list[Ranks] = [
            ranked(cut_up.labels, most),
            ranked(cut_up.labels, least),
            brightest(image, rng),
        ]
        moves = shifts(self.attribution.shape, self.draws, rng)
        covered = np.append(0, np.cumsum(sizes[most]))  # pixels of the first parts
        cuts = np.append(0, parts.cuts(sizes[most], POINTS))
        counts = np.unique(covered[cuts]).astype(np.int32)
        rows = {
            order: [Area(at, int(count)) for count in counts] for at, order in enumerate(ORDERS)
        }
        drawn = [[Area(0, int(count), (int(d), int(a))) for d, a in moves] for count in counts]
        plan = self._plan(rows, drawn, image[..., 0].size)
        asked = Asked(
            model,
            self.target,
            Covers(orders, plan, self.fill, keep=self.way == "keep"),
            plan,
        )
        self._ask(asked, image, progress, counts)
        size = int(counts[-1])

        def answers(areas: list[Area]) -> Answers:
            return asked.of([_normal(area, size) for area in areas])

        nothing, everything = Area(0, 0), Area(0, size)
        whole, blank = (everything, nothing) if self.way == "keep" else (nothing, everything)
        flat = [area for row in drawn for area in row]
        return Masked(
            target=self.target,
            way=cast(Way, self.way),
            fill=self.fill,
            seed=self.seed,
            part=cut_up.called,
            flat=bool(np.ptp(values) == 0),
            strongest_ranks=orders[0],
            least_ranks=orders[1],
            brightest_ranks=orders[2],
            shifts=moves,
            counts=counts,
            whole=answers([whole]),
            blank=answers([blank]),
            strongest=answers(rows["strongest"]),
            least=answers(rows["least"]),
            brightest=answers(rows["brightest"]),
            random=answers(flat).shaped((len(counts), self.draws)),
        )

    def _plan(
        self, rows: Mapping[Order, list[Area]], drawn: list[list[Area]], size: int
    ) -> list[Area]:
        """List every area that is asked about, each once, the curve of the map first."""
        asked = [*rows["strongest"]]
        for at, row in enumerate(drawn):
            asked += [rows["least"][at], rows["brightest"][at], *row]
        return list(dict.fromkeys(_normal(area, size) for area in asked))

    def _ask(
        self, asked: Asked, image: Array, progress: Progress, counts: NDArray[np.int32]
    ) -> None:
        areas = counts / counts[-1]

        def told(done: int) -> None:
            known = min(done, len(counts))
            so_far: dict[str, NDArray[Any]] = {
                "areas": areas[:known],
                "scores": asked.scores[:known],
            }
            progress(done, len(asked.masks), arrays=so_far)

        asked.ask(image, cover(image, self.fill, seed=self.seed), told)


def _normal(area: Area, size: int) -> Area:
    """Return the one area of several that hold the same: all of the view, or nothing."""
    return Area(0, area.count) if area.count in (0, size) else area
