"""Adaptive masks: a coarse grid of soft windows, then finer ones where the score fell most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import diagnosis
from xai_core.card import Cost
from xai_core.errors import ParamError
from xai_core.explainer import Engine, Explainer, Family, Progress, Raw, Sized, explainer
from xai_core.grain import Veils
from xai_core.model import MasksFast
from xai_core.params import fill, number
from xai_core.perturb import Blended, at_once, baseline
from xai_core.target import Target
from xai_core.task import Shape
from xai_core.upsample import resize

Array = NDArray[np.float32]
Numbers = NDArray[np.float64]

ROUND = 16
"""Windows that are placed by the same knowledge: so many go through the network at once at most."""
WIDE = 0.8
"""A coarse window's deviation, over the distance to the next."""
NARROW = 0.55
"""A fine window's deviation, over a coarse one's."""
EVERYWHERE = 0.3
"""What draws windows to any place, beside the strongest place's 1."""
PLACES = 16
"""Places along each side where a fine window may lie."""
CROWDED = 0.7
"""How far off, in a fine window's deviations, a place still counts as visited."""


def _ours(
    method: AdaptiveMasks, model: MasksFast, image: Array, target: Target, progress: Progress
) -> Raw:
    (made,) = method.weighed(model, image, [target], progress)
    return made


class Windows(Blended):
    """Bell-shaped windows that hide: a coarse grid, then fine ones that are placed when due.

    A round of fine windows goes where the map of all rounds but the last is strongest and few
    windows have been: the last one's batch may still be under way, so that the windows are the same
    whatever goes through at once. The targets take turns.
    """

    def __init__(self, size: tuple[int, int], count: int, coarse: int, targets: int) -> None:
        self.size, self.count, self.coarse = size, count, coarse
        middles = (np.arange(coarse) + 0.5) / coarse
        grid = np.stack(np.meshgrid(middles, middles, indexing="ij"), -1).reshape(-1, 2)
        self.at: Numbers = np.zeros((count, 2))  # parts of the view's height and width
        self._placed = len(grid)
        # in a mixed order, so that the first of them say something of the whole photo
        self.at[: len(grid)] = grid[np.random.default_rng(0).permutation(len(grid))]
        self.wide = WIDE / coarse
        self.width = np.where(np.arange(count) < len(grid), self.wide, NARROW * self.wide)
        self.falls: Numbers = np.zeros((count, targets))
        self._told = self._rounds = 0
        spots = (np.arange(PLACES) + 0.5) / PLACES
        self._spots = np.stack(np.meshgrid(spots, spots, indexing="ij"), -1).reshape(-1, 2)
        self._visits = np.zeros(len(self._spots))

    def __len__(self) -> int:
        return self.count

    def tell(self, part: slice, falls: Numbers) -> None:
        """Take how far the scores fell under windows, `[b, targets]`."""
        self.falls[part] = falls
        self._told = part.stop

    def placed(self, at: Numbers, width: Numbers) -> None:
        """Take where all windows lie, `[n, 2]` in parts of the view, and their widths `[n]`."""
        self.at[:], self.width[:] = at, width
        self._placed = self.count

    def sides(self, first: int, last: int, points: Sequence[Numbers]) -> tuple[Numbers, Numbers]:
        """Return each window's bell down and across, `[n, points]`, at parts of the view."""
        at, width = self.at[first:last], self.width[first:last, None]
        down, across = (
            np.exp(-np.square((where - at[:, side, None]) / width) / 2)
            for side, where in enumerate(points)
        )
        return down, across

    def map(self, first: int, target: int, size: tuple[int, int]) -> Numbers:
        """Return the map of the first windows: at each place the mean fall, by how much each hid.

        A window counts the more, the smaller it is.
        """
        points = [(np.arange(side) + 0.5) / side for side in size]
        down, across = self.sides(0, first, points)
        small = 1 / self.width[:first] ** 2
        fell = (down * (small * self.falls[:first, target])[:, None]).T @ across
        hid = (down * small[:, None]).T @ across
        made: Numbers = fell / (hid + 1e-6)
        return made

    def _place(self) -> None:
        """Place the next round."""
        start = self._placed
        end, known = min(start + ROUND, self.count), min(start - ROUND, self._told)
        maps = []
        for target in range(self.falls.shape[1]):
            found = np.zeros(len(self._spots))
            if known > 0:
                found = np.maximum(self.map(known, target, (PLACES, PLACES)).ravel(), 0)
            maps.append(found / max(float(found.max()), 1e-30) + EVERYWHERE)
        for at in range(start, end):
            worth = maps[at % len(maps)] / np.square(1 + self._visits)
            best = self._spots[int(np.argmax(worth))]
            away = np.square(self._spots - best).sum(1)
            self._visits += np.exp(-away / (2 * (CROWDED * NARROW * self.wide) ** 2))
            self.at[at] = best
        self._placed = end

    def write(self, out: Array, start: int) -> None:
        """Write masks `start .. start + len(out)` into `out`, float32 `[b, h, w]` in 0..1."""
        while self._placed < start + len(out):
            self._place()
        points = [(np.arange(side) + 0.5) / side for side in self.size]
        down, across = self.sides(start, start + len(out), points)
        np.multiply(down[:, :, None], across[:, None], out=out, casting="unsafe")
        np.subtract(1, out, out=out)


