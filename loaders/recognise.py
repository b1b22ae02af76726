"""Which known network tensors belong to, told by names and shapes alone, whatever stands before.

Each file of `loaders/recognisers` is a row of the table: it finds its networks under any prefix,
and says what it matched, what else the file holds and what differs. No framework is needed.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import pkgutil
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, Protocol

from loaders import recognisers

Shapes = Mapping[str, tuple[int, ...]]

MAX_TENSORS, MAX_NAME, MAX_PREFIXES = 20_000, 1_000, 64
"""More tensors, longer names and more places for one network are no classifier's."""

_COUNTER = re.compile(
    r"(num_batches_tracked|n_averaged|num_updates|total_ops|total_params|global_step|steps?"
    r"|epochs?|decay|initted|_extra_state|device_indicator_tensor|dummy_param)"
)
_TRAINING = re.compile(
    r"criteri\w*|loss\w*|losses|metrics?|acc|iou|kappa|accuracy\w*|auroc|f1score|precision|recall"
    r"|confmat|confusion\w*|optimi[sz]er\w*|sched\w*|scaler\w*|pos_weight|class_weights?"
)
_SCALES = {"mean", "std", "_mean", "_std", "pixel_mean", "pixel_std", "image_mean", "image_std"}
"""What a network that prepares its own photos keeps; no layer."""

_AVERAGED = {"averaged", "average", "averaging", "avg", "swa", "shadow", "teacher", "momentum"}


@dataclasses.dataclass(frozen=True)
class Match:
    """A network that was found.

    `body` and `head` lead from the network's own names to the file's; the head's names are its
    own behind `head.`. `outer` are layers beside both, in the file's order, that may belong to
    the network; `stray` are tensors that take no part in it. `changed` are the body's own names
    whose shapes differ from the network's.
    """

    library: str
    architecture: str
    prefix: str
    body: Mapping[str, str]
    head: Mapping[str, str]
    outer: tuple[str, ...] = ()
    stray: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def sure(self) -> Literal["names and shapes", "all but the first layer"]:
        """Say how far the network's names and shapes are the file's."""
        return "all but the first layer" if self.changed else "names and shapes"

    @property
    def complete(self) -> bool:
        """Say whether there is something that can be its head."""
        return bool(self.head or self.outer)


class Recogniser(Protocol):
    """A row of the table."""

    library: str

    def exact(self, shapes: Shapes) -> Match | None:
        """Return the network that the file is as it stands, which is quick to tell, or None."""
        ...

    def matches(self, shapes: Shapes) -> list[Match]:
        """Return every network of the library that these tensors hold, the surest first."""
        ...


@functools.cache
def table() -> tuple[Recogniser, ...]:
    """Return the recognisers, one of each file of the folder."""
    names = sorted(module.name for module in pkgutil.iter_modules(recognisers.__path__))
    files = [importlib.import_module(f"{recognisers.__name__}.{name}") for name in names]
    return tuple(file.RECOGNISER for file in files)


def matches(shapes: Shapes) -> list[Match]:
    """Return the known networks in these tensors: complete ones first, then the surer ones."""
    if not 0 < len(shapes) <= MAX_TENSORS or any(len(name) > MAX_NAME for name in shapes):
        return []
    if exact := next(filter(None, (row.exact(shapes) for row in table())), None):
        return [exact]  # most files: the rest of the table need not be read
    found = [match for row in table() for match in row.matches(shapes)]
    return sorted(found, key=lambda match: (not match.complete, bool(match.changed)))


def body(shapes: Shapes) -> Match | None:
    """Return the largest known network in these tensors, with a head that is known or not."""
    found = [match for match in matches(shapes) if not match.changed]
    return max(found, key=lambda match: len(match.body), default=None)


def prefixes(own: Iterable[str], names: Collection[str]) -> list[str]:
    """Return what may stand before a network's own names among a file's, the shortest first."""
    wanted = [name for name in own if not is_counter(name)]
    if not wanted:
        return []
    first, last = wanted[0], wanted[-1]
    found = [name[: len(name) - len(first)] for name in names if name.endswith(first)]
    found = [prefix for prefix in found if prefix + last in names and len(prefix) <= MAX_NAME]
    return sorted(found, key=lambda prefix: (len(prefix), prefix))[:MAX_PREFIXES]


def is_counter(name: str) -> bool:
    """Say whether a tensor counts something of the training, whatever network it stands in."""
    return bool(_COUNTER.fullmatch(name.rpartition(".")[2]))


def is_training(name: str) -> bool:
    """Say whether a tensor serves the training alone: a counter, a loss's, a metric's."""
    words = re.split(r"[._]", name.lower()[:MAX_NAME])
    parts = [*name.lower()[:MAX_NAME].split("."), *words]
    return is_counter(name) or any(_TRAINING.fullmatch(part) for part in parts)


def is_averaged(name: str) -> bool:
    """Say whether a name is that of weights averaged over the training, as an EMA's are."""
    words = re.split(r"[^a-z]", name.lower()[:MAX_NAME])
    return any(word in _AVERAGED or word.endswith("ema") for word in words)


def beside(shapes: Shapes, names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Part tensors that stand beside a body into layers and strays, each in the file's order."""
    groups: dict[str, list[str]] = {}
    for name in names:
        if not is_counter(name) and name.rpartition(".")[2] not in _SCALES:
            groups.setdefault(name.rpartition(".")[0], []).append(name)
    layers = {
        path
        for path, members in groups.items()
        if not any(is_training(name) for name in members)
        and (
            any(len(shapes[name]) >= 2 for name in members)
            or {name.rpartition(".")[2] for name in members} >= {"weight", "bias"}
        )
    }
    parents = {path.rpartition(".")[0] for path in layers} - {""}
    for path, members in groups.items():  # a PReLU between the layers of a head
        alone = len(members) == 1 and members[0].endswith(".weight")
        if alone and path.rpartition(".")[0] in parents and not is_training(members[0]):
            layers.add(path)
    taken = {name for path in layers for name in groups[path]}
    return (
        tuple(name for name in names if name in taken),
        tuple(name for name in names if name not in taken),
    )
