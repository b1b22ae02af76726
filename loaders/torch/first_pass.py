"""The first pass of a network: which layers give a map, and how tensors lie in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from loaders.options import Maps
from loaders.torch import layout, steps
from loaders.torch.forward import nchw
from loaders.torch.layers import Modules
from loaders.torch.script import Graph
from loaders.torch.watch import Watch, step_of
from loaders.torch.wrapped import Wrapped, plain
from xai_core.errors import LoadError, UnsupportedModel
from xai_core.model import Finding, Layer
from xai_core.stages import Ran

Values = Mapping[str, torch.Tensor]


@dataclasses.dataclass(frozen=True)
class Seen:
    """The layers that give a map; of all outputs that do, how the map lies and `[h, w, C]`.

    `steps` are all of its layers, as they ran.
    """

    layers: tuple[Layer, ...]
    layouts: dict[str, layout.Layout]
    shapes: dict[str, tuple[int, int, int]]
    findings: tuple[Finding, ...]
    steps: tuple[Ran, ...] = ()


class FirstPass:
    """Runs a network once. `random` says that its answers change from pass to pass anyway."""

    def __init__(
        self,
        module: Wrapped,
        inside: Modules | Graph,
        size: tuple[int, int],
        *,
        still: Any,
        random: bool,
    ) -> None:
        self._module, self._inside, self._size = module, inside, size
        self._still, self._random = still, random

    def look(
        self, classes: int, seen: tuple[torch.Tensor, torch.Tensor] | None, maps: Maps | None
    ) -> Seen:
        """Note every layer that gives a map, and choose how tensors lie in memory.

        `seen` are inputs of the network and the scores that they got in plain memory. Without
        them a grey view is asked about.
        """
        count = self._module.reading.batch or 1
        if seen is None:
            grey = np.full((count, *self._size, 3), 0.5, np.float32)
            photos, wanted = self._module.normalised(nchw(grey)), None
        else:
            photos, wanted = seen[0][:count], seen[1][:count]
        values, scores = self._pass(photos, wanted)
        if scores.ndim != 2:
            raise UnsupportedModel(
                f"The network answers with an array {list(scores.shape)}, not with one row of "
                "class scores: it is no image classifier."
            )
        units = scores.shape[1] + (self._module.head.kind == "sigmoid" and scores.shape[1] == 1)
        if units != classes:
            raise LoadError(
                f"The network gives {units} scores and {classes} class names were given."
            )
        watched = {
            name: (tuple(value.shape), step.axes if (step := step_of(value)) else None)
            for name, value in values.items()
        }
        layouts, guessed = layout.decide(watched, count, self._size, maps)
        shapes: dict[str, tuple[int, int, int]] = {}
        found: dict[int, list[Layer]] = {}
        for name, way in layouts.items():
            height, width, channels = shapes[name] = way.as_map(values[name]).shape[1:]
            layer = Layer(name, self._inside.kind(name), (height, width), channels)
            found.setdefault(id(values[name]), []).append(layer)
        # A block, its last layer and the stage it ends often hand on one tensor: list one of them.
        layers = tuple(
            sorted(same, key=lambda layer: layer.name.count("."))[min(1, len(same) - 1)]
            for same in found.values()
        )
        return Seen(layers, layouts, shapes, guessed, self._steps)

    def _pass(
        self, photos: torch.Tensor, wanted: torch.Tensor | None
    ) -> tuple[Values, torch.Tensor]:
        """Return the inner values and the scores; channels lie last where the network bears it.

        A network that flattens by `view` fails there, and one that reads memory answers otherwise.
        """
        _lie(self._module, torch.channels_last)  # as the buffer of views lies
        try:
            photos = photos.to(memory_format=torch.channels_last)
            values, scores = self._run(photos)
            if isinstance(self._inside, Graph):  # its own graph may bear less than this one
                with self._still():
                    scores = self._module.scores(photos)
            if wanted is None or self._random or _alike(scores, wanted):
                return values, scores
        except Exception:  # a stranger's forward may raise anything
            values = {}
        _lie(self._module, torch.contiguous_format)
        self._module.contiguous = True
        try:
            values, scores = self._run(plain(photos))
            if wanted is None or self._random or _alike(scores, wanted):
                return values, scores
        except Exception as error:
            channels = self._module.mean.shape[1]
            raise LoadError(
                f"The network does not run on a photo of {self._size[0]} x {self._size[1]} pixels "
                f"with {channels} channel{'s' if channels > 1 else ''} "
                f"({str(error).splitlines()[0][:120]}). Set the size it was trained at."
            ) from error
        if isinstance(self._inside, Modules) and self._inside.written():
            self._module.contiguous = False
            return self._pass(photos, wanted)
        return values, scores

    def _run(self, photos: torch.Tensor) -> tuple[Values, torch.Tensor]:
        watch = Watch()
        with torch.inference_mode(), self._inside.recorded() as values:
            photos = watch.begin(photos.view_as(photos))
            with watch:
                scores = self._module.scores(photos)
        self._steps = steps.ran(watch.steps)
        return values, scores


def _lie(module: torch.nn.Module, form: torch.memory_format) -> None:
    """Let weights lie in memory as photos do; those of another number of axes stay as they are."""
    module._apply(lambda each: each.to(memory_format=form) if each.ndim == 4 else each)


def _alike(scores: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Say whether two ways to lie in memory gave the same scores."""
    if not bool(wanted.isfinite().all()):
        return True
    scale = float(wanted.abs().max())
    return bool(torch.allclose(scores, wanted, rtol=1e-3, atol=1e-4 + 1e-3 * scale))
