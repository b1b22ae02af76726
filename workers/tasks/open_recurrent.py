"""A file with LSTM or GRU layers, read for its weights alone, from which its gates follow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders import recurrent
from xai_core.card import Card
from xai_core.result import Result
from xai_core.task import Bench, Progress, Shape, Task, Wants, task
from xai_core.training.lstm_cells import GATES, Kind, Layer, Network

LAYERS, UNITS = 16, 4096
"""Most layers, and units of one."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Opened(Result):
    """Recurrent layers: `numbers` float64 are their weights, one after the other.

    `units` are the layers' sizes, `inputs` what the first one reads a step; `head` says that a line
    reads the last one. Raises ValueError where the numbers do not fit.
    """

    recurrent: Kind
    inputs: int
    units: tuple[int, ...]
    head: bool
    numbers: NDArray[np.float64]
    said: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= len(self.units) <= LAYERS or not all(0 < u <= UNITS for u in self.units):
            raise ValueError(f"layers of {self.units} units")
        if not 1 <= self.inputs <= UNITS or self.numbers.ndim != 1:
            raise ValueError("layers that read nothing")
        wanted = sum(int(np.prod(each)) for each in self._sides())
        if self.numbers.dtype != np.float64 or self.numbers.size != wanted:
            raise ValueError("layers of other numbers")
        if not np.isfinite(self.numbers).all():
            raise ValueError("weights that are no numbers")

    def _sides(self) -> list[tuple[int, ...]]:
        made: list[tuple[int, ...]] = []
        below, gates = self.inputs, len(GATES[self.recurrent])
        for units in self.units:
            rows = gates * units
            made += [(rows, below), (rows, units), (rows,), (rows,)]
            below = units
        return [*made, (below,), (1,)] if self.head else made

    @property
    def network(self) -> Network:
        """The layers, as their steps are written out."""
        parts, at = [], 0
        for sides in self._sides():
            size = int(np.prod(sides))
            parts.append(self.numbers[at : at + size].reshape(sides))
            at += size
        count = 4 * len(self.units)
        layers = tuple(Layer(*parts[first : first + 4]) for first in range(0, count, 4))
        if not self.head:
            return Network(self.recurrent, layers)
        return Network(self.recurrent, layers, parts[-2], float(parts[-1][0]))


@task
class OpenRecurrent(Task):
    """Reads the recurrent layers of a file that `framework` opens."""

    returns = Opened

    path: Path
    framework: Wants = "torch"

    def wants(self) -> Wants:
        """Return what reads the file."""
        return self.framework

    def limit(self, card: Card | None) -> float:
        """Return 120 s."""
        return 120.0

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the weights."""
        return {"numbers": Shape("<f8", ("",), most=recurrent.MOST_WEIGHTS + (1 << 20))}

    def run(self, bench: Bench, progress: Progress) -> Opened:
        """Return them. Raises LoadError and UnsupportedModel."""
        network, said = recurrent.read(self.path)
        parts: list[Any] = []
        for layer in network.layers:
            parts += [layer.reads, layer.recalls, layer.bias, layer.bias_recalled]
        if network.head is not None:
            parts += [network.head, np.array([network.offset])]
        return Opened(
            recurrent=network.kind,
            inputs=int(network.layers[0].reads.shape[1]),
            units=tuple(layer.units for layer in network.layers),
            head=network.head is not None,
            numbers=np.concatenate([np.ravel(part) for part in parts]).astype(np.float64),
            said=said,
        )
