"""The scores' way out: which value is read, and what of it has to be taken off."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from loaders import heads
from loaders.onnx.endings import Ending, agree
from loaders.onnx.outputs import Scores
from loaders.onnx.session import Network
from loaders.options import Options
from xai_core.model import Finding, Head, HeadKind

Array = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Read:
    """Which value is read, what of it is inverted, and what it is."""

    name: str
    squashed: HeadKind
    head: Head
    findings: tuple[Finding, ...]
    scale: float = 1.0


def read(
    network: Network,
    scores: Scores,
    end: Ending,
    answers: Array,
    probes: Array,
    options: Options,
    extra: set[str],
) -> Read:
    """Find what the scores are: as was said, by the graph's last operator, or by the answers."""
    count, asked = scores.units, options.head
    known = end.kind if end.before in extra and asked in (None, end.kind) else None
    if known and agree(end, _before(network, end, probes), answers):
        said = heads.finding(known, count, "asked" if asked else "graph", where=end.operator)
        return Read(end.before, "logits", heads.head(known, count), (said,))
    looks = heads.told(answers)
    chances = bool((answers >= 0).all() and (answers <= 1).all())
    evidence: heads.Evidence = "asked" if asked else "graph"
    if asked:
        kind: HeadKind = asked
    elif end.kind and (end.scaled or chances or looks == end.kind):
        kind = end.kind
    elif end.certain and looks in ("sigmoid", "logits"):
        kind = "logits"
    else:
        kind, evidence = looks, "answers"
    inverted = kind in ("softmax", "sigmoid")
    scale = 1.0
    if inverted and end.scaled and not asked:
        scale = 1 / max(float(np.abs(answers).max()), 1e-12)
        if kind == "softmax":
            scale = 1 / max(float(answers.sum(1).mean()), 1e-12)
    said = heads.finding(
        kind,
        count,
        evidence,
        where=end.operator if evidence == "graph" else "",
        inverted=inverted,
    )
    return Read(scores.name, kind, heads.head(kind, count), (said,), scale)


def _before(network: Network, end: Ending, probes: Array) -> Array:
    try:
        (found,) = network.rows(probes, end.before)
    except (ValueError, TypeError):  # no numbers, or none for each photo
        return np.zeros((0, 0), np.float32)
    return found
