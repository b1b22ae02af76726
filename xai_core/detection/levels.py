"""What the levels of a detector's backbone hold of a photo, as a film: one picture a level."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from xai_core import render, stage
from xai_core.film import Film, Frame, Step
from xai_core.report.numbers import counted
from xai_core.result import Result

Array = NDArray[np.float32]
SHOWN = 4
"""Channels of each level that are drawn."""

SECONDS = 2.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Levels(Result):
    """The levels by name, from the finest on.

    `maps` are float32 `[1 + shown, mh, mw]`: the mean size of all channels' values, and the values
    of those `shown` whose mean size is the largest; `numbers` says which, `channels` of how many.
    """

    maps: Mapping[str, Array]
    numbers: Mapping[str, tuple[int, ...]]
    channels: Mapping[str, int]


def summed_up(values: Array) -> tuple[Array, tuple[int, ...]]:
    """Return what is drawn of a level's values `[mh, mw, channels]`, and which channels."""
    size = np.abs(values)
    order = np.argsort(-size.mean((0, 1)), kind="stable")[:SHOWN]
    maps = np.concatenate([size.mean(2)[None], values[..., order].transpose(2, 0, 1)])
    return np.ascontiguousarray(maps, np.float32), tuple(int(number) for number in order)


def film(levels: Levels, view: Array) -> Film:
    """Draw each level: the size of its values, and its strongest channels beside it."""
    size = stage.frame_size((view.shape[0], view.shape[1]))
    photo = stage.fitted(render.pixels(view), size)
    frames = [_frame(levels, name, view, size) for name in levels.maps]
    first = stage.Stage([(photo, "The photo, as the detector gets it")]).done()
    count = counted(len(levels.maps), "level")
    whole = (
        f"The backbone makes {count} of the photo: finer ones for small objects, coarser ones for "
        "large ones. All objects are in each of them; which box is asked about is not."
    )
    return Film(
        title="What the levels hold",
        frames=(Frame(first, whole), *frames),
        seconds=SECONDS,
        still=frames[0],
        steps=(Step(whole, tuple(_thumbnail(levels, name, size) for name in levels.maps)),),
    )


def sentence(levels: Levels, name: str, view: tuple[int, int]) -> str:
    """Say how fine a level is."""
    rows, columns = levels.maps[name].shape[1:]
    pixels = max(view[0] / rows, view[1] / columns)
    numbers = ", ".join(str(number) for number in levels.numbers[name])
    return (
        f"Level {name}: {rows} x {columns} cells of about {pixels:.0f} pixels a side, with "
        f"{levels.channels[name]:,} channels. Left the mean size of all values, right those of "
        f"the channels {numbers}, which are the largest."
    )


def _frame(levels: Levels, name: str, view: Array, size: tuple[int, int]) -> Frame:
    mean, *channels = levels.maps[name]
    drawn = stage.Stage(
        [
            (_map(mean, size), f"Level {name}, all channels"),
            (_grid(channels, size), "Its strongest channels"),
        ]
    )
    return Frame(drawn.done(), sentence(levels, name, (view.shape[0], view.shape[1])))


def _thumbnail(levels: Levels, name: str, size: tuple[int, int]) -> Frame:
    rows, columns = levels.maps[name].shape[1:]
    small = (max(1, size[0] // 2), max(1, size[1] // 2))
    return Frame(_map(levels.maps[name][0], small), f"Level {name}, {rows} x {columns} cells")


def _map(values: Array, size: tuple[int, int]) -> NDArray[np.uint8]:
    signed = bool((values < 0).any())
    top = float(np.abs(values).max(initial=0)) or 1.0
    return stage.coloured(np.ascontiguousarray(values), size, signed=signed, vmax=top)


def _grid(channels: list[Array], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return channels as tiles, two in a row, each on a scale of its own."""
    made = np.full((*size, 3), stage.GROUND, np.uint8)
    rows = math.ceil(len(channels) / 2)
    tall, wide = size[0] // max(rows, 1), size[1] // 2
    for at, values in enumerate(channels):
        top, left = (at // 2) * tall, (at % 2) * wide
        tile = _map(values, (max(tall - 4, 1), max(wide - 4, 1)))
        made[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return made
