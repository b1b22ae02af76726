"""An LSTM's or a GRU's steps written out from its weights: every gate, the cell, the hidden state.

Nothing here needs a framework: what a trained network does with a window, what it would do with
its forget gates turned, and which steps feed a forecast are all read off its weights.

The order of gates is torch's: input, forget, candidate, output (Hochreiter and Schmidhuber 1997;
Gers et al. 2000), and reset, update, candidate for a GRU (Cho et al. 2014, as cuDNN has it).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Kind = Literal["lstm", "gru"]

GATES: Mapping[Kind, tuple[str, ...]] = {
    "lstm": ("input", "forget", "candidate", "output"),
    "gru": ("reset", "update", "candidate"),
}
REMEMBERS: Mapping[Kind, str] = {"lstm": "forget", "gru": "update"}
"""The gate that says how much of the state stays: a GRU has no forget gate."""
SHOWN: Mapping[Kind, tuple[str, ...]] = {
    "lstm": ("forget", "input", "output", "candidate", "cell", "hidden"),
    "gru": ("update", "reset", "candidate", "hidden"),
}
"""What can be looked at of a layer, the gate that remembers first."""
SIGNED = ("candidate", "cell", "hidden")
"""What may be below zero; gates lie in 0..1."""
CHUNK = 256
"""Windows that are run at once where only their last steps are kept."""
STEPS = 64
"""Of the path integral of integrated gradients."""


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """One layer: `reads` `[gates * units, inputs]`, `recalls` `[gates * units, units]`, and biases.

    A GRU's two biases do different things (the second stands behind its reset gate); an LSTM's are
    added.
    """

    reads: Floats
    recalls: Floats
    bias: Floats
    bias_recalled: Floats

    @property
    def units(self) -> int:
        """How many units it has."""
        return int(self.recalls.shape[1])


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """Layers one on the other, and a line that reads the last step's hidden state.

    Without `head` (a network whose last layer is no line of its own) it forecasts nothing.
    """

    kind: Kind
    layers: tuple[Layer, ...]
    head: Floats | None = None  # [units]
    offset: float = 0.0

    def run(self, x: Floats, turned: Mapping[int, Floats] | None = None) -> Run:
        """Run windows `[windows, steps, features]`, from a state of zero.

        `turned` multiplies the remembering gates of a layer by numbers `[units]`, up to a gate of
        1 at most.
        """
        below = x = np.asarray(x, self.layers[0].reads.dtype)
        seen = []
        for at, layer in enumerate(self.layers):
            factor = None if turned is None else turned.get(at)
            made = (_lstm if self.kind == "lstm" else _gru)(layer, below, factor)
            seen.append(made)
            below = made["hidden"]
        return Run(self, x, tuple(seen))

    def ends(self, x: Floats, turned: Mapping[int, Floats] | None = None) -> Ends:
        """Run windows a few at a time, and keep each one's last step alone."""
        runs = [self.run(x[at : at + CHUNK], turned) for at in range(0, len(x), CHUNK)]
        layers: list[dict[str, Floats]] = []
        for layer in range(len(self.layers)):
            kept = [{name: run.last(layer, name) for name in run.layers[layer]} for run in runs]
            layers.append({name: np.concatenate([each[name] for each in kept]) for name in kept[0]})
        outputs = np.zeros(0) if self.head is None else np.concatenate([r.outputs for r in runs])
        return Ends(layers=tuple(layers), outputs=outputs)


@dataclasses.dataclass(frozen=True, eq=False)
class Ends:
    """What each layer did at each window's last step, `[windows, units]`, and the outputs."""

    layers: tuple[Mapping[str, Floats], ...]
    outputs: Floats


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """What happened: of each layer its gates, cell and hidden state, `[windows, steps, units]`."""

    network: Network
    x: Floats
    layers: tuple[Mapping[str, Floats], ...]

    @property
    def outputs(self) -> Floats:
        """What it forecasts, scaled, `[windows]`."""
        if self.network.head is None:
            raise ValueError("a network without a head forecasts nothing")
        made: Floats = self.layers[-1]["hidden"][:, -1] @ self.network.head + self.network.offset
        return made

    def last(self, layer: int, what: str) -> Floats:
        """Return what a layer did at each window's last step, `[windows, units]`."""
        return self.layers[layer][what][:, -1].copy()


