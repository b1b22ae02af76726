"""Which layer a method reads by itself: the last one with a useful map that acts on the score."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import UnsupportedModel
from xai_core.model import HasLayers, Layer, ShowsLayers, lacks
from xai_core.target import ClassTarget

Array = NDArray[np.float32]
_TRIES = 12
"""Layers asked, from the last on, whether the score still hears them."""

_PASSED_ON = ("Pool", "Dropout", "Pad", "Identity", "StochasticDepth", "Permute", "InputLayer")
"""Kinds of layer that only hand on, thin out or shrink the map before them."""

NO_MAP = "no layer gives a map; this network is made of dense layers only."

_TRIED: weakref.WeakKeyDictionary[Any, tuple[Array, str, Array]] = weakref.WeakKeyDictionary()
_DEFAULTS: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def default_layer(model: ShowsLayers) -> str:
    """Return the last layer with a useful map.

    That is the last one of at least 4 cells a side and a fortieth of the view's side, inside the
    largest nested backbone where there is one (a small head hides it otherwise), that still acts
    on the score: past a transformer's last attention, the map no longer does. Of a
    model without gradients nobody can tell that, and its last useful one is taken. Raises
    UnsupportedModel where no layer gives a map.
    """
    known = _DEFAULTS.get(model)
    if known is None:
        known = _DEFAULTS[model] = _found(model)
    return known


def layer_of(model: Any, name: str) -> Layer | None:
    """Return the layer of that name, or the one that is taken by itself where there is no name.

    `model` is a model or its card; None where neither lists one.
    """
    listed = getattr(model, "layers", ())
    rows = listed() if callable(listed) else listed
    if not rows:
        return None
    if not name:
        name = default_layer(model) if callable(listed) else model.default_layer or rows[-1].name
    return next((row for row in rows if row.name == name), None)


def _found(model: Any) -> str:
    layers = model.layers()
    if not layers:
        raise UnsupportedModel(f"There is no layer to read: {NO_MAP}")
    if getattr(model, "task", "classification") == "detection":
        return str(layers[-1].name)  # all levels together
    pool = _backbone(layers)
    least = [max(4, side / 40) for side in model.input_size]
    useful = [
        row
        for row in pool
        if row.map_size[0] >= least[0]
        and row.map_size[1] >= least[1]
        and not any(kind in row.kind for kind in _PASSED_ON)
    ]
    candidates = useful or pool
    if lacks(model, HasLayers):
        return candidates[-1].name
    view = tried(model.input_size)
    scores = model.logits(view)[0]
    target = ClassTarget(int(scores.argmax()))
    for row in candidates[::-1][:_TRIES]:
        maps, gradients = model.activation_gradients(view, row.name, target)
        _TRIED[model] = scores, row.name, maps[0]
        if np.any(gradients):
            return row.name
    return candidates[-1].name


def tried(size: tuple[int, int]) -> Array:
    """Return the view that a network is tried on, float32 `[1, h, w, 3]`.

    It is no flat one: on such a symmetric network may give exact zeros.
    """
    return np.random.default_rng(0).random((1, *size, 3), np.float32)


def seen(model: Any) -> tuple[Array, str, Array] | None:
    """Return what `tried` gave where a default layer was looked for; None where none was.

    That is the scores `[classes]`, the name of the last layer that was asked, and its maps.
    """
    return _TRIED.get(model)


def _backbone(layers: Sequence[Layer]) -> Sequence[Layer]:
    """Return the layers of the nested model that has most of them, or all where none has."""
    nested = Counter(row.name.split("/")[0] for row in layers if "/" in row.name)
    if not nested:
        return layers
    name, count = nested.most_common(1)[0]
    if 2 * count < len(layers):
        return layers
    return [row for row in layers if row.name.startswith(name + "/")]
