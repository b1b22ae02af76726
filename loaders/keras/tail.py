"""The rest of a Keras network behind a layer: from the layer's activations to logits, and back.

The network runs once on the image, and the output of every layer that ran before is noted. In the
tail's own runs those layers give what was noted, for each of the activations, the layer gives the
activations, and only what follows it computes anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from loaders.keras import layers
from loaders.keras.network import Network, tensor
from loaders.keras.sites import Sites, array, as_map
from xai_core.errors import UnsupportedModel

Array = NDArray[np.float32]
Call = tuple[str, int]
"""A layer's path, and which of its calls in a pass it is, counted from 1."""
_UNUSED = np.float32(0)
MOST = 4
"""Layers whose tail is kept, with what it needs of one image."""


class Tails:
    """The last layers' tails."""

    def __init__(self, network: Network, sites: Sites) -> None:
        self._network, self._sites = network, sites
        self._tails: dict[str, Tail] = {}

    def of(self, path: str, image: Array) -> Tail:
        """Return a layer's tail, which learns on the image where there is none yet."""
        if path not in self._tails:
            for oldest in list(self._tails)[: 1 - MOST]:
                del self._tails[oldest]
            self._tails[path] = Tail(self._network, self._sites, path, image)
        return self._tails[path]

    def follows(self, path: str) -> bool:
        """Say whether a layer's tail is still there and runs the image's pass as a graph."""
        return path in self._tails and self._tails[path].follows


