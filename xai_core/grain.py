"""The smallest unit of a map that is honest: what is finer than it is not the method's."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core.plain import Family

Array = NDArray[np.float32]


class Grain(Family):
    """Base of the grains: sentences, captions and doubts about detail follow from it."""

    @property
    def cells(self) -> Array | None:
        """The map before it was smoothed, where it was."""
        return None

    @property
    def caption(self) -> str:
        """What a figure adds about it, ', from 7 x 7 cells', or nothing."""
        return ""

    def drawn(self, *, cells: bool = False) -> str:
        """Say how a picture shows the map: smoothed, or its own `cells` where it has some."""
        return "pixel by pixel"

    def doubt(self, view: tuple[int, int]) -> str:
        """Say what detail the map of a view cannot have, or nothing."""
        return ""

    def check(self, view: tuple[int, int]) -> None:
        """Raise ValueError where it cannot be that of a map of a view."""


@dataclasses.dataclass(frozen=True)
class Pixels(Grain):
    """Each pixel for itself."""

    kind: ClassVar[str] = "pixels"


PIXELS = Pixels()


@dataclasses.dataclass(frozen=True, eq=False)
class Cells(Grain):
    """The cells of a layer's map of `rows` x `columns`.

    `map` float32 `[rows, columns]` is what was smoothed, where the engine hands it out, and
    `smoothing` how it was enlarged.
    """

    kind: ClassVar[str] = "cells"

    rows: int
    columns: int
    map: Array | None = None
    smoothing: str = "linear"

    @property
    def cells(self) -> Array | None:
        """The layer's map."""
        return self.map

    @property
    def caption(self) -> str:
        """Say of how many cells it was made, which is true of the cells and of what is smooth."""
        return f", from {self.rows} x {self.columns} cells"

    def drawn(self, *, cells: bool = False) -> str:
        """Say whether the cells themselves are shown, or smoothed."""
        bare = self.smoothing == "nearest" or (cells and self.map is not None)
        how = "in" if bare else "smoothed from"
        return f"{how} the layer's {self.rows} x {self.columns} cells"

    def doubt(self, view: tuple[int, int]) -> str:
        """Say how wide a cell is, or that there is but one."""
        if self.rows == self.columns == 1:
            return (
                "The layer's map is 1 x 1: one value for the whole photo, which tells no place. "
                "Choose an earlier layer."
            )
        cell = max(view[0] / self.rows, view[1] / self.columns)
        if cell <= 2:
            return ""
        so = "can show" if self.smoothing == "nearest" else "is the model's own"
        return (
            f"The layer's map is {self.rows} x {self.columns}: a cell is {cell:.0f} pixels wide, "
            f"so nothing smaller {so}."
        )

    def check(self, view: tuple[int, int]) -> None:
        """Raise ValueError for what is no map."""
        if not (1 <= self.rows <= 1 << 12 and 1 <= self.columns <= 1 << 12):
            raise ValueError("cells that are no map")
        if self.map is not None and (
            self.map.shape != (self.rows, self.columns) or not np.isfinite(self.map).all()
        ):
            raise ValueError("cells that are no map")


@dataclasses.dataclass(frozen=True)
class Patches(Grain):
    """Rectangles that were hidden, in pixels of the view."""

    kind: ClassVar[str] = "patches"

    height: int
    width: int

    def drawn(self, *, cells: bool = False) -> str:
        """Say what was hidden at a time."""
        return f"from patches of {self.height} x {self.width} px"

    def doubt(self, view: tuple[int, int]) -> str:
        """Say how large a patch is."""
        return (
            f"The patch is {max(self.height, self.width)} pixels: nothing smaller can show, and "
            "hiding a part makes a photo that the model never met in training."
        )

    def check(self, view: tuple[int, int]) -> None:
        """Raise ValueError for patches that the view does not hold."""
        if not (1 <= self.height <= view[0] and 1 <= self.width <= view[1]):
            raise ValueError("patches larger than the view")


@dataclasses.dataclass(frozen=True)
class Veils(Patches):
    """Soft cells of random masks, `height` x `width` pixels of the view each."""

    kind: ClassVar[str] = "veils"

    def drawn(self, *, cells: bool = False) -> str:
        """Say how large a cell is."""
        return f"from masks with soft cells of {self.height} x {self.width} px"

    def doubt(self, view: tuple[int, int]) -> str:
        """Say that cells blur."""
        return (
            f"A cell of the masks is {max(self.height, self.width)} pixels wide and soft: what is "
            "smaller is blurred to that width, and a masked photo is one that the model never met "
            "in training."
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Superpixels(Grain):
    """Segments with one weight each: `labels` int32 `[h, w]` from 0, `weights` float64 `[n]`."""

    kind: ClassVar[str] = "superpixels"

    labels: NDArray[np.int32]
    weights: NDArray[np.float64]

    def drawn(self, *, cells: bool = False) -> str:
        """Say how many parts have a weight."""
        return f"in {len(self.weights):,} superpixels"

    def check(self, view: tuple[int, int]) -> None:
        """Raise ValueError where labels are not the numbers of weights."""
        labels, weights = self.labels, self.weights
        good = labels.shape == view and labels.dtype.kind in "iu" and labels.size > 0
        good = good and weights.ndim == 1 and bool(np.isfinite(weights).all())
        if not good or labels.min() < 0 or labels.max() >= len(weights):
            raise ValueError("superpixels that do not fit the map")
