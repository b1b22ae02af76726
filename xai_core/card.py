"""What is known of a loaded model, as one frozen value for worker, client, page and terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from xai_core.model import Finding, Head, Layer
from xai_core.stages import Stage

Kind = Literal["classification", "detection"]
Wanted = Literal["classification", "detection", "any"]
"""What is asked of a model that is opened."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cost:
    """What a run asks of a model, counted in images.

    `forward`: through the whole network; `backward`: back through the whole of it; `tails`: forward
    and back through what follows a layer only; `rest`: forward through what follows it.
    """

    forward: int = 0
    backward: int = 0
    tails: int = 0
    rest: int = 0

    @property
    def passes(self) -> int:
        """The images that go through the network, or its rest: what a sentence calls passes."""
        return self.forward + self.rest


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pace:
    """How long a model takes for an image, in milliseconds, as measured on this machine.

    Where a backward pass, a tail or the rest was not measured yet they are None: a backward pass
    then counts as two forward passes, and each of the others as one.
    """

    forward: float
    backward: float | None = None
    tail: float | None = None
    rest: float | None = None

    def seconds(self, cost: Cost) -> float:
        """Return about how long a run takes."""
        backward = 2 * self.forward if self.backward is None else self.backward
        tail = self.forward if self.tail is None else self.tail
        rest = self.forward if self.rest is None else self.rest
        spent = cost.forward * self.forward + cost.backward * backward
        return (spent + cost.tails * tail + cost.rest * rest) / 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Service:
    """Whether a method serves a model: sentences why not, or None; the same for each engine."""

    why_not: str | None
    engines: Mapping[str, str | None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """A loaded model.

    `input_size` is the view's height and width in pixels, `preprocessing` what
    `loaders.preprocessing.Preprocessing` is made of, `methods` says for each method whether it can
    serve. `stages` tell what the network does, from the photo to the scores, as far as its file
    shows it. `hash` is the file's sha256 and `sandbox` what holds the process: the client's own.
    """

    task: Kind = "classification"
    kind: str
    framework: str
    architecture: str | None
    parameters: int
    input_size: tuple[int, int]
    channels: int
    labels: tuple[str, ...]
    layers: tuple[Layer, ...]
    default_layer: str | None
    findings: tuple[Finding, ...]
    preprocessing: Mapping[str, Any]
    head: Head
    pace: Pace
    methods: Mapping[str, Service]
    stages: tuple[Stage, ...] = ()
    hash: str = ""
    sandbox: Mapping[str, Any] = dataclasses.field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Raise ValueError for what no model has."""
        if not all(1 <= side <= 1 << 12 for side in self.input_size):
            raise ValueError("the card's input size")
        if self.pace.forward < 0 or self.parameters < 0 or not 1 <= self.channels <= 4:
            raise ValueError("the card's numbers")

    @property
    def classes(self) -> int:
        """How many classes it tells apart."""
        return len(self.labels)

    def layer(self, name: str) -> Layer | None:
        """Return the layer of that name that gives a map, or None."""
        return next((layer for layer in self.layers if layer.name == name), None)