class Tail:
    """The network behind the last call of one layer.

    `image` float32 `[h, w, 3]` is one to learn on what passes the layer by: which noted outputs
    the scores still come from, and which of them are one for each photo.

    Raises UnsupportedModel for a network that does not come to the same scores this way.
    """

    def __init__(self, network: Network, sites: Sites, path: str, image: Array) -> None:
        self._network, self._path, self._last = network, path, sites.calls[path]
        tree = layers.tree(network.model)
        self._watched = {
            each: layer for each, layer in tree.items() if each == path or layers.is_single(layer)
        }
        self._single = layers.is_single(sites.found[path])
        # two copies, so that an axis of one for each photo differs from any axis of one
        logits, own, noted = self._noted(tensor(np.stack([image, image])))
        self._calls = tuple(noted)
        self._like: list[Any] = [own, *noted.values()]
        flat = tf.nest.flatten(self._like)
        self._each = [each.shape.rank > 0 and each.shape[0] == 2 for each in flat]
        self._shapes = [
            (1, *each.shape[1:]) if own_row else tuple(each.shape)
            for each, own_row in zip(flat, self._each, strict=True)
        ]
        rows = [each[:1] if row else each for each, row in zip(flat, self._each, strict=True)]
        self._image, self._rows = image.copy(), rows
        self._learnt, self._held = image.copy(), False
        self._live = [True] * len(rows)
        map_size = sites.maps[path]
        specs = [
            tf.TensorSpec((None, *map_size), tf.float32),
            tf.TensorSpec(image.shape, tf.float32),
            [tf.TensorSpec(None, each.dtype) for each in rows],
        ]
        self._forward, self._backward = self._run, self._pull
        self._front: Callable[..., Any] | None = None
        forward = _graph(self._run, specs)
        if forward is not None:
            self._forward = forward
            self._live = _reached(forward.get_concrete_function(), 2, len(rows))
            self._rows = self._trimmed(rows)
            classes = tf.TensorSpec((None, logits.shape[1]), tf.float32)
            few = [spec for spec, live in zip(specs[2], self._live, strict=True) if live]
            self._backward = _graph(self._pull, [*specs[:2], few, classes]) or self._pull
        self._check(own, logits, image, self._rows)

    def logits(self, maps: Array, image: Array) -> Array:
        """Return logits `[N, classes]` for activations `[N, map h, map w, channels]`."""
        rows = self._reaching(image)
        found = self._forward(tensor(maps), tensor(image), rows)
        return np.asarray(found.numpy(), np.float32)

    def pull(self, maps: Array, image: Array, cotangent: Array) -> Array:
        """Return what cotangents of the logits `[N, classes]` are at the activations."""
        rows = zip(self._reaching(image), self._live, strict=True)
        reaching = [row for row, live in rows if live]
        found = self._backward(tensor(maps), tensor(image), reaching, tensor(cotangent))
        return np.asarray(found.numpy(), np.float32)

    # the image's own pass

    @property
    def follows(self) -> bool:
        """Whether the image's pass is one graph."""
        return self._front is not None

    def follow(self, *, to: bool = True) -> bool:
        """Let the image's pass be one graph, and say whether it can be one; or no more."""
        spec = tf.TensorSpec((1, *self._image.shape), tf.float32)
        self._front = _graph(self._reach, [spec]) if to else None
        if not to:
            self._image = np.full_like(self._image, np.nan)  # what the graph left is not trusted
        return self.follows

    def seen(self, image: Array) -> tuple[Any, Any]:
        """Run on an image by that graph; return the layer's maps and the logits, of one each."""
        if self._front is None:
            raise ValueError("it was not followed")
        maps, logits, reaching = self._front(tensor(image[None]))
        given, rows = iter(reaching), zip(self._rows, self._live, strict=True)
        self._rows = [next(given) if live else row for row, live in rows]
        self._image = image.copy()
        return maps, logits

    def _reach(self, images: Any) -> tuple[Any, Any, list[Any]]:
        logits, own, noted = self._noted(images, frozenset(self._calls))
        if tuple(noted) != self._calls:
            raise self._refusal("other layers run before it in a graph")
        flat = tf.nest.flatten([own, *noted.values()])
        kept = [each for each, live in zip(flat, self._live, strict=True) if live]
        return as_map(own), logits, kept

    def _noted(
        self, images: Any, wanted: Iterable[Call] | None = None
    ) -> tuple[Any, Any, dict[Call, Any]]:
        """Run on views; return logits, the layer's own output, and others' outputs before it."""
        counts: Counter[str] = Counter()
        here = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
        noted: dict[Call, Any] = {}
        own: list[Any] = []

        def see(path: str, output: Any) -> Any:
            if own:
                return output
            counts[path] += 1
            if path == self._path and counts[path] == self._last:
                own.append(output)
            elif path != self._path or self._single:
                call = path, counts[path]
                # what runs in a graph of its own cannot be kept: it runs again
                kept = all(
                    hasattr(each, "numpy") or (here and getattr(each, "graph", None) is here)
                    for each in tf.nest.flatten(output)
                )
                if kept and (wanted is None or call in wanted):
                    noted[call] = output
            return output

        with layers.intercepted(self._watched, see):
            logits = self._network.forward(images)
        if not own:
            raise self._refusal("it does not run in each pass")
        return logits, own[0], noted

    def _reaching(self, image: Array) -> list[Any]:
        """Return what reaches the scores past the layer, of this image."""
        if not np.array_equal(image, self._image):
            if self._front is not None:
                self.seen(image)
                return self._rows
            held = self._held or np.array_equal(image, self._learnt)
            if any(self._live) or not held:
                logits, own, noted = self._noted(tensor(image[None]), frozenset(self._calls))
                if tuple(noted) != self._calls:
                    raise self._refusal("other layers run before it on another photo")
                rows = self._trimmed(tf.nest.flatten([own, *noted.values()]))
                if not held:  # a layer may have told another something about the first photo
                    self._check(own, logits, image, rows)
                    self._held = True
                self._rows = rows
            self._image = image.copy()
        return self._rows

    def _trimmed(self, rows: list[Any]) -> list[Any]:
        """Let go of what the scores do not come from."""
        return [
            row if live else tf.constant(_UNUSED, row.dtype)
            for row, live in zip(rows, self._live, strict=True)
        ]

    # the tail's own

    def _run(self, maps: Any, image: Any, rows: list[Any]) -> Any:
        count = tf.shape(maps)[0]
        spread = []
        for row, shape, each in zip(rows, self._shapes, self._each, strict=True):
            row = tf.identity(row)
            row.set_shape(shape)
            spread.append(tf.broadcast_to(row, (count, *shape[1:])) if each else row)
        own, *noted = tf.nest.pack_sequence_as(self._like, spread)
        output = _as_output(maps, own)
        kept = dict(zip(self._calls, noted, strict=True))
        counts: Counter[str] = Counter()

        def stand_in(path: str, _: Any, call: Callable[..., Any]) -> Callable[..., Any]:
            def given(*args: Any, **kwargs: Any) -> Any:
                counts[path] += 1
                if path == self._path and counts[path] == self._last:
                    if not self._single:
                        call(*args, **kwargs)  # for the count of the calls inside it
                    return output
                if (path, counts[path]) in kept:
                    return kept[path, counts[path]]
                return call(*args, **kwargs)

            return given

        views = tf.broadcast_to(image[None], (count, *image.shape))
        with layers.replaced(self._watched, stand_in):
            return self._network.forward(views)

    def _pull(self, maps: Any, image: Any, reaching: list[Any], cotangent: Any) -> Any:
        # not the others, which would be hundreds to hand over at each call
        given, others = iter(reaching), zip(self._rows, self._shapes, self._live, strict=True)
        rows = [next(given) if live else tf.zeros(to, row.dtype) for row, to, live in others]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(maps)
            logits = self._run(maps, image, rows)
        return tape.gradient(logits, maps, output_gradients=cotangent, unconnected_gradients="zero")

    def _check(self, own: Any, logits: Any, image: Array, rows: list[Any]) -> None:
        """Hold the tail's scores of an image's own activations against the network's."""
        wanted = np.asarray(logits, np.float32)[:1]
        found = self._forward(tensor(array(own)[:1]), tensor(image), rows).numpy()
        scale = float(np.abs(wanted).max(initial=1e-3))
        close: dict[str, Any] = {"rtol": 1e-3, "atol": 1e-3 * scale, "equal_nan": True}
        if found.shape != wanted.shape or not np.allclose(found, wanted, **close):
            raise self._refusal("its own activations do not come to the scores of the whole")

    def _refusal(self, why: str) -> UnsupportedModel:
        return UnsupportedModel(
            f"The network cannot be run on from the layer {self._path!r}: {why}. Choose another "
            "layer."
        )


