"""Opens a Keras network's end: what its scores are, and the activation taken off where it can be.

The graph or the layer that gave the output says it; where neither does, the network's answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders import heads
from loaders.keras import endings
from loaders.keras.copies import copied
from loaders.keras.network import Network, library_of
from loaders.options import Options
from xai_core.errors import UnsupportedModel
from xai_core.model import Finding, Head, HeadKind

Array = NDArray[np.float32]
_SLIGHT = 1e-2


def opened(
    network: Network,
    maker: Any,
    views: Array,
    outputs: Array,
    options: Options,
    owned: bool,
) -> tuple[Head, list[Finding]]:
    """Return the network's head and what to say of it, with the activation off where it can be.

    `maker` is the layer whose own output is the network's, or None; `outputs` are the network's,
    `[N, units]`, for `views`. A model that is not `owned` is copied first.

    Raises UnsupportedModel for a head that says nothing.
    """
    units = outputs.shape[1]
    ending = endings.ending(network.model, network.output.path) or endings.of_layer(maker)
    told = ending.kind if ending else None
    if units == 1 and "softmax" in (told, options.head):
        raise UnsupportedModel(
            "The network ends in a softmax over one unit, which is 1 for every photo: it says "
            "nothing that could be explained. Train it with a sigmoid instead."
        )
    where = ending.where if ending else ""
    if options.head is not None:
        kind: HeadKind = options.head
        off = told == kind and _off(network, maker, views, outputs, kind, owned)
        return _head(network, kind, units, "asked", where if told == kind else "", off)
    if told is not None and _agrees(told, outputs):
        off = _off(network, maker, views, outputs, told, owned)
        return _head(network, told, units, "graph", where, off)
    probes = heads.probes(network.size, 3)
    asked = np.concatenate([outputs, network.scores(probes)])
    opened, said = _head(network, heads.told(asked), units, "answers", "", False)
    if last := endings.features(network.model):
        doubt = (
            f"The network ends in a {last} layer, as one without its head does: its {units:,} "
            "numbers are taken for class scores. If they are features, its classes and their "
            "probabilities mean nothing: bring the whole classifier."
        )
        said.append(Finding("warning", doubt, "output"))
    return opened, said


def before_choice(model: Any, findings: Sequence[Finding]) -> tuple[Any, Sequence[Finding]]:
    """Return a network that stops at its scores, where it goes on to choose one of them."""
    scores = endings.before_choice(model)
    if scores is None:
        return model, findings
    said = (
        "The network gives the number or the name of one class: its scores are read before it "
        "chooses."
    )
    return library_of(model).Model(model.inputs, scores), (
        *findings,
        Finding("info", said, "output"),
    )


def _head(
    network: Network, kind: HeadKind, units: int, evidence: heads.Evidence, where: str, off: bool
) -> tuple[Head, list[Finding]]:
    inverted = not off and kind in ("softmax", "sigmoid")
    if inverted and kind in ("softmax", "sigmoid"):
        network.undo = kind
    said = heads.finding(kind, units, evidence, where=where, inverted=inverted)
    return heads.head(kind, units), [said]


def _agrees(kind: HeadKind, outputs: Array) -> bool:
    """Say whether the numbers are what the graph's last activation gives."""
    if kind == "softmax":
        return bool(np.allclose(outputs.sum(1), 1, atol=_SLIGHT)) or not np.isfinite(outputs).all()
    return True


def _off(
    network: Network, maker: Any, views: Array, outputs: Array, kind: HeadKind, owned: bool
) -> bool:
    """Take the activation off, and say whether nothing but the activation went with it."""
    if kind == "logits":
        return True
    original = network.model
    if not owned:
        try:
            network.model = copied(original)
        except Exception:  # whatever somebody's own layers raise when they are copied
            return False
        maker = None
    ending = endings.ending(network.model, network.output.path) or endings.of_layer(maker)
    if ending is None:
        network.model = original
        return False
    undo = ending.take_off()
    scores = network.scores(views)
    again = Head(kind, exclusive=kind != "sigmoid").probabilities(scores)
    wanted = np.exp(outputs) if kind == "log-softmax" else outputs
    if np.allclose(again, wanted, atol=_SLIGHT):
        return True
    undo()  # the layer serves elsewhere in the network as well
    network.model = original
    return False
