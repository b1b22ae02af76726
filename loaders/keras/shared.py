"""Passes to a layer and on to the scores, and what the last photo's has left for other questions.

Another class or another method at the same layer of the same photo costs the way back alone. Once
such passes have taken as long as it takes to make graphs of the network's two halves, these run
wherever they give the same, sooner.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from loaders import backend
from loaders.backend import AGREES, SLOPES, difference
from loaders.keras.network import Network, tensor
from loaders.keras.sites import Sites, array
from loaders.keras.tail import Tails

Array = NDArray[np.float32]

MOST = 64 << 20
"""Bytes of the last photo that are kept."""
BESIDE = 3
"""Times what a pass keeps to find its slopes, by what layers that give a map give."""
REPAYS = 4.0
"""Seconds of passes to a layer after which the halves are tried there: that takes about as long."""


@dataclasses.dataclass(eq=False)
class Kept:
    """What a pass over some views left: a layer's output and, with their tape, the scores.

    Where a graph ran, `pull` takes cotangents of the scores back to the layer instead of the tape.
    """

    views: Array
    path: str
    output: Any
    scores: Any = None
    tape: Any = None
    pull: Callable[[Array], Array] | None = None

    def slopes(self, number: Callable[[Any], Any]) -> Array:
        """Return the slopes of a number `[n]` of the scores, as the layer's maps are."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self.scores)
            found = number(self.scores)
        moved = tape.gradient(found, self.scores, unconnected_gradients="zero")
        if self.pull is not None:
            return self.pull(np.asarray(moved.numpy(), np.float32))
        return array(
            self.tape.gradient(
                self.scores, self.output, output_gradients=moved, unconnected_gradients="zero"
            )
        )


class Shared:
    """The passes of one network. `random` says that its answers change from pass to pass."""

    def __init__(self, network: Network, sites: Sites, tails: Tails, *, random: str) -> None:
        self._network, self._sites, self._tails = network, sites, tails
        self._random = bool(random)
        self._kept: Kept | None = None
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._trusted: dict[str, bool] = {}
        self._apart, self._gain = 0.0, 0.0

    @property
    def said(self) -> str:
        """How passes to a layer run, in a sentence; empty until graphs were tried."""
        if self._gain:
            return (
                "Passes to a layer run as graphs where they were quicker when tried, up to "
                f"{self._gain:.1f} times; maps and slopes differed by at most {self._apart:.0e} of "
                "the largest."
            )
        if self._trusted:
            return (
                "Passes to a layer run as the network does: graphs were no quicker at the layers "
                "that were asked for, or did not give the same."
            )
        return ""

    def maps(self, images: Array, path: str) -> Array:
        """Return a layer's maps `[n, h, w, channels]` of views."""
        kept = self._known(images, path)
        if kept is None and len(images) == 1 and self._served(path):
            kept = self._keep(self._halved(images, path))
        if kept is None:
            start = time.process_time()
            with self._sites.at(path) as seen:
                self._network.forward(tensor(images))
            self._spent[path] += time.process_time() - start
            kept = self._keep(Kept(images, path, seen[-1]))
        return array(kept.output)

    def sloped(self, images: Array, path: str) -> Kept:
        """Return a pass over views that has scores.

        The tape sees nothing before the layer's output: only what follows is differentiated.
        """
        kept = self._known(images, path)
        if kept is not None and kept.scores is not None:
            return kept
        if len(images) == 1 and self._served(path):
            return self._keep(self._halved(images, path))
        start = time.process_time()
        kept = self._taped(images, path)
        took = time.process_time() - start
        self._spent[path] += took
        if self._spent[path] >= REPAYS and len(images) == 1:
            self.settle(kept, took)
        return self._keep(kept)

    def settle(self, kept: Kept, took: float) -> None:
        """Try graphs of both halves at a layer, by a photo whose pass took so many seconds."""
        if kept.path in self._trusted or self._random:
            return
        self._trusted[kept.path] = False
        with contextlib.suppress(Exception):  # whatever a stranger's layers raise in a graph
            tail = self._tails.of(kept.path, kept.views[0])
            try:
                self._trusted[kept.path] = tail.follow() and self._agrees(kept, took)
            finally:
                if not self._trusted[kept.path]:
                    tail.follow(to=False)

    def _served(self, path: str) -> bool:
        """Say whether graphs serve a layer: those that made room for others have to be repaid."""
        if self._trusted.get(path) and not self._tails.follows(path):
            del self._trusted[path], self._spent[path]
        return self._trusted.get(path, False)

    def _taped(self, images: Array, path: str) -> Kept:
        """Run layer by layer, and note what slopes are found from."""
        with (
            tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape,
            self._sites.at(path, tape.watch) as seen,
        ):
            scores = self._network.forward(tensor(images))
        return Kept(images, path, seen[-1], scores, tape)

    def _halved(self, images: Array, path: str) -> Kept:
        tail, image = self._tails.of(path, images[0]), images[0].copy()
        output, scores = tail.seen(image)
        maps = array(output)
        return Kept(images, path, output, scores, pull=lambda moved: tail.pull(maps, image, moved))

    def _agrees(self, kept: Kept, took: float) -> bool:
        """Say whether graphs give the same output, scores and slopes, in less time.

        On the photo and on its negative: what is traced may hold something of the photo.
        """
        some = tf.constant(np.random.default_rng(0).standard_normal(kept.scores.shape), tf.float32)

        def number(scores: Any) -> Any:
            return tf.reduce_sum(scores * some, 1)

        spent: list[float] = []
        apart: list[float] = []
        for own in (kept, self._taped(1 - kept.views, kept.path)):
            for _ in range(3 if own is kept else 1):  # the first is optimised
                start = time.process_time()
                found = self._halved(own.views, own.path)
                slopes = found.slopes(number)
                spent.append(time.process_time() - start)
            differences = (
                difference(array(found.output), array(own.output)),
                difference(found.scores.numpy(), own.scores.numpy()),
                difference(slopes, own.slopes(number)),
            )
            apart += differences
            limits = (AGREES, AGREES, SLOPES)
            if not all(each <= most for each, most in zip(differences, limits, strict=True)):
                return False
        if min(spent) * backend.QUICKER > took:
            return False
        self._apart, self._gain = max(self._apart, *apart), max(self._gain, took / min(spent))
        return True

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
        if kept.tape is None:  # what a graph keeps of a photo is its tail's
            return int(kept.output.numpy().nbytes)
        rows = self._sites.rows
        first = next((at for at, row in enumerate(rows) if row.name == kept.path), 0)
        sizes = [row.map_size[0] * row.map_size[1] * row.channels for row in rows[first:]]
        return BESIDE * 4 * sum(sizes)