def _sigmoid(x: Floats) -> Floats:
    made: Floats = np.tanh(x * 0.5)  # no overflow
    made += 1
    made *= 0.5
    return made


def _lstm(layer: Layer, x: Floats, factor: Floats | None) -> dict[str, Floats]:
    windows, steps, _ = x.shape
    units = layer.units
    names = (*GATES["lstm"], "cell", "hidden")
    made = np.empty((len(names), steps, windows, units), x.dtype)  # a step lies in one piece
    read = x.transpose(1, 0, 2) @ layer.reads.T + (layer.bias + layer.bias_recalled)
    hidden = cell = np.zeros((windows, units), x.dtype)
    for step in range(steps):
        sums = read[step] + hidden @ layer.recalls.T
        i, f, g, o = (sums[:, at * units : (at + 1) * units] for at in range(4))
        i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
        if factor is not None:
            f = np.minimum(f * factor, 1.0)
        cell = f * cell + i * g
        hidden = o * np.tanh(cell)
        for name, value in enumerate((i, f, g, o, cell, hidden)):
            made[name, step] = value
    return {name: made[at].transpose(1, 0, 2) for at, name in enumerate(names)}


def _gru(layer: Layer, x: Floats, factor: Floats | None) -> dict[str, Floats]:
    windows, steps, _ = x.shape
    units = layer.units
    names = (*GATES["gru"], "recalled", "hidden")
    made = {name: np.empty((windows, steps, units)) for name in names}
    read = x @ layer.reads.T + layer.bias
    hidden = np.zeros((windows, units))
    for step in range(steps):
        own = hidden @ layer.recalls.T + layer.bias_recalled
        r = _sigmoid(read[:, step, :units] + own[:, :units])
        z = _sigmoid(read[:, step, units : 2 * units] + own[:, units : 2 * units])
        recalled = own[:, 2 * units :]
        n = np.tanh(read[:, step, 2 * units :] + r * recalled)
        if factor is not None:
            z = np.minimum(z * factor, 1.0)
        hidden = (1 - z) * n + z * hidden
        for name, value in zip(names, (r, z, n, recalled, hidden), strict=True):
            made[name][:, step] = value
    return made


# Which steps feed a forecast ---------------------------------------------------------------------


def gradients(run: Run) -> Floats:
    """Return how each output moves with its own window, `[windows, steps, features]`."""
    network = run.network
    if network.head is None:
        raise ValueError("a network without a head forecasts nothing")
    above = np.zeros_like(run.layers[-1]["hidden"])
    above[:, -1] = network.head
    for at in reversed(range(len(network.layers))):
        back = _back_lstm if network.kind == "lstm" else _back_gru
        above = back(network.layers[at], run.layers[at], above)
    return above


def _back_lstm(layer: Layer, seen: Mapping[str, Floats], above: Floats) -> Floats:
    i, f, g, o, cell = (seen[name] for name in (*GATES["lstm"], "cell"))
    windows, steps, units = cell.shape
    made = np.empty((windows, steps, layer.reads.shape[1]))
    d_hidden = d_cell = np.zeros((windows, units))
    for t in reversed(range(steps)):
        d_hidden = above[:, t] + d_hidden
        squashed = np.tanh(cell[:, t])
        d_cell = d_hidden * o[:, t] * (1 - squashed**2) + d_cell
        before = cell[:, t - 1] if t else 0.0
        sums = np.concatenate(
            [
                d_cell * g[:, t] * i[:, t] * (1 - i[:, t]),
                d_cell * before * f[:, t] * (1 - f[:, t]),
                d_cell * i[:, t] * (1 - g[:, t] ** 2),
                d_hidden * squashed * o[:, t] * (1 - o[:, t]),
            ],
            1,
        )
        made[:, t] = sums @ layer.reads
        d_hidden, d_cell = sums @ layer.recalls, d_cell * f[:, t]
    return made


