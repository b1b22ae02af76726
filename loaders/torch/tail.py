"""The rest of a network past a layer, for maps of one's own and everything else from one photo.

What the photo's own pass had made before the layer is run once, and repeated for every map. On a
layer's first use this is held against whole passes in which the layer's output is replaced: where
it gives something else, as where a network writes over what it was given, those serve instead.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import torch
from torch.utils import _pytree

from loaders.torch.layers import Modules, by_itself
from loaders.torch.layout import Layout
from loaders.torch.replay import Kept
from loaders.torch.script import Graph
from loaders.torch.wrapped import Wrapped
from xai_core.errors import UnsupportedModel


@dataclasses.dataclass(frozen=True)
class _Way:
    """How what was kept of one photo becomes that of many.

    `axes` say for each part of it along which axis photos lie, None where it is the same for any
    number of them. `copied` says that the rest of the network writes into it, and `written` that
    the network before the layer does.
    """

    axes: tuple[int | None, ...] = ()
    copied: bool = False
    written: bool = False


class Tail:
    """What follows a layer. `batch` is the only number of photos that the network takes, or 0."""

    def __init__(
        self, module: Wrapped, inside: Modules | Graph, name: str, layout: Layout, batch: int
    ) -> None:
        self._module, self._inside = module, inside
        self._name, self._layout, self._batch = name, layout, batch
        self._way: _Way | None = None
        self._known = False
        self._last: tuple[torch.Tensor, Kept] | None = None

    def __call__(self, maps: torch.Tensor, view: torch.Tensor) -> torch.Tensor:
        """Return logits `[n, classes]` for maps `[n, h, w, C]` and one view `[1, 3, h, w]`."""
        if not self._known:
            with torch.inference_mode(mode=False), torch.no_grad():
                self._way = self._found(view)
            self._known = True
        if self._way is not None:
            # a network may go another way for another photo, and then it is run as a whole
            with contextlib.suppress(Exception):
                return self._quick(maps, view, self._way)
        return self._whole(maps, view)

    def _whole(self, maps: torch.Tensor, view: torch.Tensor) -> torch.Tensor:
        """Run everything, and put the maps where the layer's own were."""
        photos = self._photos(view, len(maps))
        with self._inside.at(self._name, lambda output: self._output(maps, output)):
            return self._module.logits(photos)

    def _quick(self, maps: torch.Tensor, view: torch.Tensor, way: _Way) -> torch.Tensor:
        """Run what follows the layer, and what the photo's own pass cannot spare."""
        kept = self._spread(self._kept(view, way), self._batch or len(maps), way)
        photos = self._photos(view, len(maps))
        with self._inside.behind(self._name, kept, lambda output: self._output(maps, output)):
            return self._module.logits(photos)

    def _output(self, maps: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        if missing := self._batch and self._batch - len(maps):
            maps = torch.cat([maps, maps[-1:].expand(missing, *maps.shape[1:])])
        if len(self._layout.as_map(output)) != len(maps):
            raise UnsupportedModel(by_itself(self._name))
        # a copy: the network may write in place
        return self._layout.from_map(maps, output).clone()

    def _photos(self, view: torch.Tensor, count: int) -> torch.Tensor:
        photos = self._module.normalised(view)
        return photos.expand(count, *photos.shape[1:])

    def _kept(self, view: torch.Tensor, way: _Way) -> Kept:
        if self._last is None or not torch.equal(self._last[0], view):
            kept = self._front(view, self._batch or 1, copied=way.written)
            self._last = view.clone(), kept
        return self._last[1]

    def _front(self, view: torch.Tensor, count: int, *, copied: bool) -> Kept:
        # tensors of inference mode serve no gradients later, and do not say if they were written
        with torch.inference_mode(mode=False), torch.no_grad():
            photos = self._photos(view, count)
            return self._inside.front(
                self._name, lambda: self._module.logits(photos), copied=copied
            )

    def _spread(self, kept: Kept, count: int, way: _Way) -> Kept:
        """Return what was kept of one photo as that of `count`."""
        leaves, form = _pytree.tree_flatten([kept.output, *kept.values])
        factor = 1 if self._batch else count
        spread = [
            _repeated(leaf, axis, factor, way.copied)
            for leaf, axis in zip(leaves, way.axes or (None,) * len(leaves), strict=True)
        ]
        output, *values = _pytree.tree_unflatten(spread, form)
        return Kept(values, output, kept.calls)

    def _found(self, view: torch.Tensor) -> _Way | None:
        """Return a way that gives what whole passes give, or None."""
        try:
            kept = self._front(view, self._batch or 1, copied=False)
            if written := kept.stale:
                kept = self._front(view, self._batch or 1, copied=True)
            axes: tuple[int | None, ...] = ()
            if not self._batch:
                two = self._front(view, 2, copied=written)
                axes = _axes([kept.output, *kept.values], [two.output, *two.values])
        except Exception:  # a stranger's forward may raise anything
            return None
        own = self._layout.as_map(kept.output)[:1].float()
        maps = [own, own.flip(1, 2) / 2]
        wanted = self._tried(maps, view, None)
        self._last = view.clone(), kept
        for copied in (False, True):
            way = _Way(axes, copied, written)
            with contextlib.suppress(Exception):
                if _alike(self._tried(maps, view, way), wanted):
                    return way
        self._last = None
        return None

    def _tried(
        self, maps: list[torch.Tensor], view: torch.Tensor, way: _Way | None
    ) -> torch.Tensor:
        size = self._batch or len(maps)
        parts = [torch.cat(maps[start : start + size]) for start in range(0, len(maps), size)]
        return torch.cat(
            [self._whole(p, view) if way is None else self._quick(p, view, way) for p in parts]
        )


def _axes(one: Any, two: Any) -> tuple[int | None, ...]:
    """Return along which axis each part of what one photo leaves grows with a second one.

    For a number, 0 says that it doubles. Raises ValueError where a part does otherwise.
    """
    (first, form), (second, other) = _pytree.tree_flatten(one), _pytree.tree_flatten(two)
    if form != other:
        raise ValueError("what is kept has another form for two photos")
    axes: list[int | None] = []
    for a, b in zip(first, second, strict=True):
        if not isinstance(a, torch.Tensor):
            axes.append(None if a == b else 0)
            if a != b and 2 * a != b:
                raise ValueError("a number that does not double with the photos")
            continue
        sides = enumerate(zip(a.shape, b.shape, strict=True))
        grown = [axis for axis, (before, after) in sides if before != after]
        if len(grown) > 1 or any(b.shape[axis] != 2 * a.shape[axis] for axis in grown):
            raise ValueError("a tensor that does not double with the photos")
        axes.append(grown[0] if grown else None)
    return tuple(axes)


def _repeated(leaf: Any, axis: int | None, factor: int, copied: bool) -> Any:
    if not isinstance(leaf, torch.Tensor):
        return leaf if axis is None else leaf * factor
    if axis is None or factor == 1:
        return leaf.clone()  # the network may write in place
    if leaf.shape[axis] > 1 or copied:
        return torch.cat([leaf] * factor, axis)
    # Views of one tensor: writing into them raises, and then copies serve.
    return leaf.expand([factor if place == axis else -1 for place in range(leaf.ndim)])


def _alike(got: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Say whether scores are the same, and move alike with the maps; the first are the photo's."""
    if got.shape != wanted.shape or not bool(wanted.isfinite().all()):
        return False
    moved = float((wanted - wanted[:1]).abs().max())
    scale = float(wanted.abs().max())
    return float((got - wanted).abs().max()) <= 1e-3 * moved + 1e-5 * scale
