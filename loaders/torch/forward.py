"""The passes of a network, forth and back: the one place where views become scores or maps.

A faster backend stands in for `logits`; the other passes look inside the module.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from loaders.backend import Compiled, Passes, Refused, probes
from loaders.torch import convert, cuda, slopes
from loaders.torch.folded import Folded
from loaders.torch.layers import Modules, by_itself
from loaders.torch.layout import Layout
from loaders.torch.replay import Ended
from loaders.torch.script import Graph
from loaders.torch.shared import Shared
from loaders.torch.streamed import streamed
from loaders.torch.wrapped import Wrapped
from xai_core.errors import UnsupportedModel
from xai_core.target import Target

Array = NDArray[np.float32]
JOINED_FROM = 48
"""Slopes from which it repays itself to join a network's steps: it takes as long as ten or so."""
_WRITTEN = (
    "The network writes over values that its slopes are found from, so that it has none. Choose a "
    "method that asks for scores alone, such as occlusion."
)
SCORES = ""
"""What stands for the network's scores where names of layers stand."""


class Forward:
    """The passes of one batch of views `[n, h, w, 3]`, at most as many as the network takes."""

    def __init__(
        self,
        module: Wrapped,
        inside: Modules | Graph,
        layouts: Mapping[str, Layout],
        still: Any,
        *,
        size: tuple[int, int] = (0, 0),
        random: str = "",
    ) -> None:
        self.module = module
        self._inside, self._layouts, self._still = inside, layouts, still
        self._size = size
        self.logits = Passes(
            self.plain,
            *([lambda: cuda.Cuda(module, size, still)] if cuda.wanted() else []),
            lambda: Compiled(convert.converted(module, size)),
            lambda: Folded(module, still, size),
            name="PyTorch",
            size=size,
            weights=sum(each.numel() * each.element_size() for each in module.parameters()),
            why_not=convert.why_not(module, random),
            streams=lambda: streamed(module, lambda: self.plain(probes(size)[:1])),
        )
        """Returns float32 `[n, classes]`, by whatever runs the network."""
        self.shared = Shared(module, inside, layouts, size=size, random=random)
        self._lighter: slopes.ThereAndBack | None = None
        self._joins = not convert.why_not(module, random) and isinstance(inside, Modules)

    def plain(self, images: Array) -> Array:
        """Return float32 `[n, classes]` by torch itself."""
        with self._still():
            scores: Array = self.module(nchw(images)).numpy()
        return scores

    def expect_back(self, images: int) -> None:
        """Hear that slopes of so many are to come, and join the network's steps where it repays."""
        if images < JOINED_FROM or not self._joins:
            return
        self._joins = False
        with contextlib.suppress(Refused):
            self._lighter = slopes.checked(self.module, nchw(probes(self._size)[:2]))

    @property
    def said(self) -> str:
        """How passes to a layer and slopes run, in sentences; empty where nothing was decided."""
        joined = self._lighter.said if self._lighter else ""
        return f"{self.shared.said} {joined}".strip()

    @property
    def at_once(self) -> int:
        """How many views' slopes go at once where steps are joined, else 0."""
        return self._lighter.room if self._lighter else 0

    def back(self, images: Array, target: Target) -> Array:
        """Return d score / d view, float32 `[n, h, w, 3]`."""
        views = nchw(images).requires_grad_()
        slope = pulled(self._score(views, target, self._lighter).sum(), views)
        return _nhwc(slope)

    def read(self, images: Array, names: Collection[str]) -> dict[str, Array]:
        """Return layers' maps `[n, h, w, channels]`, and the logits for the name SCORES."""
        if set(names) == {SCORES}:
            return {SCORES: self.logits(images)}
        if len(names) == 1 == len(images):
            (layer,) = names
            return {layer: self._maps(self.shared.outputs(images, layer), layer, 1)}
        with self._still():
            found = self._outputs(nchw(images), names)
        return {name: value.numpy() for name, value in found.items()}

    def branched(self, images: Array, layer: str, target: Target) -> tuple[Array, Array]:
        """Return a layer's maps and d score / d map, both `[n, h, w, channels]`.

        The maps are where gradients begin, so that the way back goes through what follows only.
        """
        if reads(target) != SCORES:
            return self._branched(images, layer, target)
        kept = self.shared.sloped(images, layer)
        scores = kept.scores
        assert scores is not None  # noqa: S101 - it went on to them
        asked = target.of, target.weights(scores.shape[1]).tobytes()

        def pull(leaf: torch.Tensor) -> torch.Tensor:
            return pulled(self._number(scores, target).sum(), leaf, again=True)

        slope, count = kept.slopes(layer, asked, pull), len(images)
        return self._maps(kept.outputs[layer], layer, count), self._maps(slope, layer, count)

    def _branched(self, images: Array, layer: str, target: Target) -> tuple[Array, Array]:
        leaves: list[torch.Tensor] = []

        def branch(output: torch.Tensor) -> torch.Tensor:
            leaves.append(output.detach().requires_grad_())
            return leaves[-1] * 1  # not the leaf itself: the network may write in place

        with self._inside.at(layer, branch, needed=False):
            score = self._score(nchw(images), target)
        if not leaves:  # the target's own layer comes before this one, and ended the pass
            maps = self.read(images, (layer,))[layer]
            return maps, np.zeros_like(maps)
        slope = pulled(score.sum(), leaves[-1])
        return self._maps(leaves[-1], layer, len(images)), self._maps(slope, layer, len(images))

    def back_to(self, images: Array, layer: str, cotangent: Array) -> Array:
        """Pull cotangents at a layer's map `[n, h, w, channels]` back to the view."""
        views = nchw(images).requires_grad_()
        maps = self._outputs(views, (layer,))[layer]
        slope = pulled(maps, views, torch.from_numpy(cotangent).to(maps.dtype))
        return _nhwc(slope)

    def from_code(self, images: Array, layer: str, code: Array) -> tuple[Array, Array]:
        """Return the squared distances `[n]` of views from a code, and the slopes of these."""
        views = nchw(images).requires_grad_()
        maps = self._outputs(views, (layer,))[layer].float()
        apart = (maps - torch.from_numpy(np.array(code, np.float32))).square().sum((1, 2, 3))
        return apart.detach().numpy(), _nhwc(pulled(apart.sum(), views))

    def _maps(self, output: torch.Tensor, layer: str, count: int) -> Array:
        """Return a layer's output of so many views as maps of their own memory."""
        maps = _rows(self.as_map(output.detach(), layer), layer, count)
        return np.array(maps.numpy(), order="C")

    def as_map(self, output: torch.Tensor, layer: str) -> torch.Tensor:
        """Turn a layer's output into `[n, map h, map w, channels]`."""
        maps: torch.Tensor = self._layouts[layer].as_map(output)
        return maps.float()

    def _score(
        self, views: torch.Tensor, target: Target, lighter: slopes.ThereAndBack | None = None
    ) -> torch.Tensor:
        """Return the target's number of each view, `[n]`; scores by a `lighter` network."""
        name = reads(target)
        if name != SCORES:
            maps = self._outputs(views, (name,))[name].float()
            weights = torch.from_numpy(target.weights(tuple(maps.shape[1:])))
            chosen = weights != 0  # the others may overflow, and 0 times that is no number
            return maps[:, chosen] @ weights[chosen]
        logits: torch.Tensor = (lighter or self.module)(views)
        return self._number(logits, target)

    def _number(self, logits: torch.Tensor, target: Target) -> torch.Tensor:
        if target.of == "probability":
            logits = logits.softmax(1) if self.module.head.exclusive else logits.sigmoid()
        weights = target.weights(logits.shape[1])
        read = np.flatnonzero(weights).tolist()
        return logits[:, read] @ torch.from_numpy(weights[read])

    def _outputs(self, views: torch.Tensor, names: Collection[str]) -> dict[str, torch.Tensor]:
        """Return layers' maps of a pass, which ends where all that is asked for is known."""
        found: dict[str, torch.Tensor] = {}

        def keeping(name: str) -> Callable[[torch.Tensor], torch.Tensor]:
            def keep(output: torch.Tensor) -> torch.Tensor:
                found[name] = output
                if len(found) == len(names):
                    raise Ended
                return output.clone()  # the network may write in place

            return keep

        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.suppress(Ended))
            for name in names:
                if name != SCORES:
                    stack.enter_context(self._inside.at(name, keeping(name)))
            found[SCORES] = self.module(views)
        return {
            name: found[name]
            if name == SCORES
            else _rows(self.as_map(found[name], name), name, len(views))
            for name in names
        }


