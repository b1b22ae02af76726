"""Which axis of a tensor is which: the photo's axes followed through a network's operations.

A convolution's output has its map on its last two axes, a permutation moves them, flattening makes
a grid of the two. What an operation does to axes is known for those that move, cut or join them;
any other is taken to keep them where it keeps the shape, and to lose them where it does not.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Grid:
    """An axis that holds a map's cells row by row, with so many others before and after them."""

    height: int
    width: int
    before: int = 0
    after: int = 0


Axes = tuple[Any, ...]
"""For each axis: "n" (photos), "h" or "w" of the map, a Grid, or None for what else it may be."""

PHOTOS: Axes = ("n", None, "h", "w")
Source = tuple[Shape, "Axes | None"]
"""A tensor that goes in: its shape, and its axes where they are known."""

_SPATIAL = (
    "conv2d",
    "conv_transpose2d",
    "convolution",
    "pool2d",
    "upsample",
    "batch_norm",
    "pixel_",
    "grid_sampler",
)
"""Parts of names of operations that take a map with channels first and give one."""

_SHUFFLES = ("index", "gather", "sort", "take", "scatter", "unfold", "fold")
_PRODUCTS = ("matmul", "bmm", "mm", "linear", "addmm", "baddbmm")
_REDUCES = ("mean", "sum", "amax", "amin", "max", "min", "norm", "logsumexp", "std", "var", "prod")


def follow(
    name: str, arguments: Sequence[Any], sources: Sequence[Source], shape: Shape, part: int = 0
) -> Axes | None:
    """Return the axes of an operation's output; None where nothing is known of them.

    `arguments` are those that are no tensors, and `part` the output's number where it has several.
    """
    if not sources:
        return None
    first_shape, first = sources[0]
    if len(shape) == 4 and any(word in name for word in _SPATIAL):
        if first is None or len(first) != 4:
            return PHOTOS
        return first if shape == first_shape or set(first[2:]) == {"h", "w"} else PHOTOS
    known = next(((s, axes) for s, axes in sources if axes is not None), None)
    if known is None or any(name.startswith(word) for word in _SHUFFLES):
        return None
    if name == "cat":
        return _joined(sources, _number(arguments, 0, 0), shape)
    if name == "einsum":
        return _by_letters(str(arguments[0]) if arguments else "", sources, shape)
    if first is None:
        return next((axes for s, axes in sources if axes is not None and s == shape), None)
    if name in _PRODUCTS:
        left = sources[1][1] if name in ("addmm", "baddbmm") and len(sources) > 1 else first
        if left is None or len(left) != len(shape):
            return None
        return (*left[:-1], None)
    moved: Axes | None = _moved(name, arguments, first_shape, first, shape, part)
    if moved is not _OTHER:
        return moved
    return next((axes for s, axes in sources if axes is not None and s == shape), None)


_OTHER: Any = object()


def _moved(
    name: str, arguments: Sequence[Any], old: Shape, axes: Axes, shape: Shape, part: int
) -> Any:
    """Return the axes after an operation that moves, cuts or drops some; _OTHER for others."""
    count = len(old)

    def at(place: int, otherwise: int) -> int:
        return _number(arguments, place, otherwise) % max(count, 1)

    match name:
        case "permute":
            order = arguments[0] if arguments else ()
            return tuple(axes[each % count] for each in order)
        case "transpose" | "swapaxes" | "swapdims":
            swapped = list(axes)
            one, two = at(0, 0), at(1, 1)
            swapped[one], swapped[two] = swapped[two], swapped[one]
            return tuple(swapped)
        case "t" | "mT" | "adjoint" | "numpy_T" | "matrix_H":
            return (*axes[:-2], axes[-1], axes[-2]) if count > 1 else axes
        case "movedim" | "moveaxis":
            return _carried(arguments, axes)
        case "unsqueeze":
            place = _number(arguments, 0, 0) % (count + 1)
            return (*axes[:place], None, *axes[place:])
        case "select":
            return _without(axes, at(0, 0))
        case "unbind":
            return _without(axes, at(0, 0))
        case "slice" | "narrow":
            return _sliced(name, arguments, old, axes, shape)
        case "split" | "chunk" | "split_with_sizes" | "tensor_split" | "unsafe_split":
            dim = at(1, 0)
            if isinstance(axes[dim], Grid) and shape[dim] != old[dim]:
                pieces = arguments[0] if arguments else ()
                if not isinstance(pieces, (list, tuple)):
                    return (*axes[:dim], None, *axes[dim + 1 :])
                return _cut(axes, dim, sum(pieces[:part]), old, shape)
            return axes
        case "roll" | "expand" | "constant_pad_nd" | "pad" | "flip":
            if name == "flip" or len(shape) != count:
                return None
            return tuple(
                axis if size == was or axis in ("h", "w") else None
                for axis, size, was in zip(axes, shape, old, strict=True)
            )
        case _ if name in _REDUCES or name == "squeeze":
            return axes if shape == old else _reduced(name, arguments, old, axes, shape)
        case _ if math.prod(shape) == math.prod(old) and shape != old:
            return reshaped(axes, old, shape)
    return _OTHER


def reshaped(axes: Axes, old: Shape, new: Shape) -> Axes:
    """Return the axes after a change of shape that keeps the order of the numbers."""
    result: list[Any] = []
    i = j = 0
    while i < len(old) and j < len(new):
        start_i, start_j = i, j
        left, right = old[i], new[j]
        while left != right:
            if left < right and i + 1 < len(old):
                i += 1
                left *= old[i]
            elif right < left and j + 1 < len(new):
                j += 1
                right *= new[j]
            else:
                return (*result, *[None] * (len(new) - len(result)))
        result += _regrouped(
            list(zip(old[start_i : i + 1], axes[start_i : i + 1], strict=True)),
            new[start_j : j + 1],
        )
        i, j = i + 1, j + 1
    return (*result, *[None] * (len(new) - len(result)))


