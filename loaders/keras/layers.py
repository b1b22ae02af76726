"""The layers of a Keras model by path, and how to look inside them while it runs.

Takes the model object and imports no framework: Keras 3 and tf_keras name their parts alike.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

# Their inner layers give [N, tokens, heads, width], which is no map though it has four axes.
_CLOSED = ("Attention", "RNN", "LSTM", "GRU", "Bidirectional", "TimeDistributed")
_MISSING = object()


def tree(model: Any) -> dict[str, Any]:
    """Return every layer by its path, 'resnet50/conv5_block3_out', parents first."""
    found: dict[str, Any] = {}
    seen = {id(model)}

    def walk(parent: Any, prefix: str) -> None:
        for layer in parent._flatten_layers(include_self=False, recursive=False):
            if id(layer) in seen or type(layer).__name__ == "InputLayer":
                continue
            seen.add(id(layer))
            path, count = prefix + layer.name, 2
            while path in found:
                path, count = f"{prefix}{layer.name}_{count}", count + 1
            found[path] = layer
            if not is_closed(layer):
                walk(layer, path + "/")

    walk(model, "")
    return found


def is_closed(layer: Any) -> bool:
    """Say whether a layer is taken as one, whatever is inside it."""
    return any(word in type(layer).__name__ for word in _CLOSED)


def is_single(layer: Any) -> bool:
    """Say whether a layer runs as one: it is closed, or nothing is inside it."""
    return is_closed(layer) or not list(layer._flatten_layers(include_self=False, recursive=False))


def is_model(layer: Any) -> bool:
    """Say whether a layer is a network of its own, whose output is its last layer's."""
    return any(base.__name__ == "Model" for base in type(layer).__mro__)


@contextlib.contextmanager
def replaced(
    layers: Mapping[str, Any],
    make: Callable[[str, Any, Callable[..., Any]], Callable[..., Any]],
) -> Iterator[None]:
    """Let what `make` returns, of a path, a layer and its own `call`, stand in for that `call`.

    Only inside the `with`: each is put back whatever happens.
    """
    before = {path: vars(layer).get("call", _MISSING) for path, layer in layers.items()}
    try:
        for path, layer in layers.items():
            vars(layer)["call"] = make(path, layer, layer.call)
        yield
    finally:
        for path, layer in layers.items():
            if before[path] is _MISSING:
                vars(layer).pop("call", None)
            else:
                vars(layer)["call"] = before[path]


@contextlib.contextmanager
def intercepted(layers: Mapping[str, Any], see: Callable[[str, Any], Any]) -> Iterator[None]:
    """Show `see` the path and output of each layer as it runs; what it returns goes on."""

    def wrap(path: str, layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        def seen(*args: Any, **kwargs: Any) -> Any:
            return see(path, call(*args, **kwargs))

        return seen

    with replaced(layers, wrap):
        yield


def map_shape(shape: tuple[int, ...], batch: int) -> tuple[int, int, int] | None:
    """Return (height, width, channels) of an output that is a map, or None.

    `[N, h, w, C]` is one from 2 x 2 on; so are `[N, tokens, C]` tokens that fill a square of 3 x 3
    or more, with or without a class token before them.
    """
    if len(shape) not in (3, 4) or shape[0] != batch or 0 in shape:
        return None
    if len(shape) == 4:
        return (shape[1], shape[2], shape[3]) if min(shape[1:3]) > 1 else None
    side = math.isqrt(shape[1])
    return (side, side, shape[2]) if side > 2 and shape[1] - side * side in (0, 1) else None