def _rows(maps: torch.Tensor, layer: str, count: int) -> torch.Tensor:
    """Return the maps of so many views; there may be more. Raises UnsupportedModel for fewer."""
    if len(maps) < count:
        raise UnsupportedModel(by_itself(layer))
    return maps[:count]


def reads(target: Target) -> str:
    """Return the name of the layer that a target reads, or SCORES."""
    return str(getattr(target, "layer", "")) if target.reads == "layer" else SCORES


def pulled(
    values: torch.Tensor,
    source: torch.Tensor,
    cotangent: torch.Tensor | None = None,
    *,
    again: bool = False,
) -> torch.Tensor:
    """Return the gradient of `values` (with `cotangent`) by `source`; zero where there is none.

    `again` leaves what another one needs.
    """
    slope = None
    if values.requires_grad:
        try:
            (slope,) = torch.autograd.grad(
                values, source, cotangent, retain_graph=again, allow_unused=True
            )
        except RuntimeError as error:
            if "inplace operation" not in str(error):
                raise
            raise UnsupportedModel(_WRITTEN) from error
    return torch.zeros_like(source) if slope is None else slope


def nchw(images: Array) -> torch.Tensor:
    """View `[N, h, w, 3]` as `[N, 3, h, w]` in channels-last memory, without a copy."""
    return torch.from_numpy(np.ascontiguousarray(images, np.float32)).permute(0, 3, 1, 2)


def _nhwc(slopes: torch.Tensor) -> Array:
    values: Array = slopes.permute(0, 2, 3, 1).numpy()
    return values
