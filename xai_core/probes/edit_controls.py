"""The controls of an edit: what was done to a drawn part, done to a region as large elsewhere.

Only what the model sees of the photo counts: a region is rolled over the edges of that window, so
that a control changes as many of the pixels that are seen as the edit does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError
from xai_core.probes.areas import shifts
from xai_core.probes.edits import Act, Drawn, edited, landing
from xai_core.probes.fills import FILLS, INPAINTED, filled
from xai_core.region import Region

Pixels = NDArray[np.uint8]
Area = NDArray[np.bool_]
Shift = tuple[int, int]


def drawn_shifts(window: Region, draws: int, seed: int) -> list[Shift]:
    """Draw how far each control's region is rolled, in rows and columns of the window."""
    sides = (window.bottom - window.top, window.right - window.left)
    made = shifts(sides, draws, np.random.default_rng(seed))
    return [(int(down), int(across)) for down, across in made]


def rolled(area: Area, window: Region, shift: Shift) -> Area:
    """Return the part of an area bool `[H, W]` that lies in the window, rolled over its edges."""
    made = np.zeros_like(area)
    inside = (slice(window.top, window.bottom), slice(window.left, window.right))
    made[inside] = np.roll(area[inside], shift, (0, 1))
    return made


def control(
    photo: Pixels,
    drawn: Drawn,
    act: Act,
    window: Region,
    shift: Shift,
    *,
    fill: str = FILLS[0],
    into: Pixels | None = None,
) -> Pixels:
    """Return the photo uint8 `[H, W, 3]` with a region in place of the drawn part edited as it was.

    Hidden or kept, the region is the drawn part rolled by `shift`. Moved, it is that region, and it
    goes as far as the part did. Pasted, its pixels lie where the part's would. `window` is what the
    model sees of the photo that is changed (`into`, where there is one). Raises ParamError as
    `edited` does.
    """
    edited(photo, drawn, act, fill=fill, into=into)  # refused as the edit itself
    area = drawn.area((photo.shape[0], photo.shape[1]))
    if act in ("hide", "keep"):
        elsewhere = rolled(area, window, shift)
        return _hidden(photo, elsewhere if act == "hide" else ~elsewhere, fill)
    target = photo if into is None else into
    rows, columns = np.nonzero(area)
    by = drawn.by if into is None else landing(area, drawn.by, (into.shape[0], into.shape[1]))
    to_rows, to_columns = rows + by[0], columns + by[1]
    if act == "move":
        return _moved(photo, area, (to_rows, to_columns), window, shift)
    on = _on(to_rows, to_columns, target)
    from_rows, from_columns = _around(rows[on], columns[on], _whole(photo), shift)
    made = target.copy()
    made[to_rows[on], to_columns[on]] = photo[from_rows, from_columns]
    return made


def _moved(
    photo: Pixels,
    area: Area,
    goes: tuple[NDArray[np.intp], NDArray[np.intp]],
    window: Region,
    shift: Shift,
) -> Pixels:
    """Move the rolled region as far as the part went; its place is continued from round it."""
    made = _hidden(photo, rolled(area, window, shift), INPAINTED)
    rows, columns = np.nonzero(area)
    on = _within(*goes, window)
    start = _around(rows[on], columns[on], window, shift)
    end = _around(goes[0][on], goes[1][on], window, shift)
    made[end] = photo[start]
    return made


def _hidden(photo: Pixels, hidden: Area, fill: str) -> Pixels:
    view = photo.astype(np.float32) / np.float32(255)
    made = np.rint(filled(view, hidden, fill) * 255).astype(np.uint8)
    made[~hidden] = photo[~hidden]
    return made


def _whole(photo: Pixels) -> Region:
    return Region(0, 0, photo.shape[0], photo.shape[1])


def _within(rows: NDArray[np.intp], columns: NDArray[np.intp], window: Region) -> NDArray[np.bool_]:
    return np.asarray(
        (rows >= window.top) & (rows < window.bottom)
        & (columns >= window.left) & (columns < window.right)
    )  # fmt: skip


def _on(rows: NDArray[np.intp], columns: NDArray[np.intp], photo: Pixels) -> NDArray[np.bool_]:
    return _within(rows, columns, _whole(photo))


def _around(
    rows: NDArray[np.intp], columns: NDArray[np.intp], window: Region, shift: Shift
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return places rolled by `shift` over the window's edges."""
    sides = (window.bottom - window.top, window.right - window.left)
    return (
        window.top + (rows - window.top + shift[0]) % sides[0],
        window.left + (columns - window.left + shift[1]) % sides[1],
    )


def touches(
    photo: Pixels, drawn: Drawn, act: Act, window: Region, into: Pixels | None = None
) -> None:
    """Raise ParamError where an edit changes nothing of what the model sees."""
    area = drawn.area((photo.shape[0], photo.shape[1]))
    rows, columns = np.nonzero(area)
    seen = bool(_within(rows, columns, window).any()) and act != "paste"
    if act in ("move", "paste"):
        by = drawn.by if into is None else landing(area, drawn.by, (into.shape[0], into.shape[1]))
        seen = seen or bool(_within(rows + by[0], columns + by[1], window).any())
    if not seen:
        raise ParamError(
            "The model does not see that part of the photo: it gets the middle alone. Draw inside "
            "of what it gets."
        )
