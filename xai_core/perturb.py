"""The hot path: mask sources that are never whole tensors, and the loop that scores them.

A mask source knows how many masks it has and writes a few of them at a time into a buffer that
the loop reuses, so that memory stays flat whatever their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError

Array = NDArray[np.float32]
BASELINES = ("black", "grey", "white", "mean", "blur", "noise")


@runtime_checkable
class MaskSource(Protocol):
    """Masks by number. 1 keeps the image's pixel, 0 shows the baseline's."""

    size: tuple[int, int]

    def __len__(self) -> int: ...

    def write(self, out: Array, start: int) -> None:
        """Write masks `start .. start + len(out)` into `out`, float32 `[b, h, w]`."""

    def apply(self, image: Array, baseline: Array, out: Array, start: int) -> None:
        """Write the masked images into `out`, float32 `[b, h, w, 3]`."""


class Blended:
    """Applies masks by blending; sources that know better override `apply`."""

    size: tuple[int, int]

    def write(self, out: Array, start: int) -> None:
        """Write masks `start .. start + len(out)` into `out`, float32 `[b, h, w]`."""
        raise NotImplementedError

    def apply(self, image: Array, baseline: Array, out: Array, start: int) -> None:
        """Write `mask * image + (1 - mask) * baseline` into `out`, float32 `[b, h, w, 3]`."""
        masks = np.empty((len(out), *self.size), np.float32)
        self.write(masks, start)
        np.multiply(masks[..., None], image - baseline, out=out)
        out += baseline


class Dense(Blended):
    """Masks that already are an array, float32 `[masks, h, w]` in 0..1."""

    def __init__(self, masks: Array) -> None:
        self.masks = np.asarray(masks, np.float32)
        self.size = (self.masks.shape[1], self.masks.shape[2])

    def __len__(self) -> int:
        return len(self.masks)

    def write(self, out: Array, start: int) -> None:
        """Copy masks `start .. start + len(out)` into `out`."""
        out[:] = self.masks[start : start + len(out)]


class Segments(Blended):
    """Whole segments on or off: labels int `[h, w]` from 0, bits bool `[masks, segments]`."""

    def __init__(self, labels: NDArray[np.int32], bits: NDArray[np.bool_]) -> None:
        self.labels, self.bits = labels, bits
        self.size = (labels.shape[0], labels.shape[1])
        self._flat = labels.ravel().astype(np.intp)

    def __len__(self) -> int:
        return len(self.bits)

    def write(self, out: Array, start: int) -> None:
        """Write each mask as the bit of every pixel's segment."""
        out[:] = self.bits[start : start + len(out)].astype(np.float32)[:, self.labels]

    def apply(self, image: Array, baseline: Array, out: Array, start: int) -> None:
        """Copy the baseline and put the image's own pixels in where a segment is on."""
        out[:] = baseline
        own = _whole_pixels(image)
        for row, bits in zip(out, self.bits[start : start + len(out)], strict=True):
            np.copyto(_whole_pixels(row), own, where=bits.take(self._flat))


def _whole_pixels(image: Array) -> NDArray[Any]:
    """View `[h, w, 3]` as `[h * w]`, each pixel's colours in one piece, which is copied faster."""
    flat = np.ascontiguousarray(image).reshape(-1)
    return flat.view(np.dtype((np.void, 3 * flat.itemsize)))


