"""How views become what a graph takes: the order of its axes, its batch, its rows of numbers."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders.keras.audit import printable
from loaders.onnx.graph import Graph
from loaders.preprocessing import MIN_SIZE, Options
from xai_core.errors import NeedsAnswer, ParamError, UnsupportedModel
from xai_core.model import Finding

Array = NDArray[np.float32]
Size = tuple[int, int]

DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
SIZES = (224, 299, 256, 384, 192, 160, 128, 112, 96, 64, 48, 32, 28)
"""Sides that are tried, in pixels, where the graph leaves them free."""

_SQUARES = range(8, 513)
"""Sides that a row of numbers may be a square picture of."""

_BY_KERAS = ("tf2onnx", "keras", "tensorflow", "onnxmltools", "kerasonnx")


@dataclasses.dataclass(frozen=True)
class Entry:
    """A photo tensor: its name, numbers, batch (0 for any, None for no such axis) and order.

    `tail` are the sides of a row that has no axes of its own for channels, height and width.
    """

    name: str
    dtype: Any
    batch: int | None
    last: bool
    channels: int
    size: Size | None
    tail: tuple[int, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether it takes whole numbers, 0..255."""
        return self.dtype is np.uint8

    def arranged(self, images: Array) -> NDArray[Any]:
        """Return normalised images `[N, h, w, channels]` as the graph takes them."""
        if not self.last:
            images = images.transpose(0, 3, 1, 2)
        if self.tail:
            images = images.reshape(len(images), *self.tail)
        if self.batch is None:
            (images,) = images
        if self.whole:
            images = np.clip(np.rint(images), 0, 255)
        return np.ascontiguousarray(images, self.dtype)


def entries(graph: Graph, given: Any, options: Options) -> list[Entry]:
    """Return how the graph's input may be meant, the likeliest first. Raises UnsupportedModel.

    `given` is onnxruntime's list of inputs. Flags beside the photo are left to be false.
    """
    photos = [each for each in given if each.type != "tensor(bool)"]
    if len(photos) != 1:
        raise UnsupportedModel(
            f"This network takes {len(photos)} inputs; a classifier of photos takes one."
        )
    photo = photos[0]
    if photo.type not in DTYPES:
        raise UnsupportedModel(
            f"This network takes {printable(photo.type, 30)}, and a view is made of floats."
        )
    sides = [side if isinstance(side, int) and side > 0 else 0 for side in photo.shape]
    made = _Made(graph, options, photo.name, DTYPES[photo.type], sides)
    if len(sides) == 4:
        return made.maps(sides)
    if len(sides) == 3 and made.alone:
        return made.maps([1, *sides], alone=True)
    if len(sides) in (2, 3) and all(sides[1:]):
        return [made.row()]
    raise UnsupportedModel(
        f"This network takes an array of {len(sides)} dimensions ({_shown(photo.shape)}); a "
        "classifier of photos takes four: photos, channels, height and width."
    )


