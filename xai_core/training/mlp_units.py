"""The units of a hidden layer: in which order they are shown, which classes they serve."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xai_core.training.digits import CLASSES, SIDE
from xai_core.training.mlp_learner import ALWAYS
from xai_core.training.recording import EACH, Frames, Recording

Array = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class About:
    """What a recording's samples are: their classes, their sides as pictures, their name.

    `opened` says that it is of networks that were trained elsewhere: which of the samples they
    learned from is not known.
    """

    classes: tuple[str, ...] = CLASSES
    sides: tuple[int, int] = (SIDE, SIDE)
    noun: str = "digits"
    data: str = ""
    opened: bool = False

    @property
    def inputs(self) -> int:
        """How many numbers a sample has."""
        return self.sides[0] * self.sides[1]

    @property
    def learned(self) -> str:
        """What the samples are called that dead units are counted on."""
        return self.noun if self.opened else f"training {self.noun}"

    @property
    def held(self) -> str:
        """What the samples are called that it is asked about."""
        return self.noun if self.opened else f"held-out {self.noun}"

    @property
    def step(self) -> str:
        """What a step of its recording is called."""
        return "checkpoint" if self.opened else "epoch"


def about(recording: Recording) -> About:
    """Return what a recording says of its samples; one that says nothing is of digits."""
    words = recording.words
    own = "opened" in words
    if "classes" not in words:
        return About(data=words.get("data", ""), opened=own)
    high, wide = json.loads(words["sides"])
    classes = tuple(str(each) for each in json.loads(words["classes"]))
    return About(classes, (int(high), int(wide)), "samples", words["data"], own)


AS_IS, BY_CLASS, BY_ACTIVITY = "as they are", "by class served", "by activity"
WHITE = 0.995
"""The share of the activations above zero that are darker than white."""


def by_class(values: Array, classes: NDArray[np.int64], count: int) -> Array:
    """Return the mean activation by class, `[..., classes, units]`, of `[..., samples, units]`."""
    means = [values[..., classes == label, :].mean(-2) for label in range(count)]
    return np.stack(means, -2)


def orders(last: Array, classes: NDArray[np.int64], count: int) -> dict[str, list[int]]:
    """Return the orders of the units of `[samples, units]` by name; the silent ones go last."""
    means = by_class(last, classes, count)
    silent = means.max(0) == 0
    served = np.where(silent, count, means.argmax(0))
    return {
        BY_CLASS: np.lexsort((-means.max(0), served)).tolist(),
        AS_IS: list(range(last.shape[1])),
        BY_ACTIVITY: np.argsort(-last.mean(0), kind="stable").tolist(),
    }


def serves(means: Sequence[float], classes: Sequence[str]) -> list[str]:
    """Name the classes that a unit answers to at least half as strongly as to its first."""
    top = max(means)
    if top <= 0:
        return []
    found = [at for at in np.argsort(-np.asarray(means)) if means[at] >= top / 2]
    return [classes[at] for at in found]


def white(frames: Frames) -> float:
    """Return the activation that is shown white: few are higher in any epoch."""
    every = slice(None, None, max(1, len(frames) // 12))
    values = frames.coded()[every] * frames.steps[every, None, None]
    above = values[values > 0]
    return float(np.quantile(above, WHITE)) if above.size else float(frames.steps[-1])


def counts(recording: Recording, layer: str) -> dict[str, list[int]]:
    """Count over the epochs the units silent on the samples shown, dead ones and saturated ones.

    Dead ones are active on no training sample, saturated ones on every one.
    """
    silent = (recording.frames[layer].coded() == 0).all(1).sum(1)
    active = recording.arrays[f"{EACH}active {layer}"]
    return {
        "dark lines": silent.tolist(),
        "dead units": (active == 0).sum(1).tolist(),
        "always active": (active == ALWAYS).sum(1).tolist(),
    }