class Patches(Blended):
    """One rectangle hidden at a time, on a grid.

    `edges` puts a last, whole patch against the far edge, so that every pixel is hidden by
    patches of one size; without it the grid stops where the next patch would not fit.
    """

    def __init__(
        self,
        size: tuple[int, int],
        patch: tuple[int, int],
        stride: tuple[int, int],
        *,
        edges: bool = True,
    ) -> None:
        self.size, self.patch = size, patch
        rows, columns = (
            _starts(side, length, step, edges)
            for side, length, step in zip(size, patch, stride, strict=True)
        )
        # [patches, 2]: top and left of each
        self.corners = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self.corners)

    def window(self, index: int) -> tuple[slice, slice]:
        """Return the rows and columns that mask `index` hides."""
        top, left = self.corners[index].tolist()
        return slice(top, top + self.patch[0]), slice(left, left + self.patch[1])

    def write(self, out: Array, start: int) -> None:
        """Write ones with one rectangle of zeros each."""
        out[:] = 1
        for row in range(len(out)):
            out[(row, *self.window(start + row))] = 0

    def apply(self, image: Array, baseline: Array, out: Array, start: int) -> None:
        """Copy the image and paste one rectangle of the baseline into each copy."""
        out[:] = image
        self.hide(baseline, out, start)

    def hide(self, shown: Array, out: Array, start: int) -> None:
        """Paste `shown`, float32 `[h, w, 3]`, where masks `start .. start + len(out)` hide."""
        for row in range(len(out)):
            window = self.window(start + row)
            out[(row, *window)] = shown[window]

    def total(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of the values of all patches over each pixel, float64 `[h, w]`.

        `values` float64 `[n]` are those of the first `n` patches. Each goes to its four corners
        only, and two running sums spread them.
        """
        (height, width), (down, across) = self.size, self.patch
        sums = np.zeros((height + 1, width + 1))
        top, left = self.corners[: len(values)].T
        np.add.at(sums, (top, left), values)
        np.subtract.at(sums, (top + down, left), values)
        np.subtract.at(sums, (top, left + across), values)
        np.add.at(sums, (top + down, left + across), values)
        return sums.cumsum(0, out=sums).cumsum(1, out=sums)[:height, :width]


def _starts(side: int, length: int, step: int, edges: bool) -> NDArray[np.int64]:
    starts = np.arange(0, side - length + 1, step)
    if edges and starts[-1] + length < side:
        starts = np.append(starts, side - length)
    return starts


PIXELS = 8 * 224 * 224
"""Of all views that go through a network at once: its maps of them are what a run holds most of."""


def at_once(size: tuple[int, int], most: int) -> int:
    """Return how many views of a size go through a network at once, `most` or fewer."""
    return max(1, min(most, PIXELS // (size[0] * size[1])))


def stream(
    forward: Callable[[Array], Array],
    image: Array,
    masks: MaskSource,
    baseline: Array,
    batch: int,
) -> Iterator[tuple[slice, Array]]:
    """Run `forward` over masked copies of `image`, yielding `(slice, its output [b, ...])`.

    The copies live in one buffer float32 `[batch, h, w, 3]`, overwritten at each step: `forward`
    must not keep it, nor write into it.
    """
    buffer = np.empty((min(batch, len(masks)), *image.shape), np.float32)
    for start in range(0, len(masks), batch):
        part = buffer[: min(batch, len(masks) - start)]
        if start and isinstance(masks, Patches):  # the copies stand: only the patches move
            masks.hide(image, part, start - batch)
            masks.hide(baseline, part, start)
        else:
            masks.apply(image, baseline, part, start)
        yield slice(start, start + len(part)), forward(part)


def baseline(name: str, image: Array, *, seed: int = 0) -> Array:
    """Return what hidden pixels show, float32 `[h, w, 3]`, named in image terms.

    `mean` is the image's own mean colour, `blur` its Gaussian blur with a deviation of an eighth
    of the shorter side, `noise` uniform in 0..1.
    """
    match name:
        case "black" | "grey" | "white":
            return np.full_like(image, {"black": 0.0, "grey": 0.5, "white": 1.0}[name])
        case "mean":
            return np.broadcast_to(image.mean((0, 1)), image.shape).astype(np.float32)
        case "blur":
            from scipy.ndimage import gaussian_filter

            sigma = min(image.shape[:2]) / 8
            return np.asarray(gaussian_filter(image, (sigma, sigma, 0), mode="nearest"), np.float32)
        case "noise":
            return np.random.default_rng(seed).random(image.shape, np.float32)
    raise ParamError(f"A baseline must be one of {', '.join(BASELINES)}, got {name!r}")
