"""Dense networks that were trained elsewhere, seen as a training is: one checkpoint, one step."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError
from xai_core.training.dense import Dense
from xai_core.training.digits import CLASSES, SIDE, Data
from xai_core.training.mlp_learner import rarely
from xai_core.training.recording import EACH, RAW, Recording, Writer

Array = NDArray[np.float32]
Scaling = Literal["0 to 1", "0 to 255", "-1 to 1", "mean 0.1307, deviation 0.3081"]
SCALINGS: Mapping[Scaling, tuple[float, float]] = {
    "0 to 1": (1.0, 0.0),
    "0 to 255": (255.0, 0.0),
    "-1 to 1": (2.0, -1.0),
    "mean 0.1307, deviation 0.3081": (1 / 0.3081, -0.1307 / 0.3081),
}
"""How a network had its inputs: a factor of 0..1, and what is added."""
LAYERS, UNITS, WEIGHTS = 8, 4096, 8 << 20
"""Most hidden layers, units of one, and weights of a network."""
MOST = 40
"""Checkpoints of one training."""
MISTAKES = 60
LOSS, RIGHT = "loss", "accuracy"
AT_ONCE = 2000


def scaled(network: Dense, scaling: Scaling) -> Dense:
    """Return the network that gives the same to 0..1 as this one to what `scaling` makes of it."""
    factor, added = SCALINGS[scaling]
    first = network.weights[0]
    weight = (first * factor).astype(np.float32)
    bias = (network.biases[0] + first.sum(1) * added).astype(np.float32)
    return Dense((weight, *network.weights[1:]), (bias, *network.biases[1:]))


def seen(
    networks: Sequence[Dense], data: Data, scaling: Scaling, names: Sequence[str]
) -> Recording:
    """Return what checkpoints in their order answer to all samples of `data`, and to its probes.

    Raises ParamError where they do not fit each other or the data.
    """
    sides = [each.shape for each in networks[0].weights]
    for name, network in zip(names, networks, strict=True):
        if [each.shape for each in network.weights] != sides:
            raise ParamError(
                f"{name} has layers of other sizes than {names[0]}: checkpoints of one training "
                "have the same."
            )
    _fit(sides, data)
    layers = [f"layer {at + 1}" for at in range(len(sides) - 1)]
    values = len(networks) * len(data.probes) * sum(side[0] for side in sides[:-1])
    if values > RAW:
        raise ParamError(
            f"What is shown of these would have {values / 1e6:,.0f} million values, and at most "
            f"{RAW / 1e6:.0f} million are. Choose fewer checkpoints."
        )
    writers = {name: Writer() for name in layers}
    rows: dict[str, list[Any]] = {}
    curves: dict[str, list[float]] = {LOSS: [], RIGHT: []}
    answers = np.zeros(0, np.int64)
    x, y = np.concatenate([data.x, data.held_x]), np.concatenate([data.y, data.held_y])
    probes = (data.held_x[data.probes] / 255).astype(np.float32)
    own = [scaled(network, scaling) for network in networks]
    for network in own:
        for name, values_of in zip(layers, network.answers(probes), strict=False):
            if not np.isfinite(values_of).all():
                raise ParamError("The network answers with values that are no numbers.")
            writers[name].add(values_of)
        loss, answers, active = _tried(network, x, y)
        curves[LOSS].append(loss)
        curves[RIGHT].append(float((answers == y).mean()))
        confusion = np.zeros((len(data.classes), len(data.classes)), np.int32)
        np.add.at(confusion, (y, answers), 1)
        rows.setdefault("confusion", []).append(confusion)
        norms = [float(np.linalg.norm(each)) for each in network.weights]
        rows.setdefault("norms", []).append(np.array(norms, np.float32))
        for name, count in zip(layers, active, strict=True):
            rows.setdefault(f"active {name}", []).append(rarely(count, len(y)))
    wrong = np.flatnonzero(answers != y)[:MISTAKES]
    arrays: dict[str, NDArray[Any]] = {f"{EACH}{name}": np.stack(row) for name, row in rows.items()}
    arrays |= {
        "probes": data.held_x[data.probes],
        "probe classes": data.held_y[data.probes],
        "mistakes": x[wrong],
        "mistake classes": np.stack([y[wrong], answers[wrong]], 1),
    }
    for at, (weight, bias) in enumerate(zip(own[-1].weights, own[-1].biases, strict=True), 1):
        arrays |= {f"weight {at}": weight, f"bias {at}": bias}
    return Recording(
        frames={name: writer.made() for name, writer in writers.items()},
        curves={name: np.array(curve, np.float32) for name, curve in curves.items()},
        arrays=arrays,
        first=1,
        chosen=len(networks),
        scalars={"learned": len(y)},
        words=_words(data) | {"opened": json.dumps(list(names)), "scaling": scaling},
    )


def _fit(sides: Sequence[tuple[int, ...]], data: Data) -> None:
    inputs, classes = data.x.shape[1], len(data.classes)
    if sides[0][1] != inputs:
        raise ParamError(
            f"The network reads {sides[0][1]:,} numbers, and the samples of {data.word} have "
            f"{inputs:,}. Choose data that fit it."
        )
    if sides[-1][0] != classes:
        raise ParamError(
            f"The network gives {sides[-1][0]:,} scores, and {data.word} has {classes} classes. "
            "Choose data with the classes that it was trained on."
        )


def _words(data: Data) -> dict[str, str]:
    words = {"data": data.word}
    if data.classes != CLASSES or data.sides != (SIDE, SIDE):
        words |= {"classes": json.dumps(data.classes), "sides": json.dumps(data.sides)}
    return words


def _tried(
    network: Dense, x: NDArray[np.uint8], y: NDArray[np.int64]
) -> tuple[float, NDArray[np.int64], list[NDArray[np.int64]]]:
    """Return the mean loss, the class that each sample is given, how often each unit is active."""
    loss, said = 0.0, []
    active = [np.zeros(len(bias), np.int64) for bias in network.biases[:-1]]
    for at in range(0, len(y), AT_ONCE):
        part = slice(at, at + AT_ONCE)
        *hidden, scores = network.answers((x[part] / 255).astype(np.float32))
        raised = scores - scores.max(1, keepdims=True)
        logs = raised - np.log(np.exp(raised).sum(1, keepdims=True))
        loss -= float(np.take_along_axis(logs, y[part, None], 1).sum())
        said.append(scores.argmax(1))
        active = [count + (h > 0).sum(0) for count, h in zip(active, hidden, strict=True)]
    return loss / len(y), np.concatenate(said), active


@dataclasses.dataclass(frozen=True)
class Opened:
    """What a recording says of networks that were opened: their files, and their inputs' scale."""

    files: tuple[str, ...]
    scaling: str


def opened(recording: Recording) -> Opened | None:
    """Return what a recording says of the files that it was made of; None for a training."""
    words = recording.words
    if "opened" not in words:
        return None
    files = tuple(str(each) for each in json.loads(words["opened"]))
    return Opened(files, words.get("scaling", ""))


def layers(recording: Recording) -> list[str]:
    """Name the hidden layers of a recording in their order."""
    return sorted(recording.frames, key=lambda name: int(name.rsplit(" ", 1)[-1]))


def chained(recording: Recording) -> None:
    """Raise ValueError where the layers of a recording do not read each other."""
    names = layers(recording)
    if names != [f"layer {at + 1}" for at in range(len(names))] or not names:
        raise ValueError("layers of other names")
    wide = recording.arrays["probes"].shape[1]
    for at in range(1, len(names) + 2):
        weight, bias = recording.arrays[f"weight {at}"], recording.arrays[f"bias {at}"]
        if weight.shape[1] != wide or bias.shape != (len(weight),):
            raise ValueError("layers that do not fit each other")
        wide = len(weight)
    if wide != recording.arrays[f"{EACH}confusion"].shape[1]:
        raise ValueError("scores of other classes")
