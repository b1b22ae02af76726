"""What Submit says: that it trains, and about how long, by what trainings on this server took."""

from __future__ import annotations

import collections

from loaders import trainings
from ui import text
from xai_core.training.pace import Measured, Work

LEAST = 2.0
"""Seconds from which a training says how fast this server is: before, its start is most of it."""
ELSEWHERE = (
    "The time is by a pace that was measured when Vitrine was made, until a training has ended on "
    "this server."
)
HERE = "The time is by the pace of the last trainings on this server."
_measured: dict[str, Measured] = collections.defaultdict(Measured)


def seconds(kind: str, work: Work) -> float:
    """Return how long a training of a kind will take here."""
    return work.seconds(trainings.pace(kind)) * _measured[kind].share


def label(kind: str, work: Work) -> str:
    """Return what the button says that trains."""
    return f"Submit: train, {text.estimate(seconds(kind, work))}"


def ground(kind: str) -> str:
    """Say what the time is known by."""
    return HERE if _measured[kind].known else ELSEWHERE


def note(kind: str, work: Work, took: float, share: float) -> None:
    """Note what a training took that did a `share` of its work."""
    expected = work.seconds(trainings.pace(kind)) * share
    if expected >= LEAST:
        _measured[kind].note(took, expected)