def _regrouped(old: list[tuple[int, Any]], new: Shape) -> list[Any]:
    """Return the axes of one group of sides, made of a group of others with the same product."""
    if len(old) == 1 and len(new) == 1:
        return [old[0][1]]
    held = [(size, axis) for size, axis in old if size != 1]
    wide = [size for size in new if size != 1]
    axes = [axis for _, axis in held]
    found: list[Any] = [None] * len(wide)
    if len(held) == 1:
        axis = axes[0]
        if len(wide) == 1:
            found = [axis]
        elif isinstance(axis, Grid):
            if wide == [axis.height, axis.width] and not axis.before + axis.after:
                found = ["h", "w"]
        elif axis in ("h", "w") and wide:
            found[0] = axis  # cut into patches or windows: the outer one is the coarser map
    elif len(wide) == 1 and axes == ["h", "w"]:
        found = [Grid(held[0][0], held[1][0])]
    elif len(wide) == 1 and len(held) == 2 and axes[0] in ("h", "w") and axes[1] is None:
        found = [axes[0]]
    waiting = iter(found)
    return [next(waiting) if size != 1 else None for size in new]


def _joined(sources: Sequence[Source], dim: int, shape: Shape) -> Axes | None:
    """Return the axes of tensors put one behind another."""
    shapes = [s for s, _ in sources]
    if any(len(s) != len(shape) for s in shapes):
        return None
    dim %= len(shape)
    known = [(place, axes) for place, (_, axes) in enumerate(sources) if axes is not None]
    grids = [(place, axes) for place, axes in known if isinstance(axes[dim], Grid)]
    if not grids:
        return known[0][1] if known[0][1][dim] not in ("h", "w") else None
    place, axes = grids[0]
    if len(grids) > 1:
        return (*axes[:dim], None, *axes[dim + 1 :])
    grid = dataclasses.replace(
        axes[dim],
        before=axes[dim].before + sum(s[dim] for s in shapes[:place]),
        after=axes[dim].after + sum(s[dim] for s in shapes[place + 1 :]),
    )
    return (*axes[:dim], grid, *axes[dim + 1 :])


def _sliced(name: str, arguments: Sequence[Any], old: Shape, axes: Axes, shape: Shape) -> Axes:
    dim = _number(arguments, 0, 0) % len(old)
    start = _number(arguments, 1, 0)
    if not isinstance(axes[dim], Grid) or shape[dim] == old[dim]:
        return axes
    if name == "slice" and _number(arguments, 3, 1) != 1:
        return (*axes[:dim], None, *axes[dim + 1 :])
    return _cut(axes, dim, start + old[dim] if start < 0 else start, old, shape)


def _cut(axes: Axes, dim: int, start: int, old: Shape, shape: Shape) -> Axes:
    """Return the axes where only a part of a grid's axis is kept."""
    grid: Grid = axes[dim]
    before, after = grid.before - start, grid.after - (old[dim] - start - shape[dim])
    whole = before >= 0 and after >= 0
    kept = dataclasses.replace(grid, before=before, after=after) if whole else None
    return (*axes[:dim], kept, *axes[dim + 1 :])


def _reduced(name: str, arguments: Sequence[Any], old: Shape, axes: Axes, shape: Shape) -> Any:
    if len(shape) == len(old):  # kept as sides of one
        return tuple(axis if a == b else None for axis, a, b in zip(axes, shape, old, strict=True))
    dims = arguments[0] if arguments else None
    if isinstance(dims, int):
        dims = [dims]
    if isinstance(dims, (list, tuple)) and all(isinstance(each, int) for each in dims):
        dropped = {each % len(old) for each in dims}
    elif name == "squeeze":
        dropped = {place for place, size in enumerate(old) if size == 1}
    else:
        return None
    if name == "squeeze":
        dropped = {place for place in dropped if old[place] == 1}
    left = tuple(axis for place, axis in enumerate(axes) if place not in dropped)
    return left if len(left) == len(shape) else None


def _carried(arguments: Sequence[Any], axes: Axes) -> Axes | None:
    if len(arguments) < 2:
        return None
    froms, tos = (
        [each] if isinstance(each, int) else list(each) for each in (arguments[0], arguments[1])
    )
    count = len(axes)
    froms, tos = [each % count for each in froms], [each % count for each in tos]
    left = [axis for place, axis in enumerate(axes) if place not in froms]
    for to, origin in sorted(zip(tos, froms, strict=True)):
        left.insert(to, axes[origin])
    return tuple(left)


def _by_letters(equation: str, sources: Sequence[Source], shape: Shape) -> Axes | None:
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow or "." in equation or len(terms) != len(sources) or len(right) != len(shape):
        return None
    known: dict[str, Any] = {}
    for term, (s, axes) in zip(terms, sources, strict=True):
        if axes is not None and len(term) == len(s):
            known |= {letter: a for letter, a in zip(term, axes, strict=True) if a is not None}
    return tuple(known.get(letter) for letter in right)


def _without(axes: Axes, place: int) -> Axes:
    return (*axes[:place], *axes[place + 1 :])


def _number(arguments: Sequence[Any], place: int, otherwise: int) -> int:
    if place < len(arguments) and isinstance(arguments[place], int):
        return int(arguments[place])
    return otherwise
