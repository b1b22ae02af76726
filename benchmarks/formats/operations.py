"""What a worker is asked for beyond the pages' own orders: a gradient by a view, a layer's maps."""

from __future__ import annotations

from typing import Any

from xai_core.model import Differentiates, ShowsLayers
from xai_core.target import ClassTarget


def gradient(bench: Any, given: Any, arrays: Any, progress: Any) -> Any:
    """Return the gradient of class 1's logit less class 0's; none where a model gives none."""
    if not isinstance(bench.model, Differentiates):
        return {}, {}
    target = ClassTarget(1, against=0)
    return {}, {"gradient": bench.model.gradients(arrays["views"], target)}


def maps(bench: Any, given: Any, arrays: Any, progress: Any) -> Any:
    """Return the maps of the last layer that has any; none where a model shows none."""
    rows = bench.model.layers() if isinstance(bench.model, ShowsLayers) else ()
    if not rows:
        return {}, {}
    return {}, {"maps": bench.model.activations(arrays["views"], rows[-1].name)}


OPERATIONS = {"gradient": gradient, "maps": maps}
