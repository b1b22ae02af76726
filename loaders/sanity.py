"""Asks a fresh model about the built-in photos: answers that no trained classifier gives.

A file may fit an architecture tensor for tensor and have been trained with another padding, other
pre-processing, or not at all; nothing in it says so, its answers do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders.catalogue import photos
from loaders.images import decode
from xai_core.model import Finding

Array = NDArray[np.float32]
PHOTOS = 3
"""Three differ enough, and cost three passes."""

_ADVICE = "Check the pre-processing, and that the file is the trained one."


def doubts(model: Any) -> tuple[Finding, ...]:
    """Return a warning where the answers to different photos show that something is wrong."""
    views = [
        model.preprocessing.view(decode(photo.path.read_bytes()).pixels)[0]
        for photo in photos()[:PHOTOS]
    ]
    logits = np.asarray(model.logits(np.stack(views)), np.float32)
    said = judge(logits, model.head.probabilities(logits), model.head.exclusive)
    return (Finding("warning", said),) if said else ()


def judge(logits: Array, chances: Array, exclusive: bool) -> str:
    """Return a sentence about answers `[photos, classes]` to photos that differ, or nothing."""
    count, classes = chances.shape
    if not np.isfinite(logits).all():
        return (
            f"The answers to the {count} built-in photos are not finite numbers: the network "
            f"overflows. {_ADVICE}"
        )
    if float(np.ptp(logits, axis=0).max()) <= 1e-6 * (1 + float(np.abs(logits).max())):
        return f"{count} different built-in photos get exactly the same scores. {_ADVICE}"
    if not exclusive or classes < 3:
        return ""
    top = chances.max(1)
    if classes >= 100 and bool((top < 3 / classes).all()):
        return (
            f"On {count} built-in photos no class gets more than {top.max():.2%}, which is about "
            f"the chance level of {1 / classes:.2%}: the network looks untrained. {_ADVICE}"
        )
    if bool((top > 0.9999).all()) and len(set(chances.argmax(1).tolist())) == 1:
        return (
            f"{count} different built-in photos get the same class with over 99.99%: the scores "
            f"are saturated. {_ADVICE}"
        )
    return ""
