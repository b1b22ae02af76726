"""What a network's scores are: told by its last operation, else by its answers, and taken off."""

from __future__ import annotations

import dataclasses
from typing import Any

from loaders import heads
from loaders.options import Outputs
from loaders.torch import outputs, wrapped
from loaders.torch.probe import Found
from loaders.torch.watch import Step, step_of
from loaders.torch.wrapped import Reading
from xai_core.model import Finding, Head, HeadKind

_SQUASHED = ("softmax", "log_softmax", "sigmoid")
_LINEAR = ("linear", "addmm", "mm", "matmul", "conv2d", "convolution", "batch_norm", "bilinear")
_MIXING = (
    *("add", "sub", "mul", "div", "mean", "sum", "stack", "cat", "neg", "einsum"),
    *("adaptive_avg_pool2d", "avg_pool2d"),
)


@dataclasses.dataclass(frozen=True)
class Ending:
    """The network that gives logits, how it is read, its head, and what to say of it.

    `scores` are the logits for the inputs of the pass that was seen.
    """

    module: Any
    reading: Reading
    head: Head
    finding: Finding
    scores: Any


def open_head(module: Any, found: Found, asked: Outputs | None) -> Ending:
    """Take a softmax or a sigmoid off a network's end.

    A layer at the end is taken off; one inside the network's own code is inverted, which loses
    what a saturated one has lost.
    """
    units = found.classes
    step = outputs.origin(step_of(found.made))
    kind, evidence = _told(module, found, step, asked)
    head = heads.head(kind, units)
    if kind in ("logits", "log-softmax"):
        if units == 1:
            kind = "logits"
        said = heads.finding(kind, units, evidence)
        return Ending(module, found.reading, head, said, found.answers)
    name, scores = _taken_off(module, found, kind)
    if name:
        said = heads.finding(kind, units, evidence, where=name)
        return Ending(module, found.reading, head, said, scores)
    said = heads.finding(kind, units, evidence, inverted=True)
    reading = dataclasses.replace(found.reading, inverse=kind)
    return Ending(module, reading, head, said, wrapped.inverted(found.answers, kind))


def _told(
    module: Any, found: Found, step: Step | None, asked: Outputs | None
) -> tuple[HeadKind, heads.Evidence]:
    if asked:
        return asked, "asked"
    kind = _kind(step)
    if kind is None or (kind == "softmax" and found.classes == 1):
        return heads.told(_answers(module, found)), "answers"
    return kind, "graph"


def _kind(step: Step | None, depth: int = 0) -> HeadKind | None:
    """Return what the numbers that an operation gives are; None where it does not say."""
    step = outputs.origin(step)
    if step is None or depth > 8:
        return None
    if step.name in _SQUASHED:
        return heads.by_name(step.name)
    if step.name in _LINEAR:
        return "logits"
    below = [_kind(each, depth + 1) for each in step.sources if each is not None]
    if step.name == "log" and below == ["softmax"]:
        return "log-softmax"
    if step.name == "exp" and below == ["log-softmax"]:
        return "softmax"
    if step.name in _MIXING and below and all(kind == "logits" for kind in below):
        return "logits"
    if step.name in ("mean", "adaptive_avg_pool2d", "avg_pool2d") and below == [None]:
        # maps of the classes, averaged: a network without dense layers
        return "logits" if _rectified(step) else None
    return None


def _rectified(step: Step) -> bool:
    source = outputs.origin(step.sources[0] if step.sources else None)
    return source is not None and source.name in ("relu", "hardswish", "silu", "gelu")


def _answers(module: Any, found: Found) -> Any:
    """Return the scores `[8, units]` to the inputs that give a guess away."""
    import torch

    views = heads.probes(found.size, found.channels)
    photos = torch.from_numpy(views).permute(0, 3, 1, 2).contiguous()
    with torch.inference_mode():
        batch = found.reading.batch
        parts = wrapped.batches(photos, batch) if batch else [photos]
        scores = torch.cat([wrapped.ask(module, part, found.reading) for part in parts])
    return scores[: len(photos)].numpy()


def _taken_off(module: Any, found: Found, kind: HeadKind) -> tuple[str, Any]:
    """Take a layer off the end, and return its name and the scores; '' where none is there."""
    import torch
    from torch import nn

    squash = nn.Sigmoid if kind == "sigmoid" else nn.Softmax
    for name, layer in reversed(list(module.named_modules())):
        if type(layer) is not squash or not name:
            continue
        parent, _, child = name.rpartition(".")
        setattr(module.get_submodule(parent), child, nn.Identity())
        with torch.inference_mode():
            after = wrapped.ask(module, found.inputs, found.reading)
        again = after.sigmoid() if kind == "sigmoid" else after.softmax(1)
        if torch.allclose(again, found.answers, atol=1e-5):
            return str(name), after
        setattr(module.get_submodule(parent), child, layer)
        break
    return "", None
