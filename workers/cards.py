"""What is told of a loaded model: its card, made beside it, and held to what a model can be."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders.class_names import MAX_NAMES
from loaders.preprocessing import Preprocessing
from xai_core.card import Card, Pace, Service
from xai_core.errors import VitrineError
from xai_core.explainer import explainers
from xai_core.layers import default_layer
from xai_core.model import Detects, Predicts, ShowsLayers, lacks
from xai_core.stages import MOST, stages

MEASURED_ALONE = 200.0
"""Milliseconds of a pass from which a batch of 4 would make opening a model slow."""

MANY = {"labels": MAX_NAMES, "layers": 20_000, "findings": 200, "methods": 500}
"""How many of each a card may have."""

SLOWEST = 1e7
"""Milliseconds that a pass may take, for its card to make sense."""


def describe(model: Any) -> Card:
    """Describe a model, and measure how long one image takes through it."""
    layers = () if lacks(model, ShowsLayers) else tuple(model.layers())
    return Card(
        task=getattr(model, "task", "classification"),
        kind=model.kind,
        framework=model.framework,
        architecture=model.architecture,
        parameters=int(model.parameters),
        input_size=(int(model.input_size[0]), int(model.input_size[1])),
        channels=int(model.channels),
        labels=tuple(model.labels),
        layers=layers,
        default_layer=default_layer(model) if layers else None,
        findings=tuple(model.findings),
        preprocessing=model.preprocessing.to_json(),
        head=model.head,
        pace=Pace(forward=forward(model)),
        methods={name: service(method, model) for name, method in explainers().items()},
        stages=stages(getattr(model, "steps", ())),
    )


def service(method: Any, model: Predicts) -> Service:
    """Say whether a method serves a model; one that cannot even say so does not serve it."""
    return Service(
        why_not=_why_not(method, model, method.title),
        engines={each.name: _why_not(each, model, each.name) for each in method.engines},
    )


def _why_not(asked: Any, model: Predicts, title: str) -> str | None:
    try:
        said = asked.why_not(model)
    except VitrineError as error:
        return str(error)
    except Exception as error:  # a fault of the method's own must not keep the model shut
        return (
            f"{title} failed when it was asked whether it serves this model "
            f"({type(error).__name__}: {' '.join(str(error).split())[:200]})."
        )
    return None if said is None else str(said)


def check(card: Card) -> None:
    """Raise ValueError or a VitrineError for a card of no model; a hostile one may have made it."""
    size = Preprocessing.from_json(card.preprocessing).size
    if size != card.input_size or not card.labels:
        raise ValueError("the card's sizes")
    if any(len(getattr(card, name)) > most for name, most in MANY.items()):
        raise ValueError("more in the card than a model has")
    pace = card.pace
    if pace.forward > SLOWEST or any(
        each is not None for each in (pace.backward, pace.tail, pace.rest)
    ):
        raise ValueError("the card's pace")
    for layer in card.layers:
        if not all(side > 0 for side in (*layer.map_size, layer.channels)):
            raise ValueError("the card's layers")
    if len(card.stages) > MOST:
        raise ValueError("the card's stages")
    if card.default_layer is not None and card.layer(card.default_layer) is None:
        raise ValueError("the card's default layer")


def forward(model: Any) -> float:
    """Return the milliseconds of one forward pass, in a batch where the model is quick enough.

    The model has run before: whoever loaded it asked it about the built-in photos.
    """
    grey = np.full((1, *model.input_size, 3), 0.5, np.float32)
    alone = _milliseconds(model, grey)
    if alone > MEASURED_ALONE:
        return alone
    # Methods that ask thousands of masked photos ask them in batches, which is faster.
    return min(alone, _milliseconds(model, np.repeat(grey, 4, 0)))


def _milliseconds(model: Any, views: NDArray[np.float32]) -> float:
    start = time.perf_counter()
    if lacks(model, Detects):
        model.logits(views)
    else:
        model.detect(views)
    return (time.perf_counter() - start) * 1000 / len(views)
