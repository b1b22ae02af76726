"""The one way through a Keras network: views in, logits or maps out, as a graph where it can be."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from loaders.backend import Compiled, Passes
from loaders.keras import convert
from loaders.keras.network import Network, tensor
from loaders.keras.sites import Sites, as_map

Array = NDArray[np.float32]
SCORES = ""
"""What is read where it is the logits and no layer's map."""


class Forward:
    """Runs a network on views; each kind of run is traced once, for any number of views."""

    def __init__(self, network: Network, sites: Sites, *, random: str = "") -> None:
        self._network, self._sites = network, sites
        self._graphs: dict[str, Callable[..., Any]] = {}
        self.logits = Passes(
            self.own,
            lambda: Compiled(convert.converted(self.reading(SCORES), network.size)),
            name="TensorFlow",
            size=network.size,
            weights=4 * int(network.model.count_params()),
            why_not=convert.why_not(random),
            alone=self.inline,
            streams=lambda: convert.streamed(self.reading(SCORES)),
        )
        """Returns float32 `[N, classes]` for views, by whatever runs the network."""

    def expect(self, reads: Sequence[str], images: int) -> None:
        """Hear what is to be read of so many images."""
        if tuple(reads) == (SCORES,):
            self.logits.expect(images)

    def own(self, images: Array) -> Array:
        """Return float32 `[N, classes]` for views `[N, h, w, 3]` by TensorFlow itself."""
        return np.asarray(self.reading(SCORES)(tensor(images)).numpy(), np.float32)

    def inline(self, images: Array) -> Array:
        """Return the same, each operation begun in the thread that asks."""
        with convert.inline():
            return self.own(images)

    def plain(self, what: str) -> Callable[[Any], Any]:
        """Return what maps tensors of views to logits (`SCORES`) or to a layer's map, by path."""
        if what == SCORES:
            return self._network.forward

        def read(views: Any) -> Any:
            with self._sites.at(what) as seen:
                self._network.forward(views)
            return as_map(seen[-1])

        return read

    def reading(self, what: str) -> Callable[[Any], Any]:
        """Return `plain` as a graph."""
        return self.graph("logits" if what == SCORES else f"the map of {what}", self.plain(what))

    def all(self, reads: Sequence[str], images: Array) -> list[Array]:
        """Return what is read of each, for views `[N, h, w, 3]`, in one pass."""
        if tuple(reads) == (SCORES,):
            return [self.logits(images)]

        def read(views: Any) -> Any:
            with contextlib.ExitStack() as within:
                seen = {path: within.enter_context(self._sites.at(path)) for path in reads if path}
                logits = self._network.forward(views)
            return [as_map(seen[path][-1]) if path else logits for path in reads]

        found = self.graph(f"all of {list(reads)}", read)(tensor(images))
        return [np.asarray(each.numpy(), np.float32) for each in found]

    def back_to(self, path: str, images: Array, cotangent: Array) -> Array:
        """Pull cotangents at a layer's map back to the view, `[n, h, w, 3]`."""
        forward = self.plain(path)

        def pull(views: Any, cotangent: Any) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(views)
                maps = forward(views)
            return tape.gradient(
                maps, views, output_gradients=cotangent, unconnected_gradients="zero"
            )

        run = self.graph(f"back from {path}", pull, (None, *cotangent.shape[1:]))
        return np.asarray(run(tensor(images), tensor(cotangent)).numpy(), np.float32)

    def from_code(self, path: str, images: Array, code: Array) -> tuple[Array, Array]:
        """Return the squared distances `[n]` of views from a code, and the slopes of these."""
        forward = self.plain(path)

        def pull(views: Any, code: Any) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(views)
                apart = tf.square(tf.cast(forward(views), tf.float32) - code)
                apart = tf.reduce_sum(apart, (1, 2, 3))
            return apart, tape.gradient(apart, views, unconnected_gradients="zero")

        run = self.graph(f"distance from a code at {path}", pull, code.shape)
        apart, slopes = run(tensor(images), tensor(code))
        return np.asarray(apart.numpy(), np.float32), np.asarray(slopes.numpy(), np.float32)

    def graph(self, key: str, run: Callable[..., Any], *more: Any) -> Callable[..., Any]:
        """Return `run` as a graph for any number of views, or as it is where it cannot be one.

        `more` are the shapes of what it takes besides views.
        """
        if key not in self._graphs:
            signature = [tf.TensorSpec((None, *self._network.size, 3), tf.float32)]
            signature += [tf.TensorSpec(shape, tf.float32) for shape in more]
            graph = tf.function(run, input_signature=signature, autograph=False)
            try:
                graph.get_concrete_function()
                self._graphs[key] = graph
            except Exception:  # a subclassed model may need Python at each pass
                self._graphs[key] = run
        return self._graphs[key]


def score(outputs: Any, weights: Any) -> Any:
    """Return `[N]`: a target's weights over what it reads, each of any shape."""
    if len(outputs.shape) == 2:
        return tf.linalg.matvec(outputs, weights)
    return tf.tensordot(outputs, weights, len(weights.shape))
