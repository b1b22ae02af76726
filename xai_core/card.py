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
    and back through what follows a layer only; `rest`: forward through what follows it. `at_most`
    says that the network may turn out to need fewer.
    """

    forward: int = 0
    backward: int = 0
    tails: int = 0
    rest: int = 0
    at_most: bool = False

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
class Backend:
    """What a network's forward passes run on.

    Where it is not the network's own framework, `agreement` is the largest difference of the two's
    scores on views of all kinds, as a part of the largest score, `gain` how many times as quick it
    was when both were measured, and `start` the seconds that the change took. `why` says, as a
    clause, why the framework itself runs it, `missed` why the GPU that was asked for does not, and
    `layers`, in sentences, how passes to a layer and slopes run, once that was decided.
    """

    name: str
    agreement: float | None = None
    gain: float | None = None
    start: float | None = None
    why: str = ""
    layers: str = ""
    missed: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for numbers that were not measured, and for words that are a text."""
        for number in (self.agreement, self.gain, self.start):
            if number is not None and not 0 <= number < 1e6:
                raise ValueError("the backend's numbers")
        long = max(len(self.why), len(self.missed)) > 300 or len(self.layers) > 400
        if len(self.name) > 60 or long:
            raise ValueError("the backend's words")

    def words(self) -> str:
        """Say it in a sentence or more."""
        more = f" They do not run on a GPU: {self.missed}." if self.missed else ""
        more += f" {self.layers}" if self.layers else ""
        if self.agreement is None or self.gain is None:
            why = f", as {self.why}" if self.why and self.why != self.missed else ""
            return f"Its passes run on {self.name}{why}.{more}"
        return (
            f"Long runs go through {self.name}, {self.gain:.1f} times as quick as its own "
            f"framework when measured here; the scores differ by at most {self.agreement:.0e} of "
            f"the largest.{more}"
        )


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
    shows it, and `backend` what runs its passes, once that was decided. `hash` is the file's sha256
    and `sandbox` what holds the process: the client's own.
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
    backend: Backend | None = None
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

    def run_on(self, backend: Backend) -> Card:
        """Return the card once its passes run on this, with the pace that follows."""
        if backend == self.backend:
            return self
        pace = self.pace
        if backend.gain and not (self.backend and self.backend.gain):
            pace = dataclasses.replace(pace, forward=pace.forward / max(backend.gain, 1.0))
        return dataclasses.replace(self, backend=backend, pace=pace)

    def layer(self, name: str) -> Layer | None:
        """Return the layer of that name that gives a map, or None."""
        return next((layer for layer in self.layers if layer.name == name), None)
