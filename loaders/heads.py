"""What a network's last numbers are, told in one place for every framework, and how to say it.

The evidence comes in three strengths: the graph's last operation or layer, the answers to inputs
that would give a guess away, and what the person said. A guess is a warning that names its control.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from xai_core.model import Finding, Head, HeadKind

Array = NDArray[np.float32]

Asked = Literal["logits", "softmax", "log-softmax", "sigmoid"]
"""What a person may say that the outputs are."""

ASKED: tuple[str, ...] = get_args(Asked)
Evidence = Literal["graph", "answers", "asked"]

CONTROL = "choose what the network's outputs are (--head)"
_NAMES: dict[str, HeadKind] = {
    "softmax": "softmax",
    "softmax_v2": "softmax",
    "log_softmax": "log-softmax",
    "log_softmax_v2": "log-softmax",
    "logsoftmax": "log-softmax",
    "sigmoid": "sigmoid",
    "linear": "logits",
}


def by_name(name: str) -> HeadKind | None:
    """Return the kind that a layer's or an operation's name stands for, in any framework."""
    return _NAMES.get(name.lower().removeprefix("aten::").rstrip("_"))


def probes(size: tuple[int, int], channels: int) -> Array:
    """Return a network's inputs that give a guess away, float32 `[10, h, w, channels]`.

    Noise, a blank, and both made large: logits that lie between 0 and 1 on the first leave it on
    the last, and a squashed output does not. A network that takes means sees little of noise, and
    all of a blank.
    """
    noise = np.random.default_rng(0).standard_normal((4, *size, channels)).astype(np.float32)
    blank = np.zeros_like(noise[:1])
    large = (30 * noise[:1], -30 * noise[1:2], blank + 100, blank - 100)
    return np.concatenate([noise, blank, blank + 2, *large])


def told(outputs: Array) -> HeadKind:
    """Tell from the outputs `[N, units]` to `probes`, or to any inputs, what they look like."""
    values = np.asarray(outputs, np.float64)
    values = values[np.isfinite(values).all(1)]
    if not len(values) or float(np.ptp(values, axis=0).max()) <= 1e-9:
        return "logits"  # a constant tells nothing
    if values.shape[1] > 1:
        if (values >= 0).all() and np.allclose(values.sum(1), 1, atol=1e-3):
            return "softmax"
        if (values <= 0).all() and np.allclose(np.exp(values).sum(1), 1, atol=1e-3):
            return "log-softmax"
    if (values >= 0).all() and (values <= 1).all():
        return "sigmoid"
    return "logits"


def head(kind: HeadKind, units: int) -> Head:
    """Return the head of a network that gives `units` numbers a photo."""
    if units == 1:
        return Head("sigmoid")
    return Head(kind, exclusive=kind != "sigmoid")


def finding(
    kind: HeadKind, units: int, evidence: Evidence, *, where: str = "", inverted: bool = False
) -> Finding:
    """Say what the outputs are, from what that is known, and what to do if it is wrong.

    `where` names the layer or operation. `inverted` says that the activation could not be taken
    off, so that its inverse stands behind it and what is saturated is lost.
    """
    ends = f" ({where})" if where else ""
    if units == 1 and kind == "logits":
        return Finding(
            "warning",
            "The network gives one number: it is taken as the logit of the second of two classes. "
            "If it was trained to predict a quantity, such as an age, the two classes and their "
            "probabilities mean nothing.",
            "head",
        )
    known = {
        "graph": f"The network ends in a {kind}{ends}",
        "answers": f"The network's answers look like a {kind}'s",
        "asked": f"The network's outputs are a {kind}'s, as was said",
    }[evidence]
    if kind == "logits":
        said = {
            "graph": f"The network gives logits{ends}.",
            "answers": "The network gives logits, told by its answers.",
            "asked": "The network gives logits, as was said.",
        }[evidence]
        return Finding("info", said, "head")
    if kind == "log-softmax":
        return Finding("info", f"{known}, which is read as it is.", "head")
    if not inverted:
        return Finding("info", f"{known}, which is taken off.", "head")
    lost = "and it is inverted: where it is saturated the scores are cut off"
    way_out = f". If they are logits, {CONTROL}." if evidence == "answers" else "."
    return Finding("warning", f"{known}, {lost}{way_out}", "head")
