"""How a map lies in a layer's output, and on what evidence."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from loaders.options import Maps
from loaders.torch.axes import Axes, Grid, Shape
from xai_core.model import Finding

MAX_PREFIX = 16
"""The most tokens beside a map's cells: class, distillation and registers."""

_PARTITIONED = ("grid_attention", "window_attention")
"""Parts of MaxViT that see the map cut into windows, so that their outputs are no maps."""

_PATCHES = (32, 16, 14, 8, 4, 2, 28, 12, 10, 7, 20, 25)
"""Sides of patches, the commoner first."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where photos, height, width and channels stand; of a grid, where photos, cells, channels."""

    order: tuple[int, ...]
    grid: Grid | None = None

    def as_map(self, output: Any) -> Any:
        """Return a tensor `[N, map h, map w, channels]` from a layer's output."""
        output = output.permute(self.order)
        if self.grid is None:
            return output
        height, width, before = self.grid.height, self.grid.width, self.grid.before
        cells = output[:, before : before + height * width]
        return cells.reshape(len(output), height, width, -1)

    def from_map(self, maps: Any, output: Any) -> Any:
        """Return a layer's output that holds `maps`; tokens beside the cells are `output`'s own."""
        import torch

        made = maps.to(output.dtype)
        if self.grid is not None:
            ordered, before = output.permute(self.order), self.grid.before
            made = made.flatten(1, 2)
            after = ordered[:, before + made.shape[1] :]
            made = torch.cat([ordered[:, :before], made, after], 1)
        places = sorted(range(len(self.order)), key=lambda place: self.order[place])
        made = made.permute(places)
        return made.contiguous() if output.is_contiguous() else made


FIRST, LAST = Layout((0, 2, 3, 1)), Layout((0, 1, 2, 3))
"""Channels first, and channels last."""

Seen = Mapping[str, tuple[Shape, Axes | None]]


def decide(
    seen: Seen, batch: int, size: tuple[int, int], asked: Maps | None
) -> tuple[dict[str, Layout], tuple[Finding, ...]]:
    """Return how the map lies in each output that holds one, and what was guessed of it.

    The axes that were followed through the network decide. An output where they were lost is read
    by its sides, against the photo's and the maps that are known; where these fit both ways,
    `asked` decides, or channels are taken to come first.
    """
    found: dict[str, Layout] = {}
    lost: dict[str, Shape] = {}
    for name, (shape, axes) in seen.items():
        if any(part in name for part in _PARTITIONED) or len(shape) not in (3, 4):
            continue
        if axes is not None and any(axis in ("h", "w") or isinstance(axis, Grid) for axis in axes):
            if layout := _followed(shape, axes, batch):
                found[name] = layout
        elif shape[0] == batch:
            lost[name] = shape
    maps, grids = _known(seen, found)
    guessed: list[str] = []
    rows: list[str] = []
    for name, shape in lost.items():
        if len(shape) == 4:
            layouts = _by_sides(shape, size, maps)
            if len(layouts) > 1:
                guessed.append(name)
            if layouts:
                found[name] = LAST if len(layouts) > 1 and asked == "channels-last" else layouts[0]
        elif shape[1] in grids:
            found[name] = Layout((0, 1, 2), grids[shape[1]])
        elif not grids and (grid := _by_count(shape[1], size, maps)):
            found[name] = Layout((0, 1, 2), grid)
            rows.append(name)
    order = {name: found[name] for name in seen if name in found}
    return order, (*_said(guessed, asked), *_rows(rows, order))


