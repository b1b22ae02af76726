"""ReciproCAM: the score that is left when a layer keeps one cell."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import straight
from xai_core.cam import LayerMap, drawn, rest
from xai_core.card import Cost
from xai_core.explainer import Engine, Progress, Raw, Sized, explainer
from xai_core.layers import layer_of
from xai_core.model import RunsFrom
from xai_core.params import choice
from xai_core.target import Target
from xai_core.task import Shape

Array = NDArray[np.float32]
TOGETHER = 16
"""Maps that go through the rest of the network at once."""
ENOUGH = 2 * straight.PROBES
"""Cells up to which keeping each takes no longer than finding out whether one must."""
USUAL = 49
"""Cells that are reckoned with where nothing is known of the layer."""
GAUSSIAN = np.outer([1, 2, 1], [1, 2, 1]).astype(np.float32) / 16


def _ours(
    method: ReciproCAM, model: RunsFrom, image: Array, target: Target, progress: Progress
) -> Raw:
    method.asked(target)
    maps = method.maps(model, image)
    cells = maps.shape[0] * maps.shape[1]
    total = cells + 2

    def scores(kept: Array) -> Array:
        return target.score(model.run_from(method.layer, kept, image), model.head)

    line = None
    if cells > ENOUGH:
        line = straight.line(model, method.layer, maps, image, target)
    if line is not None:  # what a cell adds to nothing is its values times their slopes
        adds = straight.adds(maps, line.slopes)
        empty = line.whole - float(adds.sum())
        found = (empty + method.windowed(adds).ravel()).astype(np.float32)
        progress(total, total)
    else:
        empty = float(scores(np.zeros_like(maps)[None])[0])
        progress(2, total)
        found = np.full(cells, empty, np.float32)
    for start in range(0, cells if line is None else 0, TOGETHER):
        stop = min(start + TOGETHER, cells)
        found[start:stop] = scores(method.kept(maps, start, stop))
        so_far = method.counted(found.reshape(maps.shape[:2]), empty)
        progress(stop + 2, total, method.raw(so_far, model.input_size).attribution)
    cam = method.counted(found.reshape(maps.shape[:2]), empty)
    notes: tuple[str, ...] = ()
    if not np.any(cam):
        notes = method.notes(model, image, target, cam, found - np.float32(empty))
    return method.raw(
        cam,
        model.input_size,
        scalars={"empty": empty, "highest": float(found.max())},
        arrays={"scores": found},
        notes=notes,
        passes=None if line is None else 2 + straight.PROBES,
    )


@explainer
class ReciproCAM(LayerMap):
    """How high the score is when a layer keeps one cell and forgets all others.

    Every cell of the layer's map in turn is left alone, all others are set to zero, and the rest of
    the network gives the score of that cell (Byun and Lee 2022). No gradient is needed. In a Vision
    transformer the class token and what goes round the layer stay as they are, and the layer is the
    norm before the last attention (Byun and Lee 2023, arXiv:2310.02588). The papers follow the
    probability: choose it for their map. Where the rest is a straight line, as behind an average
    over all places and one dense layer, all cells' scores come from one pass back through it.
    """

    title: ClassVar[str] = "ReciproCAM"
    place: ClassVar[int] = 26
    shows: ClassVar[str] = "How high the score is when a layer keeps one cell only."
    reference: ClassVar[str] = "arXiv:2209.14074"
    needs: ClassVar[tuple[type, ...]] = (RunsFrom,)
    arrays: ClassVar[Mapping[str, Shape]] = {
        "scores": Shape("<f4", ("",), most=1 << 20, optional=True)
    }
    engines: ClassVar[tuple[Engine, ...]] = (Engine(name="ours", run=_ours, units=False),)

    window: str = choice(
        "cell",
        ("cell", "gaussian"),
        help="What is kept: one cell, or it and its neighbours under a 3 x 3 Gaussian, which "
        "smooths the map of a Vision transformer.",
        label="What is kept",
        titles={"cell": "one cell", "gaussian": "3 x 3 cells, Gaussian"},
    )
    base: str = choice(
        "lowest",
        ("lowest", "empty"),
        help="From what the map is counted: from its lowest cell, as in the papers, or from the "
        "score of a layer that keeps nothing, so that a cell that adds nothing is 0 and one that "
        "speaks against the class is below it.",
        label="Counted from",
        more=True,
        titles={"lowest": "the lowest cell, as in the papers", "empty": "an empty layer"},
    )

    def kept(self, maps: Array, start: int, stop: int) -> Array:
        """Return the layer's map with all but some cells set to zero, for cells of those numbers.

        float32 `[stop - start, mh, mw, channels]`; cells count row by row.
        """
        rows, columns = maps.shape[:2]
        masks = np.zeros((stop - start, rows + 2, columns + 2), np.float32)
        for mask, cell in zip(masks, range(start, stop), strict=True):
            row, column = divmod(cell, columns)
            if self.window == "gaussian":
                mask[row : row + 3, column : column + 3] = GAUSSIAN
            else:
                mask[row + 1, column + 1] = 1
        return masks[:, 1:-1, 1:-1, None] * maps

    def windowed(self, adds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what each kept window adds, of what each cell adds, both `[mh, mw]`."""
        if self.window == "cell":
            return adds
        padded, (rows, columns) = np.pad(adds, 1), adds.shape
        parts = (
            GAUSSIAN[y, x] * padded[y : y + rows, x : x + columns]
            for y in range(3)
            for x in range(3)
        )
        return np.asarray(np.sum([*parts], 0), np.float64)

    def counted(self, scores: Array, empty: float) -> Array:
        """Return the map `[mh, mw]` of scores `[mh, mw]`."""
        return scores - (scores.min() if self.base == "lowest" else np.float32(empty))

    def raw(self, cam: Array, size: tuple[int, int], **more: object) -> Raw:
        """Return the map, drawn over a view of `size`."""
        return drawn(cam, size, self.smoothing, signed=self.base == "empty", **more)

    def cut(self) -> str:
        """Say that no cell stands out."""
        return f"Every cell of {self.layer} alone gets the same score: choose another layer."

    def cost(self, model: Sized) -> Cost:
        """One pass up to the layer, and one through the rest for each cell and for none.

        Fewer where the rest turns out to be a straight line.
        """
        row = layer_of(model, self.layer)
        cells = row.map_size[0] * row.map_size[1] if row else USUAL
        return dataclasses.replace(rest(model, self.layer, 1 + cells), at_most=cells > ENOUGH)
