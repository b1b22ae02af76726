"""The places of a Keras network that can be looked into: its layers' outputs, as maps."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from loaders.keras import layers
from xai_core.errors import ParamError
from xai_core.model import Layer

Array = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Sites:
    """The layers that give a map, and whatever else gives one, by path.

    `rows` are those that are listed, `found` the layer objects, `maps` how large the map of each
    is, (height, width, channels), and `calls` how often each layer of the network ran in a pass.
    """

    rows: tuple[Layer, ...]
    found: Mapping[str, Any]
    maps: Mapping[str, tuple[int, int, int]]
    calls: Mapping[str, int]

    def path(self, layer: str) -> str:
        """Find a layer by its path, or by its own name where only one has it."""
        if layer in self.found:
            return layer
        ends = [path for path in self.found if path.rsplit("/", 1)[-1] == layer]
        if len(ends) == 1:
            return ends[0]
        some = ", ".join(row.name for row in self.rows[-3:]) or "none of this network's"
        which = f"{len(ends)} layers are called" if ends else "no layer with a map is called"
        raise ParamError(
            f"The layer must be one whose output is a map (such as {some}); {which} {layer!r}"
        )

    @contextlib.contextmanager
    def at(self, path: str, watch: Callable[[Any], None] | None = None) -> Iterator[list[Any]]:
        """Collect the layer's output at its last call in a pass."""
        seen: list[Any] = []
        calls = 0

        def see(_: str, output: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == self.calls[path]:
                if watch is not None:
                    # a fresh tensor: a Dropout hands on the one that the layer before it made
                    output = tf.identity(output)
                    watch(output)
                seen.append(output)
            return output

        with layers.intercepted({path: self.found[path]}, see):
            yield seen


def as_map(output: Any) -> Any:
    """Return a layer's output as a tensor float32 `[N, map h, map w, channels]`."""
    values = tf.cast(output, tf.float32)
    if len(values.shape) == 4:
        return values
    side = math.isqrt(values.shape[1])
    # a class token, where there is one, comes first
    tokens = values[:, values.shape[1] - side * side :]
    return tf.reshape(tokens, (-1, side, side, values.shape[-1]))


def array(output: Any) -> Array:
    """Return a layer's output as an array float32 `[N, map h, map w, channels]`."""
    return np.ascontiguousarray(as_map(output).numpy(), np.float32)


def check(what: str, values: Array, shape: tuple[int, ...]) -> None:
    """Raise ParamError unless `values`, which are `what`, have a shape; a 0 first is any number."""
    start = 1 if shape[0] == 0 else 0
    if len(values.shape) != len(shape) or values.shape[start:] != shape[start:]:
        sides = ["N" if not side else str(side) for side in shape]
        raise ParamError(f"{what} must be an array [{', '.join(sides)}], got {list(values.shape)}")