def _followed(shape: Shape, axes: Axes, batch: int) -> Layout | None:
    places = {axis: place for place, axis in enumerate(axes) if isinstance(axis, str)}
    grid = next((place for place, axis in enumerate(axes) if isinstance(axis, Grid)), None)
    if grid is not None:
        if len(shape) != 3 or places.keys() & {"h", "w"}:
            return None
        photos = places.get("n", 0 if grid != 0 else 1)
        cells = axes[grid]
        if shape[photos] != batch or min(cells.height, cells.width) < 2:
            return None
        (channels,) = {0, 1, 2} - {photos, grid}
        return Layout((photos, grid, channels), cells)
    if len(shape) != 4 or not {"h", "w"} <= places.keys():
        return None
    height, width = places["h"], places["w"]
    photos = places.get("n", 0)
    rest = {0, 1, 2, 3} - {height, width, photos}
    if len(rest) != 1 or shape[photos] != batch or min(shape[height], shape[width]) < 2:
        return None
    return Layout((photos, height, width, rest.pop()))


def _known(seen: Seen, found: Mapping[str, Layout]) -> tuple[set[Shape], dict[int, Grid]]:
    """Return the sides of the maps and the grids, by their number of tokens, that are certain."""
    maps: set[Shape] = set()
    grids: dict[int, Grid] = {}
    for name, layout in found.items():
        shape = seen[name][0]
        if layout.grid is not None:
            grids[shape[layout.order[1]]] = layout.grid
        else:
            maps.add((shape[layout.order[1]], shape[layout.order[2]]))
    return maps, grids


def _by_sides(shape: Shape, size: tuple[int, int], maps: set[Shape]) -> list[Layout]:
    """Return the layouts that an output's sides allow: a map has its photo's, made smaller."""
    sides = ((FIRST, shape[2:]), (LAST, shape[1:3]))
    fitting = [
        (layout, pair)
        for layout, pair in sides
        if min(pair) > 1 and max(pair) <= max(size) and _is_like(pair, size)
    ]
    sure = [layout for layout, pair in fitting if pair in maps]
    return sure if len(sure) == 1 else [layout for layout, _ in fitting]


def _is_like(pair: Shape, size: tuple[int, int]) -> bool:
    return abs(pair[0] - pair[1] * size[0] / size[1]) < 1


def _by_count(count: int, size: tuple[int, int], maps: set[Shape]) -> Grid | None:
    """Return the grid that a number of tokens is: of a known map, of patches, or a square."""
    known = [(pair[0], pair[1]) for pair in maps]
    cut = [
        (size[0] // side, size[1] // side)
        for side in _PATCHES
        if not size[0] % side and not size[1] % side
    ]
    for height, width in (*known, *cut):
        if min(height, width) > 2 and 0 <= count - height * width <= MAX_PREFIX // 2:
            return Grid(height, width, before=count - height * width)
    side = int(count**0.5)
    if side > 2 and count - side * side in (0, 1):
        return Grid(side, side, before=count - side * side)
    return None


def _said(names: list[str], asked: Maps | None) -> tuple[Finding, ...]:
    if not names:
        return ()
    way = asked or "channels-first"
    told = "as was said" if asked else "which nothing in the network tells"
    return (
        Finding(
            "info" if asked else "warning",
            f"The maps of {_list(names)} are read as {way}, {told}. If pictures of these layers "
            "look shuffled, choose how inner maps lie (--layout).",
            "layout",
        ),
    )


def _rows(names: list[str], found: Mapping[str, Layout]) -> tuple[Finding, ...]:
    if not names:
        return ()
    grid = found[names[-1]].grid or Grid(0, 0)
    others = f" after {grid.before} other{'s' * (grid.before > 1)}" if grid.before else ""
    return (
        Finding(
            "warning",
            f"The tokens of {_list(names)} are read as a map of {grid.height} x {grid.width} cells"
            f"{others}, told from their number and the photo's size alone. If pictures of these "
            "layers look shuffled, choose another layer.",
            "layout",
        ),
    )


def _list(names: list[str]) -> str:
    shown = ", ".join("".join(c for c in name[:60] if c.isprintable()) for name in names[:2])
    return f"{shown} and {len(names) - 2} more layers" if len(names) > 2 else shown