@dataclasses.dataclass
class _Made:
    graph: Graph
    options: Options
    name: str
    dtype: Any
    sides: list[int]

    @property
    def alone(self) -> bool:
        """Whether one photo is taken, without an axis for several."""
        first, *_, last = self.sides
        sides = self.sides[1:] if first in (1, 3) else self.sides[:2]
        return (first == 3 or (last in (1, 3) and first > 3)) and min(sides) >= 8

    def maps(self, sides: list[int], *, alone: bool = False) -> list[Entry]:
        """Return the entries of a photo tensor."""
        inner = _first(self.graph, self.name)
        if sides[1] in (1, 3) or sides[3] in (1, 3):
            last = sides[1] not in (1, 3)
        else:  # free sides say nothing; what takes them may
            last = inner[0] == "nhwc"
        channels = sides[3 if last else 1]
        if channels and channels not in (1, 3):
            raise UnsupportedModel(
                f"The network takes {channels} channels; a classifier of photos takes 1 or 3."
            )
        rest = sides[1:3] if last else sides[2:4]
        size = (rest[0], rest[1]) if all(rest) else None
        if not size and any(rest):  # one side is known: a square, unless it is said
            size = self.options.size or (max(rest), max(rest))
        grey = self.options.channels == "grey"
        guesses = [channels or inner[1]] if channels or inner[1] in (1, 3) else [3 - 2 * grey, 3, 1]
        batch = None if alone else sides[0]
        return [
            Entry(self.name, self.dtype, batch, last, count, size)
            for count in dict.fromkeys(guesses)
        ]

    def row(self) -> Entry:
        """Return the entry of a network that takes a photo as a row of numbers."""
        tail = tuple(self.sides[1:])
        count = math.prod(tail)
        asked, grey = self.options.size, self.options.channels == "grey"
        plane = len(tail) == 2 and min(tail) >= 8
        if plane:
            size, channels = (tail[0], tail[1]), 1
        elif asked:
            size = asked
            channels = count // math.prod(asked)
            if channels not in (1, 3) or channels * math.prod(asked) != count:
                raise ParamError(
                    f"--size must fit the {count:,} numbers that this network takes, which "
                    f"{asked[0]} x {asked[1]} pixels of 1 or 3 channels do not"
                )
        else:
            found = _square(count, grey)
            if found is None:
                said = f"This network takes a row of {count:,} numbers, which no square photo has"
                if count < 3 * MIN_SIZE**2:
                    raise UnsupportedModel(f"{said}: rows of a table, with no photo to explain.")
                raise NeedsAnswer(
                    f"{said}. If they are a photo's, give its size (--size) and its channels "
                    "(--channels); if they are rows of a table, there is no photo to explain."
                )
            size, channels = found
        last, said = self._order(channels)
        shown = _shown(["N", *tail])
        colours = "grey" if channels == 1 else "coloured"
        return Entry(
            self.name,
            self.dtype,
            self.sides[0],
            last,
            channels,
            size,
            tail,
            (
                Finding(
                    "warning",
                    f"The network takes {shown} numbers: they are taken for a {colours} photo of "
                    f"{size[0]} x {size[1]} pixels{said}. If it is another, give its size (--size) "
                    "and channels (--channels).",
                    "size",
                ),
            ),
        )

    def _order(self, channels: int) -> tuple[bool, str]:
        """Return whether channels come last in a row, and how that is known."""
        if channels == 1:
            return False, ", row by row"
        if self.options.layout:
            last = self.options.layout == "channels-last"
            return last, f", {'pixel by pixel' if last else 'colour by colour'}, as was said"
        producer = self.graph.producer.lower()
        if producer == "pytorch":
            return (
                False,
                ", colour by colour as PyTorch flattens it (--layout channels-last if not)",
            )
        if any(name in producer for name in _BY_KERAS):
            return True, ", pixel by pixel as Keras flattens it (--layout channels-first if not)"
        return False, (
            ", colour by colour, which nothing in the file says (--layout channels-last if it is "
            "pixel by pixel)"
        )


def _square(count: int, grey: bool) -> tuple[Size, int] | None:
    for channels in (1,) if grey else (3, 1):
        side = math.isqrt(count // channels)
        if side in _SQUARES and side * side * channels == count:
            return (side, side), channels
    return None


def _first(graph: Graph, value: str) -> tuple[str, int]:
    """Return the order of axes and the channels that the first operator with an opinion takes."""
    for _ in range(16):
        users = graph.users.get(value, [])
        for node in users:
            order = node.numbers.get("perm")
            if node.operator == "Transpose" and order in ((0, 3, 1, 2), (0, 2, 3, 1)):
                return ("nhwc", 0) if order == (0, 3, 1, 2) else ("nchw", 0)
            kernel = graph.tensors.get(node.inputs[1]) if len(node.inputs) > 1 else None
            if node.operator in ("Conv", "FusedConv") and kernel and len(kernel.sides) == 4:
                return "nchw", kernel.sides[1] * (node.numbers.get("group") or (1,))[0]
        if not users or not users[0].outputs:
            break
        value = users[0].outputs[0]
    return "nchw", 0


def _shown(shape: Any) -> str:
    return "[" + ", ".join(printable(side, 12) for side in shape) + "]"