def _as_output(maps: Any, own: Any) -> Any:
    """Turn activations `[N, map h, map w, channels]` into what the layer gives.

    `own` is its output on the image, as many times: tokens before those of the map are its.
    """
    if len(own.shape) == 3:
        height, width, channels = maps.shape[1:]
        rows = tf.reshape(maps, (-1, height * width, channels))
        before = own.shape[1] - height * width
        if before:
            return tf.concat([own[:, :before], tf.cast(rows, own.dtype)], 1)
        maps = rows
    return tf.cast(maps, own.dtype)


def _graph(run: Callable[..., Any], specs: list[Any]) -> Any:
    """Return `run` as a graph, or None where it cannot be one."""
    graph = tf.function(run, input_signature=specs, autograph=False)
    try:
        graph.get_concrete_function()
    except Exception:  # a subclassed model may need Python at each pass
        return None
    return graph


def _reached(concrete: Any, first: int, count: int) -> list[bool]:
    """Tell which of a graph's arguments, `count` from `first` on, its answer comes from."""
    graph = concrete.graph
    waiting = [each.op for each in graph.outputs] + list(graph.control_outputs)
    seen: set[str] = set()
    while waiting:
        operation = waiting.pop()
        if operation.name not in seen:
            seen.add(operation.name)
            waiting += [each.op for each in operation.inputs] + list(operation.control_inputs)
    return [each.op.name in seen for each in graph.inputs[first : first + count]]
