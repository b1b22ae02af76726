"""What a network's scores are: told by its last operation, else by its answers, and taken off."""

from __future__ import annotations

import dataclasses
from typing import Any

from loaders import heads
from loaders.options import Outputs
from loaders.torch import origin, wrapped
from loaders.torch.probe import Found
from loaders.torch.watch import Step, step_of
from loaders.torch.wrapped import Reading
from xai_core.model import Finding, Head, HeadKind


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
    step = step_of(found.made)
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
    kind = origin.kind(step)
    if kind is None or (kind == "softmax" and found.classes == 1):
        return heads.told(_answers(module, found)), "answers"
    return kind, "graph"


def _answers(module: Any, found: Found) -> Any:
    """Return the scores `[8, units]` to the inputs that give a guess away."""
    import torch

    views = heads.probes(found.size, found.channels)
    photos = wrapped.plain(torch.from_numpy(views).permute(0, 3, 1, 2))
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