@explainer
class AdaptiveMasks(Explainer):
    """How far the score falls under soft windows, out of a few hundred passes.

    A coarse grid of bell-shaped windows hides the photo bit by bit; finer ones then go where the
    score fell most and where no other has been, a round at a time, so that the network is used as
    well as by masks that were known before. Each place gets the mean fall, weighed by how much each
    window hid of it and by how small it is. Placing masks where they tell most is the idea of AISE
    (adaptive input sampling). It is for models that are slow, and nothing in it is random; RISE of
    as many masks did as well or better where both were measured.
    """

    title: ClassVar[str] = "Adaptive masks"
    place: ClassVar[int] = 25
    family: ClassVar[Family] = "perturbation"
    shows: ClassVar[str] = (
        "Where hiding lowers the score, coarse first and finer then, in few passes."
    )
    reference: ClassVar[str] = "https://github.com/openvinotoolkit/openvino_xai"
    needs: ClassVar[tuple[type, ...]] = (MasksFast,)
    signed: ClassVar[bool] = True
    together: ClassVar[bool] = True
    quick: ClassVar[bool] = True
    arrays: ClassVar[Mapping[str, Shape]] = MappingProxyType(
        {
            "falls": Shape("<f4", ("",), most=1000, optional=True),
            "windows": Shape("<f4", ("", 3), most=3000, optional=True),
        }
    )
    engines: ClassVar[tuple[Engine, ...]] = (Engine(name="ours", run=_ours),)

    passes: int = number(
        150,
        50,
        1000,
        step=10,
        unit="passes",
        help="How often the model is asked. 100 to 300 serve; more make the fine windows denser.",
    )
    coarse: int = number(
        6,
        3,
        16,
        unit="windows",
        help="Coarse windows along each side, which come first. The fine ones are about half as "
        "wide.",
        more=True,
    )
    fill: str = fill("what is hidden", ("grey", "mean", "blur", "black"))

    def __post_init__(self) -> None:
        """Check each value, and that there are passes for all coarse windows. Raises ParamError."""
        super().__post_init__()
        if self.coarse**2 >= self.passes:
            raise ParamError(
                f"AdaptiveMasks.coarse must be at most {int((self.passes - 1) ** 0.5)} windows for "
                f"{self.passes} passes, which must cover the photo once, got {self.coarse}"
            )

    def weighed(
        self, model: Any, image: Array, targets: Sequence[Target], progress: Progress
    ) -> list[Raw]:
        """Return the result for each target; all are asked about the same windows."""
        size: tuple[int, int] = model.input_size
        outputs, head = targets[0].outputs(model, image[None]), getattr(model, "head", None)
        wholes = np.array([float(target.score(outputs, head)[0]) for target in targets])
        progress(1, self.passes)
        windows = Windows(size, self.passes - 1, self.coarse, len(targets))
        hidden, batch = baseline(self.fill, image), at_once(size, ROUND)
        for part, found in model.masked_scores(image, windows, hidden, targets, batch):
            windows.tell(part, wholes - found)
            if part.stop < len(windows):
                progress(part.stop + 1, self.passes, self.drawn(windows, part.stop, 0))
        made = [
            self._made(model, image, target, windows, at, float(wholes[at]))
            for at, target in enumerate(targets)
        ]
        progress(self.passes, self.passes, made[0].attribution)
        return made

    def drawn(self, windows: Windows, first: int, target: int) -> Array:
        """Return the map of the first windows; it is smooth, so a quarter of the places will do."""
        few = (max(1, windows.size[0] // 2), max(1, windows.size[1] // 2))
        return resize(
            np.asarray(windows.map(first, target, few), np.float32), windows.size, "linear"
        )

    def _made(
        self, model: Any, image: Array, target: Target, windows: Windows, at: int, whole: float
    ) -> Raw:
        falls = windows.falls[:, at]
        wide = self.coarse**2
        way = (
            f"{wide} coarse windows hid the photo first, and {len(windows) - wide} fine ones then."
        )
        if windows.falls.shape[1] > 1:
            way += (
                f" The {windows.falls.shape[1]} questions of this run took turns in placing them."
            )
        notes: tuple[str, ...] = ()
        if np.ptp(falls) == 0:
            notes = (
                diagnosis.independent(model, image, target)
                or diagnosis.saturated(target, whole)
                or f"The {target.number} is the same under all windows, so there is nothing to "
                "weigh: hide with another colour.",
            )
        return Raw(
            attribution=self.drawn(windows, len(windows), at),
            scalars={"score": whole, "largest_fall": float(falls.max()), "coarse_windows": wide},
            grain=self.grain(model),
            arrays={
                "falls": falls.astype(np.float32),
                "windows": np.column_stack([windows.at, windows.width]).astype(np.float32),
            },
            notes=notes,
            way=way,
        )

    def grain(self, model: Sized) -> Veils:
        """Return how wide a fine window is, where it hides half or more."""
        across = 2.355 * NARROW * WIDE / self.coarse
        height, width = (int(np.clip(round(side * across), 1, side)) for side in model.input_size)
        return Veils(height=height, width=width)

    def cost(self, model: Sized) -> Cost:
        """As many forward passes as were asked for, one of them for the whole view."""
        return Cost(forward=self.passes)
