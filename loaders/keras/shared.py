"""Passes to a layer and on to the scores, and what the last photo's has left for other questions.

Another class or another method at the same layer of the same photo costs the way back alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from loaders.keras.network import Network, tensor
from loaders.keras.sites import Sites, array

Array = NDArray[np.float32]

MOST = 64 << 20
"""Bytes of the last photo that are kept."""
BESIDE = 3
"""Times what a pass keeps to find its slopes, by what layers that give a map give."""


@dataclasses.dataclass(eq=False)
class Kept:
    """What a pass over some views left: a layer's output and, with their tape, the scores."""

    views: Array
    path: str
    output: Any
    scores: Any = None
    tape: Any = None

    def slopes(self, number: Callable[[Any], Any]) -> Array:
        """Return the slopes of a number `[n]` of the scores, as the layer's maps are."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self.scores)
            found = number(self.scores)
        moved = tape.gradient(found, self.scores, unconnected_gradients="zero")
        return array(
            self.tape.gradient(
                self.scores, self.output, output_gradients=moved, unconnected_gradients="zero"
            )
        )


class Shared:
    """The passes of one network. `random` says that its answers change from pass to pass."""

    def __init__(self, network: Network, sites: Sites, *, random: str) -> None:
        self._network, self._sites, self._random = network, sites, bool(random)
        self._kept: Kept | None = None

    def maps(self, images: Array, path: str) -> Array:
        """Return a layer's maps `[n, h, w, channels]` of views."""
        kept = self._known(images, path)
        if kept is None:
            with self._sites.at(path) as seen:
                self._network.forward(tensor(images))
            kept = self._keep(Kept(images, path, seen[-1]))
        return array(kept.output)

    def sloped(self, images: Array, path: str) -> Kept:
        """Return a pass over views that has scores.

        The tape sees nothing before the layer's output: only what follows is differentiated.
        """
        kept = self._known(images, path)
        if kept is not None and kept.tape is not None:
            return kept
        with (
            tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape,
            self._sites.at(path, tape.watch) as seen,
        ):
            scores = self._network.forward(tensor(images))
        return self._keep(Kept(images, path, seen[-1], scores, tape))

    def _known(self, images: Array, path: str) -> Kept | None:
        kept = self._kept
        same = kept is not None and kept.path == path and np.array_equal(kept.views, images)
        return kept if same else None

    def _keep(self, kept: Kept) -> Kept:
        """Keep one photo's pass where there is room for it."""
        if self._random or len(kept.views) != 1:
            return kept
        self._kept = None
        if self._bytes(kept) <= MOST:
            self._kept = dataclasses.replace(kept, views=kept.views.copy())
        return kept

    def _bytes(self, kept: Kept) -> int:
        """Return about how many bytes a pass holds, by the maps that follow the layer."""
        if kept.tape is None:
            return int(kept.output.numpy().nbytes)
        rows = self._sites.rows
        first = next((at for at, row in enumerate(rows) if row.name == kept.path), 0)
        sizes = [row.map_size[0] * row.map_size[1] * row.channels for row in rows[first:]]
        return BESIDE * 4 * sum(sizes)
