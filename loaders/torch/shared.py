"""Passes to a layer and on to the scores, and what the last photo's has left for other questions.

Another class, another method or a later layer of the same photo costs the way back alone. Once such
passes have taken as long as it takes to follow the network, it is followed, and its half up to the
layer runs packed wherever that gives the same, sooner.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from loaders import backend
from loaders.backend import AGREES, SLOPES, Refused, difference
from loaders.torch import convert
from loaders.torch.halves import Front, Halves
from loaders.torch.layers import Modules
from loaders.torch.layout import Layout
from loaders.torch.replay import Ended
from loaders.torch.script import Graph
from loaders.torch.wrapped import Wrapped

Array = NDArray[np.float32]
Rest = Callable[[torch.Tensor], torch.Tensor]
"""A layer's maps `[n, h, w, channels]` in, logits `[n, classes]` out."""

MOST = 64 << 20
"""Bytes of the last photo that are kept."""
BESIDE = 3
"""Times what a pass keeps to find its slopes, by what layers that give a map give."""
TRIES = 6
"""Times that the halves are run to see if they are quicker: busy neighbours make a few slow."""
REPAYS = 2.0
"""Seconds of passes to a layer after which the network is followed: that takes about as long."""


@dataclasses.dataclass(eq=False)
class Kept:
    """What passes over some views have left: layers' outputs, and the scores where they went on.

    Slopes of the scores can be pulled back to those outputs that require them. `fronts` are the
    first halves by layer, and `last` the slopes that were pulled back last: to which output, what
    of the scores was asked, and they themselves.
    """

    views: Array
    outputs: dict[str, torch.Tensor] = dataclasses.field(default_factory=dict)
    scores: torch.Tensor | None = None
    fronts: dict[str, Front] = dataclasses.field(default_factory=dict)
    last: tuple[torch.Tensor, object, torch.Tensor] | None = None

    def slopes_at(self, layer: str) -> bool:
        """Say whether slopes of the scores can be pulled back to a layer's output."""
        return self.scores is not None and self.outputs[layer].requires_grad

    def slopes(
        self, layer: str, asked: object, pull: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """Return slopes at a layer's output: the last, where the same was asked; else pulled."""
        leaf = self.outputs[layer]
        if self.last is None or self.last[0] is not leaf or self.last[1] != asked:
            self.last = leaf, asked, pull(leaf)
        return self.last[2]

    @property
    def bytes(self) -> int:
        """Return about how many bytes it holds."""
        maps: dict[int, int] = {each.data_ptr(): each.nbytes for each in self.outputs.values()}
        fronts = sum(each.bytes for each in self.fronts.values())
        if self.scores is None:
            return sum(maps.values()) + fronts
        return (
            BESIDE * sum(maps.values()) + max(maps.values(), default=0) + fronts
        )  # slopes: one map's size


class Shared:
    """The passes of one network. `random` says that its answers change from pass to pass."""

    def __init__(
        self,
        module: Wrapped,
        inside: Modules | Graph,
        layouts: Mapping[str, Layout],
        *,
        size: tuple[int, int],
        random: str,
    ) -> None:
        self._module, self._inside, self._layouts, self._size = module, inside, layouts, size
        self._keeps = not convert.why_not(module, random) and isinstance(inside, Modules)
        self._kept: Kept | None = None
        self._spent = 0.0
        self._halves: Halves | None = None
        self._trusted: dict[str, bool] = {}
        self._apart, self._gain = 0.0, 0.0
        self.refused = "" if self._keeps else "it is not followed"
        """Why the network's first half runs as it is, as a clause."""

    @property
    def said(self) -> str:
        """How passes to a layer run, in a sentence; empty until the network was followed."""
        if self._keeps and self.refused:
            return f"Passes to a layer run as the network does, as {self.refused}."
        if any(self._trusted.values()):
            return (
                "Passes to a layer take packed convolutions where they were quicker when tried, up "
                f"to {self._gain:.1f} times; maps and slopes differed by at most {self._apart:.0e} "
                "of the largest."
            )
        if self._trusted:
            return (
                "Passes to a layer run as the network does: packed convolutions were no quicker at "
                "the layers that were asked for, or did not give the same."
            )
        return ""

    def outputs(self, images: Array, layer: str) -> torch.Tensor:
        """Return a layer's output for views `[n, h, w, 3]`; nobody may write into it."""
        kept = self._known(images)
        if layer in kept.outputs:
            return kept.outputs[layer]
        if self._ready(layer):
            kept.outputs[layer] = self._front(kept, layer).output
        elif self._to_be_tried(layer):
            self._tried(kept, layer)
        else:
            self._reached(kept, layer)
        self._keep(kept, layer)
        return kept.outputs[layer]

    def sloped(self, images: Array, layer: str) -> Kept:
        """Return a pass over views `[n, h, w, 3]` whose slopes can be pulled back to a layer."""
        kept = self._known(images)
        if layer in kept.outputs and kept.slopes_at(layer):
            return kept
        if halves := self._ready(layer):
            kept.outputs, kept.scores = self._on(halves, layer, self._front(kept, layer))
        elif self._to_be_tried(layer):
            self._tried(kept, layer)
        else:
            start = time.thread_time()  # a busy neighbour is not counted
            kept.outputs, kept.scores = self._plain(images, layer)
            self._spent += time.thread_time() - start
        self._keep(kept, layer)
        return kept

    def rest(self, layer: str, image: Array) -> Rest | None:
        """Return what follows a layer for one view, or None where the halves do not serve."""
        halves = self._ready(layer)
        if halves is None:
            return None
        kept = self._known(image[None])
        front = self._front(kept, layer)
        self._keep(kept, layer)
        with contextlib.suppress(Refused):
            front.of(2)
            return self._follows(halves, layer, front)
        return None

    def settle(self) -> None:
        """Follow the network now, if that is to be done at all."""
        if self._halves is None and not self.refused:
            try:
                self._halves = Halves(self._module, self._size)
            except (Refused, MemoryError) as error:
                self.refused = str(error) or "there was not enough memory"

    def _known(self, images: Array) -> Kept:
        """Return what is known of views; something new, where they are not the last photo."""
        if self._kept is not None and np.array_equal(self._kept.views, images):
            return self._kept
        return Kept(images)

    def _keep(self, kept: Kept, layer: str) -> None:
        """Keep it for the next question, or what there is room for of it."""
        if not self._keeps or len(kept.views) != 1:
            return
        if kept.bytes > MOST:
            kept = Kept(kept.views, {layer: kept.outputs[layer].detach()} if kept.outputs else {})
        if self._kept is None or self._kept.views is not kept.views:
            kept.views = kept.views.copy()
        self._kept = kept if kept.bytes <= MOST else None

    def _ready(self, layer: str) -> Halves | None:
        """Return the halves where they are trusted at a layer."""
        if self._spent >= REPAYS:
            self.settle()
        return self._halves if self._trusted.get(layer) else None

    def _photos(self, images: Array) -> torch.Tensor:
        with torch.no_grad():
            return self._module.normalised(_nchw(images))

    def _front(self, kept: Kept, layer: str) -> Front:
        if layer not in kept.fronts:
            assert self._halves is not None  # noqa: S101 - they were found ready
            kept.fronts[layer] = self._halves.front(layer, self._photos(kept.views))
        return kept.fronts[layer]

    def _reached(self, kept: Kept, layer: str) -> None:
        """Run the network until it comes to a layer."""

        def end(output: torch.Tensor) -> None:
            kept.outputs[layer] = output
            raise Ended

        start = time.thread_time()
        with (
            torch.no_grad(),
            contextlib.suppress(Ended),
            self._inside.at(layer, end),
        ):
            self._module(_nchw(kept.views))
        self._spent += time.thread_time() - start

    def _plain(self, images: Array, layer: str) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Run the network as it is, and return outputs and scores.

        Slopes begin at the layer, so that the way back goes through what follows only.
        """
        outputs: dict[str, torch.Tensor] = {}
        written: dict[str, int] = {}

        def branch(output: torch.Tensor) -> torch.Tensor:
            outputs[layer] = output.detach().requires_grad_()
            return outputs[layer] * 1  # not the leaf itself: the network may write in place

        def seeing(name: str) -> Callable[[torch.Tensor], None]:
            def see(output: torch.Tensor) -> None:
                outputs[name], written[name] = output, output._version

            return see

        names = [*self._layouts] if self._keeps else []
        with contextlib.ExitStack() as stack, torch.enable_grad():
            stack.enter_context(self._inside.at(layer, branch))
            for name in names[names.index(layer) + 1 :] if names else ():
                stack.enter_context(self._inside.at(name, seeing(name), needed=False))
            scores = self._module(_nchw(images))
        for name, version in written.items():
            if outputs[name]._version != version or not outputs[name].requires_grad:
                del outputs[name]
        return outputs, scores

    def _on(
        self, halves: Halves, layer: str, front: Front
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Run from a layer on, and return outputs and scores as `_plain` does."""
        leaf = front.output.detach().requires_grad_()
        names = [name for name in halves.later(layer) if name in self._layouts]
        scores, outputs = halves.rest(layer, front, leaf, names)
        return {**outputs, layer: leaf}, scores

    def _follows(self, halves: Halves, layer: str, front: Front) -> Rest:
        def run(maps: torch.Tensor) -> torch.Tensor:
            spread = front.of(len(maps))
            output = self._layouts[layer].from_map(maps, spread.output)
            return halves.rest(layer, spread, output)[0]

        return run

    def _to_be_tried(self, layer: str) -> bool:
        return self._halves is not None and layer not in self._trusted

    def _tried(self, kept: Kept, layer: str) -> None:
        """Run the network as it is, and see whether its halves give the same at a layer, sooner."""
        start = time.thread_time()
        kept.outputs, kept.scores = self._plain(kept.views, layer)
        took = time.thread_time() - start
        self._trusted[layer] = False
        with contextlib.suppress(Exception):  # whatever a stranger's operations raise
            self._trusted[layer] = self._agrees(kept, layer, took)

    def _agrees(self, kept: Kept, layer: str, took: float) -> bool:
        """Say whether the halves give the same output, scores and slopes, in less time."""
        halves = self._halves
        if halves is None or kept.scores is None or not halves.knows(layer):
            return False
        photos = self._photos(kept.views)
        halves.front(layer, photos)  # the first one packs the weights
        spent: list[float] = []
        while len(spent) < 2 or (min(spent) * backend.QUICKER > took and len(spent) < TRIES):
            start = time.thread_time()
            front = halves.front(layer, photos)
            outputs, scores = self._on(halves, layer, front)
            spent.append(time.thread_time() - start)
        if min(spent) * backend.QUICKER > took:
            return False
        own, found = kept.outputs[layer], outputs[layer]
        some = torch.randn(scores.shape, generator=torch.Generator().manual_seed(0))
        slopes = [
            torch.autograd.grad(made, leaf, some, retain_graph=True)[0]
            for made, leaf in ((kept.scores, own), (scores, found))
        ]
        pairs = ((own, found, AGREES), (kept.scores, scores, AGREES), (*slopes, SLOPES))
        apart = [difference(b.detach().numpy(), a.detach().numpy()) for a, b, _ in pairs]
        if not all(each <= most for each, (_, _, most) in zip(apart, pairs, strict=True)):
            return False
        if len(kept.views) == 1:
            with torch.no_grad(), contextlib.suppress(Refused):
                maps = self._layouts[layer].as_map(found.detach()).expand(2, -1, -1, -1)
                both = self._follows(halves, layer, front)(maps)
                if not difference(both.numpy(), scores.detach().expand(2, -1).numpy()) <= AGREES:
                    return False
        self._apart = max(self._apart, *apart)
        self._gain = max(self._gain, took / min(spent))
        return True


def _nchw(images: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(images, np.float32)).permute(0, 3, 1, 2)
