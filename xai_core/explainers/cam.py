"""CAM: the maps before a global average, weighted as the last layer weighs their means."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import channels
from xai_core.cam import ARRAYS, drawn, relu, scores_only, smoothing
from xai_core.card import Cost
from xai_core.errors import UnsupportedModel
from xai_core.explainer import Engine, Explainer, Family, Progress, Raw, Sized, explainer
from xai_core.layers import seen, tried
from xai_core.model import Predicts, Rewrites, ShowsLayers
from xai_core.target import Target
from xai_core.task import Shape

Array = NDArray[np.float32]
TRIES = 8
"""Layers with as many channels as the last one has features that are asked, from the last on."""
CLOSE = 1e-3
"""How far the scores may lie from what the means give, as a share of their range."""
_FOUND: weakref.WeakKeyDictionary[Any, tuple[str, str]] = weakref.WeakKeyDictionary()


def _ours(method: CAM, model: Any, image: Array, target: Target, progress: Progress) -> Raw:
    scores_only(method.title, target)
    name, _ = averaged(model)
    dense, bias = model.output_weights()
    maps = model.activations(image[None], name)[0]
    weights = slope(target, model.head, dense @ maps.mean((0, 1)) + bias) @ dense  # [channels]
    whole = maps @ weights
    cam = np.maximum(whole, 0) if method.relu else whole
    progress(1, 1)
    notes: tuple[str, ...] = ()
    if not np.any(cam):
        notes = (
            f"Every cell of {name} speaks against the class, and the ReLU leaves nothing: switch "
            "it off to see what speaks against.",
        )
    return drawn(
        cam,
        model.input_size,
        method.smoothing,
        signed=not method.relu,
        arrays={"weights": weights} | channels.strongest(maps, weights),
        notes=notes,
    )


def slope(target: Target, head: Any, logits: Array) -> Array:
    """Return how the target's number moves with each logit, float32 `[classes]`."""
    weights = target.weights(len(logits))
    if target.of != "probability":
        return weights
    chances = head.probabilities(logits[None])[0]
    level = weights @ chances if head.exclusive else chances * weights
    return np.asarray(chances * (weights - level), np.float32)


def averaged(model: Any) -> tuple[str, str]:
    """Return the layer whose mean over the map the last layer weighs, or '' and why there is none.

    It is found by what it does: on a random view the dense layer of the means must give the
    model's own scores.
    """
    known = _FOUND.get(model)
    if known is None:
        known = _FOUND[model] = _averaged(model)
    return known


def _averaged(model: Any) -> tuple[str, str]:
    try:
        dense, bias = model.output_weights()
    except UnsupportedModel as error:
        return "", f"CAM needs one dense layer at the end. {error}"
    view, known = tried(model.input_size), seen(model)
    scores = model.logits(view)[0] if known is None else known[0]
    if len(bias) == len(scores):
        rows = [row for row in model.layers() if row.channels == dense.shape[1]]
        for row in rows[: -TRIES - 1 : -1]:
            held = known is not None and known[1] == row.name
            maps = known[2] if known is not None and held else model.activations(view, row.name)[0]
            means = maps.mean((0, 1))
            off = np.abs(dense @ means + bias - scores).max()
            if off <= CLOSE * max(float(np.ptp(scores)), 1e-6):
                return row.name, ""
    return "", (
        "CAM needs a global average over a layer's map with one dense layer behind it, and the "
        "scores of this network are none of that. Grad-CAM asks for no such head."
    )


@explainer
class CAM(Explainer):
    """Which cells of the last map speak for a class, as the last layer weighs them.

    Where a network ends in a global average and one dense layer, the score is the sum of the last
    map's channels, weighted with the dense layer's own weights: those weights make the map (Zhou
    et al. 2016, eq. 2). The layer is found by itself. It is Grad-CAM of that layer up to a factor,
    the number of cells. For a probability the weights are how it moves with each score.
    """

    title: ClassVar[str] = "CAM"
    place: ClassVar[int] = 12
    family: ClassVar[Family] = "activation maps"
    shows: ClassVar[str] = "Which cells of the last map speak for the class, by the last weights."
    reference: ClassVar[str] = "arXiv:1512.04150"
    needs: ClassVar[tuple[type, ...]] = (ShowsLayers, Rewrites)
    signed: ClassVar[bool] = False
    arrays: ClassVar[Mapping[str, Shape]] = ARRAYS
    engines: ClassVar[tuple[Engine, ...]] = (Engine(name="ours", run=_ours, units=False),)

    relu: bool = relu()
    smoothing: str = smoothing()

    @classmethod
    def why_not(cls, model: Predicts) -> str | None:
        """Say in a sentence why the model's head does not allow it, or None where it does."""
        return super().why_not(model) or averaged(model)[1] or None

    def cost(self, model: Sized) -> Cost:
        """One forward pass, up to the layer."""
        return Cost(forward=1)