def _back_gru(layer: Layer, seen: Mapping[str, Floats], above: Floats) -> Floats:
    r, z, n, recalled, hidden = (seen[name] for name in (*GATES["gru"], "recalled", "hidden"))
    windows, steps, units = hidden.shape
    made = np.empty((windows, steps, layer.reads.shape[1]))
    d_hidden = np.zeros((windows, units))
    for t in reversed(range(steps)):
        d_hidden = above[:, t] + d_hidden
        before = hidden[:, t - 1] if t else np.zeros((windows, units))
        d_n = d_hidden * (1 - z[:, t]) * (1 - n[:, t] ** 2)
        d_z = d_hidden * (before - n[:, t]) * z[:, t] * (1 - z[:, t])
        d_r = d_n * recalled[:, t] * r[:, t] * (1 - r[:, t])
        made[:, t] = np.concatenate([d_r, d_z, d_n], 1) @ layer.reads
        own = np.concatenate([d_r, d_z, d_n * r[:, t]], 1)
        d_hidden = own @ layer.recalls + d_hidden * z[:, t]
    return made


def feeds(network: Network, window: Floats, steps: int = STEPS) -> Floats:
    """Return how much each step of a window feeds its forecast, `[steps, features]`, scaled.

    Integrated gradients (Sundararajan et al. 2017) from a window at the training part's mean, which
    is 0 after scaling; they sum up to the forecast less that window's.
    """
    window = np.asarray(window, np.float64)
    parts = (np.arange(steps) + 0.5) / steps  # midpoints
    path = parts[:, None, None] * window
    made: Floats = gradients(network.run(path)).mean(0) * window
    return made


def feeds_each(network: Network, windows: Floats, steps: int) -> Floats:
    """Return `feeds` of many windows `[windows, steps, features]`, all at once."""
    made = np.zeros_like(windows)
    for part in (np.arange(steps) + 0.5) / steps:
        made += gradients(network.run(part * windows))
    result: Floats = made * windows / steps
    return result


# From weights ------------------------------------------------------------------------------------


def from_torch(kind: Kind, state: Mapping[str, Any], precision: type = np.float64) -> Network:
    """Build one from arrays named as torch's `nn.LSTM` or `nn.GRU` names them, and `head.`.

    Raises KeyError for what is missing.
    """
    layers: list[Layer] = []
    while f"weight_ih_l{len(layers)}" in state:
        at = len(layers)
        parts: list[Floats] = [
            np.asarray(state[f"weight_{part}_l{at}"], precision) for part in ("ih", "hh")
        ]
        empty: Floats = np.zeros(parts[0].shape[0], precision)
        biases: list[Floats] = [
            np.asarray(state.get(f"bias_{part}_l{at}", empty), precision) for part in ("ih", "hh")
        ]
        layers.append(Layer(*parts, *biases))
    if not layers:
        raise KeyError("weight_ih_l0")
    line = state.get("head.weight")
    return Network(
        kind,
        tuple(layers),
        None if line is None else np.asarray(line, precision)[0],
        float(np.asarray(state.get("head.bias", [0.0])).ravel()[0]),
    )


def sides(inputs: int, hidden: int, layers: int) -> list[tuple[str, tuple[int, ...]]]:
    """Return the names and sides of an LSTM's parameters, in the order of a flat vector."""
    named: list[tuple[str, tuple[int, ...]]] = []
    for at in range(layers):
        read = inputs if at == 0 else hidden
        named += [
            (f"weight_ih_l{at}", (4 * hidden, read)),
            (f"weight_hh_l{at}", (4 * hidden, hidden)),
            (f"bias_ih_l{at}", (4 * hidden,)),
            (f"bias_hh_l{at}", (4 * hidden,)),
        ]
    return [*named, ("head.weight", (1, hidden)), ("head.bias", (1,))]


def count(named: Sequence[tuple[str, tuple[int, ...]]]) -> int:
    """Return how many numbers they are."""
    return sum(int(np.prod(shape)) for _, shape in named)


def from_flat(
    flat: NDArray[Any], inputs: int, hidden: int, layers: int, precision: type = np.float64
) -> Network:
    """Build an LSTM from the numbers of `sides`, one after the other. Raises ValueError."""
    named = sides(inputs, hidden, layers)
    if flat.shape != (count(named),) or not np.isfinite(flat).all():
        raise ValueError(f"weights of {list(flat.shape)}, not {count(named)}")
    state, at = {}, 0
    for name, shape in named:
        size = int(np.prod(shape))
        state[name] = flat[at : at + size].reshape(shape)
        at += size
    return from_torch("lstm", state, precision)
