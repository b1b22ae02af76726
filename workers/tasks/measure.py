"""How long a model takes for what its card leaves open: a backward pass, a tail, the rest.

Nobody waits for it: told to stop, it ends after the pass that it is at, and its worker goes on.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from workers import cards
from xai_core.card import Card, Pace
from xai_core.errors import UnsupportedModel
from xai_core.layers import default_layer
from xai_core.model import Differentiates, HasLayers, Predicts, RunsFrom, lacks
from xai_core.result import Result
from xai_core.target import ClassTarget
from xai_core.task import Bench, Progress, Task, task

TOGETHER = 8
"""Maps of a layer that the rest of the network is run on at once."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Measured(Result):
    """The model's pace on this machine."""

    pace: Pace


@task
class Measure(Task):
    """Times a forward pass, a backward pass, and what follows a layer, on a grey view."""

    returns = Measured
    commands = ("stop",)

    def limit(self, card: Card | None) -> float:
        """Return 60 s."""
        return 60.0

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for a pace that no model has."""
        pace = result.pace
        for each in (pace.forward, pace.backward, pace.tail, pace.rest):
            if each is not None and not 0 <= each <= cards.SLOWEST:
                raise ValueError("a pace that is none")

    def run(self, bench: Bench, progress: Progress) -> Measured:
        """Return it; what the model does not give stays open, and what a stop left out."""
        model, target = bench.model, ClassTarget(0)
        grey = np.full((1, *model.input_size, 3), 0.5, np.float32)
        acts: dict[str, Callable[[], Any]] = {}
        if lacks(model, Predicts):  # a detector, which finds nothing on grey to follow back
            return Measured(pace=Pace(forward=cards.forward(model)))
        if not lacks(model, Differentiates):
            acts["backward"] = lambda: model.gradients(grey, target)
        if not lacks(model, HasLayers) and model.layers():
            layer = default_layer(model)
            acts["tail"] = lambda: model.activation_gradients(grey, layer, target)
        if not lacks(model, RunsFrom) and model.layers():
            layer = default_layer(model)
            maps = np.repeat(model.activations(grey, layer), TOGETHER, 0)
            acts["rest"] = lambda: model.run_from(layer, maps, grey[0])
        found = {"forward": cards.forward(model)}
        for at, (name, act) in enumerate(acts.items()):
            took = _milliseconds(act, functools.partial(_goes_on, progress, 2 * at, 2 * len(acts)))
            if took is not None:
                found[name] = took / TOGETHER if name == "rest" else took
        return Measured(pace=Pace(**found))


def _goes_on(progress: Progress, before: int, total: int, done: int) -> bool:
    progress(before + done, total)
    return not progress.stopping


def _milliseconds(act: Callable[[], Any], goes_on: Callable[[int], bool]) -> float | None:
    """Return what the second of two calls takes: the first one may still be building.

    None where the model cannot, or where it is not to go on.
    """
    try:
        if not goes_on(0):
            return None
        act()
        if not goes_on(1):
            return None
        start = time.perf_counter()
        act()
    except UnsupportedModel:
        return None
    return (time.perf_counter() - start) * 1000
