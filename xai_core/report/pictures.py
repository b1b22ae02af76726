"""Photo, map and overlay as pixels in one frame and size, for what is printed or handed on."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from xai_core import colormaps, render
from xai_core.explanation import Explanation
from xai_core.model import Geometry
from xai_core.report.scales import Scale

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]

UNSEEN = (236, 236, 232)
"""What a map shows where the model saw nothing of the photo."""
VEIL = 0.6
"""How much of the photo's own colour that place loses beside it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Look:
    """How the reader has the map on the screen.

    `palette` is a colour map (empty: the usual one), `cells` says that the layer's own cells are
    shown where there are some, and `opacity` how much the colour covers the photo.
    """

    palette: str = ""
    cells: bool = False
    opacity: float = render.OPACITY

    def colours(self, signed: bool) -> str:
        """Return the colour map; the usual one where the chosen one is of the other kind."""
        names = render.choices(signed)
        return self.palette if self.palette in names else names[0]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Pictures:
    """Three pictures, uint8 `[H, W, 3]`: the photo as the model saw it, the overlay, the map."""

    photo: Pixels
    over: Pixels
    map: Pixels


def pictures(
    photo: Pixels, explanation: Explanation, scale: Scale, look: Look, *, side: int
) -> Pictures:
    """Return the pictures, their longer side `side` pixels long; a small photo is enlarged."""
    fitted, placed = _fitted(photo, explanation.placed, side)
    values, seen = _spread(explanation, placed, look.cells)
    values = scale.values(explanation, values)
    colour = render.colours(
        values, signed=scale.signed, cmap=look.colours(scale.signed), vmax=scale.top
    )
    cover = look.opacity * render.strength(values, scale.top)[..., None]
    unseen = np.array(UNSEEN, np.float32)
    plain = np.where(seen[..., None], fitted, fitted * (1 - VEIL) + unseen * VEIL)
    over = fitted * (1 - cover) + colour * cover
    return Pictures(
        photo=_bytes(plain),
        over=_bytes(np.where(seen[..., None], over, fitted)),
        map=_bytes(np.where(seen[..., None], colour, unseen)),
    )


def bar(scale: Scale, look: Look) -> Pixels:
    """Return the colour bar, uint8 `[1, 256, 3]`, from the lowest number to the highest."""
    return colormaps.table(look.colours(scale.signed))[None]


def _fitted(photo: Pixels, placed: Geometry, side: int) -> tuple[Array, Geometry]:
    """Return the photo in its new size, float32 `[H, W, 3]`, and where the view lies in it."""
    from PIL import Image

    height, width = photo.shape[:2]
    factor = side / max(height, width)
    new = max(1, round(height * factor)), max(1, round(width * factor))
    image = Image.fromarray(np.ascontiguousarray(photo))
    if factor < 1:
        image = image.resize((new[1], new[0]), Image.Resampling.BOX, reducing_gap=2)
    else:
        image = image.resize((new[1], new[0]), Image.Resampling.BICUBIC)
    down, across = new[0] / placed.photo[0], new[1] / placed.photo[1]
    top, left, bottom, right = placed.box
    box = (top * down, left * across, bottom * down, right * across)
    return np.asarray(image, np.float32), Geometry(photo=new, box=box, view=placed.view)


def _spread(
    explanation: Explanation, placed: Geometry, cells: bool
) -> tuple[Array, NDArray[np.bool_]]:
    """Return the map in the photo's frame, `[H, W]`, and what of the photo the view shows."""
    own = explanation.grain.cells if cells else None
    drawn = explanation.attribution if own is None else own
    top, left, bottom, right = placed.box
    rows, in_rows = _places(top, bottom, placed.photo[0], drawn.shape[0])
    columns, in_columns = _places(left, right, placed.photo[1], drawn.shape[1])
    values = render.to_upload(drawn, placed) if own is None else drawn[np.ix_(rows, columns)]
    return values, in_rows[:, None] & in_columns[None, :]


def _places(
    start: float, end: float, length: int, cells: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For each pixel of a side: the cell that it lies in, and whether the view shows it."""
    centre = (np.arange(length) + 0.5 - start) / (end - start)
    return np.clip(np.floor(centre * cells).astype(np.int64), 0, cells - 1), (centre >= 0) & (
        centre < 1
    )


def _bytes(values: NDArray[np.floating]) -> Pixels:
    return np.asarray(np.rint(values), np.uint8)
