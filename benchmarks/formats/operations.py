"""What a worker is asked for beyond the pages' own orders: the gradient by a view."""

from __future__ import annotations

from typing import Any

from xai_core.model import Differentiates, Target


def gradient(bench: Any, given: Any, arrays: Any, progress: Any) -> Any:
    """Return the gradient of class 1's logit less class 0's; none where a model gives none."""
    if not isinstance(bench.model, Differentiates):
        return {}, {}
    target = Target(1, against=0)
    return {}, {"gradient": bench.model.gradients(arrays["views"], target)}


OPERATIONS = {"gradient": gradient}
