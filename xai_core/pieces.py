"""Superpixels as films draw them: cut, numbered, masked, lit and painted."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from xai_core import render, stage

Array = NDArray[np.float32]
Bits = NDArray[np.bool_]
Labels = NDArray[np.int64]
Pixels = NDArray[np.uint8]

EDGE = (255, 214, 10)
_DIM = 0.3


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Pieces:
    """A photo and what its superpixels show when hidden, uint8 `[h, w, 3]`; `labels` `[h, w]`.

    `size` is that of the pictures that are drawn, height and width.
    """

    photo: Pixels
    hidden: Pixels
    labels: Labels
    size: tuple[int, int]

    @property
    def small(self) -> tuple[int, int]:
        """Return the size for three pictures side by side."""
        return max(1, round(self.size[0] * 0.65)), max(1, round(self.size[1] * 0.65))

    @property
    def own(self) -> tuple[int, int]:
        """Return the photo's size, made smaller where no frame may be so large."""
        height, width = self.photo.shape[:2]
        scale = min(1.0, stage.TALLEST / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))

    def whole(self) -> Pixels:
        """Draw the photo."""
        return stage.fitted(self.photo, self.size)

    def seen(self, on: Bits, size: tuple[int, int] | None = None) -> Pixels:
        """Draw what the model saw: the photo where a superpixel is on, else what hides it."""
        shown = np.where(on[self.labels][..., None], self.photo, self.hidden).astype(np.uint8)
        return stage.fitted(shown, size or self.size, smooth=False)

    def mask(self, on: Bits) -> Pixels:
        """Draw which superpixels are shown: ink for shown, ground for hidden."""
        shade = np.where(on[self.labels][..., None], stage.QUIET, stage.GROUND).astype(np.uint8)
        return stage.fitted(shade, self.size, smooth=False)

    def only(self, part: int) -> Pixels:
        """Draw the photo, dimmed but for one superpixel."""
        dimmed = (self.photo * _DIM).astype(np.uint8)
        lit = np.where((self.labels == part)[..., None], self.photo, dimmed)
        return stage.fitted(lit.astype(np.uint8), self.size)

    def painted(
        self, values: NDArray[np.float64], top: float, size: tuple[int, int] | None = None
    ) -> Pixels:
        """Draw the map of a value for each superpixel, whose last colour is that of `top`."""
        spread = np.asarray(values[self.labels], np.float32)
        return stage.coloured(spread, size or self.size, signed=True, vmax=top)

    def cut(self, order: list[int]) -> Pixels:
        """Draw the photo and its superpixels' edges, and number those in `order` from 1."""
        return outlined(self.photo, self.labels, order, self.size)


def pieces(view: Array, hidden: Pixels, labels: NDArray[np.integer]) -> Pieces:
    """Return the pieces of a view, float32 `[h, w, 3]`, for frames of a film."""
    return Pieces(
        photo=render.pixels(view),
        hidden=hidden,
        labels=np.asarray(labels, np.int64),
        size=stage.frame_size((view.shape[0], view.shape[1])),
    )


def edges(labels: NDArray[np.integer]) -> Bits:
    """Return which pixels begin another superpixel than the one above or to the left."""
    found = np.zeros(labels.shape, bool)
    found[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    found[1:] |= labels[1:] != labels[:-1]
    return found


def lined(photo: Pixels, labels: NDArray[np.integer]) -> Pixels:
    """Draw each superpixel's edge on a photo, pixel by pixel, in the accent."""
    accent = np.array(stage.ACCENT, np.uint8)
    return np.where(edges(labels)[..., None], accent, photo)


def outlined(photo: Pixels, labels: Labels, order: list[int], size: tuple[int, int]) -> Pixels:
    """Draw each superpixel's edge on the photo at that size, and number those in `order` from 1."""
    from PIL import Image, ImageDraw

    rows = np.arange(size[0]) * labels.shape[0] // size[0]
    columns = np.arange(size[1]) * labels.shape[1] // size[1]
    large = labels[np.ix_(rows, columns)]
    drawn = stage.fitted(photo, size).copy()
    drawn[edges(large)] = EDGE
    picture = Image.fromarray(drawn)
    pen = ImageDraw.Draw(picture)
    for rank, index in enumerate(order, 1):
        down, across = np.nonzero(large == index)
        if down.size:
            at = int(np.argmin((down - down.mean()) ** 2 + (across - across.mean()) ** 2))
            pen.text(
                (int(across[at]), int(down[at])), str(rank), "white", anchor="mm", font_size=18,
                stroke_width=2, stroke_fill="black",
            )  # fmt: skip
    return np.asarray(picture)
