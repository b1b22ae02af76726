"""The network between a view and its scores: normalised, in its own form, its answer read."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal

import torch
from torch import nn

from loaders.preprocessing import Preprocessing
from loaders.torch import notes, outputs
from xai_core.model import Head, HeadKind

Form = Literal["maps", "rows", "last"]
"""What the network takes: photos with channels first, their numbers in a row, channels last."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """How a network is asked and its answer read.

    `output` leads to the scores in its answer, `batch` is the only number of photos that it takes
    at once (0 for any), `inverse` the activation that its own code ends in.
    """

    form: Form = "maps"
    output: tuple[str, ...] = ()
    batch: int = 0
    inverse: HeadKind = "logits"
    dtype: torch.dtype = torch.float32


class Wrapped(nn.Module):
    """View in, float32 `[N, 3, h, w]` in 0..1; logits out, float32 `[N, classes]`.

    `within` makes what is entered while the network runs.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self, body: nn.Module, preprocessing: Preprocessing, head: Head, reading: Reading
    ) -> None:
        super().__init__()
        self.body, self.head, self.reading = body, head, reading
        self.channels = preprocessing.channels
        self.contiguous = False
        self.keeps = False  # whether its code has kept a tensor of inference mode
        self.within: Callable[[], AbstractContextManager[Any]] = contextlib.nullcontext
        shape = (1, -1, 1, 1)
        self.register_buffer("mean", torch.tensor(preprocessing.mean).reshape(shape))
        self.register_buffer("std", torch.tensor(preprocessing.std).reshape(shape))
        self.register_buffer("luminance", torch.tensor([0.299, 0.587, 0.114]).reshape(shape))

    def forward(self, view: torch.Tensor) -> torch.Tensor:
        """Return float32 `[N, classes]` for views `[N, 3, h, w]`."""
        return self.logits(self.normalised(view))

    def logits(self, photos: torch.Tensor) -> torch.Tensor:
        """Return float32 `[N, classes]` for the network's inputs `[N, c, h, w]`."""
        return self.classes(self.scores(photos))

    def read(self, answer: Any, count: int) -> torch.Tensor:
        """Return float32 `[count, classes]` out of what the network answered to so many photos."""
        scores = read(answer, count, self.reading)
        return self.classes(inverted(scores, self.reading.inverse))

    def classes(self, scores: torch.Tensor) -> torch.Tensor:
        """Return float32 `[N, classes]` of the network's own scores: one unit stands for two."""
        if self.head.kind == "sigmoid" and scores.shape[1] == 1:
            scores = torch.cat([-scores / 2, scores / 2], 1)
        return scores

    def normalised(self, view: torch.Tensor) -> torch.Tensor:
        """Return the network's inputs `[N, c, h, w]` for views."""
        if self.channels == "bgr":
            view = view.flip(1)
        elif self.channels == "grey":
            view = (view * self.luminance).sum(1, keepdim=True)
        return (view - self.mean) / self.std

    def scores(self, photos: torch.Tensor) -> torch.Tensor:
        """Return the network's own scores `[N, units]` for its inputs `[N, c, h, w]`."""
        if self.contiguous:
            photos = plain(photos)
        if self.keeps and not torch.is_inference_mode_enabled():
            notes.thawed(self.body)
        batch = self.reading.batch
        with self.within():
            if not batch or len(photos) == batch:
                scores = ask(self.body, photos, self.reading)
            else:
                parts = [ask(self.body, part, self.reading) for part in batches(photos, batch)]
                scores = torch.cat(parts)[: len(photos)]
        return inverted(scores, self.reading.inverse)


def plain(photos: torch.Tensor) -> torch.Tensor:
    """Return photos with channels first in memory, too.

    With one channel a tensor is contiguous either way and is not copied, and convolutions go by
    its strides.
    """
    if photos.shape[1] == 1:
        return photos.clone(memory_format=torch.contiguous_format)
    return photos.contiguous()


def batches(photos: torch.Tensor, batch: int) -> list[torch.Tensor]:
    """Cut photos into batches of just so many, the last filled up with its last photo."""
    missing = -len(photos) % batch
    if missing:
        photos = torch.cat([photos, photos[-1:].expand(missing, *photos.shape[1:])])
    return list(photos.split(batch))


def ask(body: Any, photos: torch.Tensor, reading: Reading) -> torch.Tensor:
    """Return the scores that a network gives photos of one batch, one row a photo."""
    return read(body(formed(photos, reading)), len(photos), reading)


def read(answer: Any, count: int, reading: Reading) -> torch.Tensor:
    """Return the scores in what a network answered to `count` photos, one row a photo."""
    scores: torch.Tensor = outputs.at(answer, reading.output)
    if scores.ndim != 2 or len(scores) != count:
        scores = scores.reshape(count, -1)
    return scores if scores.dtype == torch.float32 else scores.float()


def formed(photos: torch.Tensor, reading: Reading) -> torch.Tensor:
    """Return photos `[N, c, h, w]` in the form that the network takes."""
    if reading.form == "rows":
        photos = photos.flatten(1)
    elif reading.form == "last":
        photos = photos.permute(0, 2, 3, 1)
    return photos if photos.dtype == reading.dtype else photos.to(reading.dtype)


def inverted(scores: torch.Tensor, kind: HeadKind) -> torch.Tensor:
    """Return logits out of a softmax or sigmoid that stays on, cut off at 1e-7."""
    if kind == "sigmoid":
        return scores.logit(eps=1e-7)
    if kind == "softmax":
        return scores.clamp_min(1e-7).log()
    return scores
