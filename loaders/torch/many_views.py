"""What a detector's convolutions make of many views: by torch, or by OpenVINO where that repays.

Of a detector's pass nearly all is its backbone and the head that reads every place of the levels.
Both are a trace and nothing else, so that they are converted together once a run repays it; what
follows goes by what was found and stays in torch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils._pytree import tree_flatten, tree_unflatten
from torchvision.models.detection.image_list import ImageList

from loaders.backend import (
    AGREES,
    FEWEST,
    QUICKER,
    Compiled,
    Passes,
    Refused,
    difference,
    probes,
)
from loaders.torch import convert, pyramid
from xai_core.card import Backend

Array = NDArray[np.float32]
LARGEST = 1 << 22
"""Numbers that they make of a view above which several views at once would be too much memory."""
REPAYS = 10.0
"""Seconds of a run's passes from which it repays: what follows is not quicker by it."""


class _Rows(nn.Module):  # type: ignore[misc]
    """Views `[n, h, w, 3]` in; all that backbone and head make of them out, a row for each."""

    def __init__(self, module: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        transform = module.transform
        self.backbone, self.head = module.backbone, _owner(module).head
        for name, each in (("mean", transform.image_mean), ("std", transform.image_std)):
            self.register_buffer(name, torch.tensor(each).reshape(1, -1, 1, 1))
        by = int(transform.size_divisible)
        self.padding = [0, -size[1] % by, 0, -size[0] % by]

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        photos = (views.permute(0, 3, 1, 2) - self.mean) / self.std
        photos = nn.functional.pad(photos, self.padding)
        return torch.cat([each.flatten(1) for each in self.made(photos)[0]], 1)

    def made(self, photos: torch.Tensor) -> tuple[list[torch.Tensor], Any]:
        """Return levels and the head's answer to them as tensors, and what puts them together."""
        maps = self.backbone(photos)
        maps = {"0": maps} if isinstance(maps, torch.Tensor) else dict(maps)
        found: tuple[list[torch.Tensor], Any] = tree_flatten((maps, self.head(list(maps.values()))))
        return found


class ManyViews:
    """Backbone and head of a detector, for runs of many views.

    `whole` runs the whole detector on views, by `said` where that gives an answer. Nothing is
    converted until a run of many is expected.
    """

    def __init__(
        self, module: nn.Module, size: tuple[int, int], whole: Callable[[Array], object]
    ) -> None:
        self._module, self._size, self._whole = module, size, whole
        self._shapes: list[tuple[int, ...]] = []
        self._tree: Any = None
        self.backend: Backend | None = None
        """What runs them, once that was decided."""
        self._passes: Passes | None = None

    def expect(self, images: int) -> None:
        """Hear that so many are to come, and convert them where that repays itself."""
        if self.backend is not None or images < FEWEST:
            return
        if self._passes is None:
            self._passes = self._begun()
        before = self._passes.backend
        self._passes.expect(images)
        if self._passes.backend is not before or before.why:
            self.backend = self._gained(self._passes.backend)

    def said(self, views: Array) -> list[dict[str, torch.Tensor]] | None:
        """Return what the detector says of views in its own words; None where torch runs all."""
        if self._passes is None or self.backend is None or self.backend.gain is None:
            return None
        with self._handed(self._passes(views)):
            found: list[dict[str, torch.Tensor]] = self._module(
                [torch.zeros(()).expand(3, *self._size)] * len(views)
            )
        return found

    def _begun(self) -> Passes:
        rows = _Rows(self._module, self._size).eval()
        with torch.inference_mode():
            found, self._tree = rows.made(self._photos(probes(self._size)[:1]))
        self._shapes = [tuple(each.shape[1:]) for each in found]
        numbers = sum(map(int, map(np.prod, self._shapes)))
        return Passes(
            self._plain,
            lambda: self._compiled(rows),
            name="PyTorch",
            size=self._size,
            weights=sum(each.numel() * each.element_size() for each in rows.parameters()),
            why_not="its maps are too large" if numbers > LARGEST else "",
            repays=REPAYS,
        )

    def _photos(self, views: Array) -> torch.Tensor:
        return pyramid.prepared(self._module, views)

    def _plain(self, views: Array) -> Array:
        rows, made = _Rows(self._module, self._size), []
        with torch.inference_mode():
            for view in views:  # prepared by the detector itself, one by one: its maps are large
                found, _ = rows.made(self._photos(view[None]))
                made.append(torch.cat([each.flatten(1) for each in found], 1).numpy())
        return np.concatenate(made)

    def _compiled(self, rows: _Rows) -> Compiled:
        """Convert them. Raises Refused where one of the tensors differs by itself."""
        made = Compiled(convert.traced(rows, self._size))
        made.piece = 1
        views = probes(self._size)[:2]
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes])[:-1]
        pair = [np.split(run(views), ends, 1) for run in (made, self._plain)]
        apart = max(difference(*each) for each in zip(*pair, strict=True))
        if not apart <= AGREES:
            raise Refused(f"its maps through {made.name} differ by {apart:.0e} of the largest")
        return made

    @contextlib.contextmanager
    def _handed(self, rows: Array) -> Iterator[None]:
        """Let the detector take levels and answers out of rows, and its own again afterwards."""
        flat, at = torch.from_numpy(rows), 0
        leaves = []
        for shape in self._shapes:
            count = int(np.prod(shape))
            leaves.append(flat[:, at : at + count].reshape(len(rows), *shape))
            at += count
        maps, answer = tree_unflatten(leaves, self._tree)
        module, owner = self._module, _owner(self._module)
        transform, head = module.transform, owner.head
        with pyramid.handed(module, maps):
            try:
                owner.head, module.transform = _Said(answer), _Sized(transform, self._size)
                yield
            finally:
                owner.head, module.transform = head, transform

    def _gained(self, found: Backend) -> Backend:
        """Return what runs them, with what the whole detector gains by it."""
        if found.gain is None:
            return found
        views, taken = probes(self._size)[:2], []
        for self.backend in (None, found):
            self._whole(views)  # the first time prepares much
            start = time.process_time()
            self._whole(views)
            taken.append(max(time.process_time() - start, 1e-9))
        if taken[0] < QUICKER * taken[1]:
            return Backend(name="PyTorch", why=f"{found.name} is no quicker here")
        return dataclasses.replace(found, gain=taken[0] / taken[1])


class _Said(nn.Module):  # type: ignore[misc]
    """Stands in for a head: gives an answer that is known."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, maps: list[torch.Tensor]) -> Any:
        """Return it, whatever the levels."""
        return self.answer


class _Sized(nn.Module):  # type: ignore[misc]
    """Stands in for what prepares photos: tells their sizes alone, as their maps are known."""

    def __init__(self, own: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.own, self.size = own, size
        by = int(own.size_divisible)
        self.padded = [-(-side // by) * by for side in size]

    def forward(self, images: list[torch.Tensor], targets: Any = None) -> tuple[ImageList, Any]:
        """Return so many photos without a pixel of their own."""
        tensors = torch.zeros(()).expand(len(images), 3, *self.padded)
        return ImageList(tensors, [self.size] * len(images)), targets

    def postprocess(self, *words: Any) -> Any:
        """Bring boxes to the photos' own sizes."""
        return self.own.postprocess(*words)


def _owner(module: nn.Module) -> nn.Module:
    """Return what holds the head that reads all places: the first stage, where there are two."""
    return getattr(module, "rpn", module)
