"""A network told to be read: what it does, stage by stage, from the photo to the scores.

A stage is all that runs while the map keeps its size. An adapter lists what `Ran`, in its
framework's order and in the words of `KINDS`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

KINDS: Mapping[str, str] = MappingProxyType({
    "convolution": "lays small filters over the map; each new channel says, at each place, how "
    "well one pattern fits there",
    "1 x 1 convolution": "mixes the channels at each place, and looks at no neighbour",
    "depthwise convolution": "gives each channel a filter of its own, and mixes none with another",
    "grouped convolution": "a convolution whose channels are parted into groups that do not mix",
    "separable convolution": "a filter for each channel by itself, then a 1 x 1 convolution that "
    "mixes the channels",
    "transposed convolution": "spreads each place over several, so that the map gets larger",
    "batch normalisation": "brings each channel to a common scale, with a mean and a spread that "
    "were noted in training; in use it is only a factor and a shift for each channel",
    "layer normalisation": "brings the numbers at each place to mean 0 and spread 1, then gives "
    "each channel a factor and a shift",
    "group normalisation": "brings each group of channels of a photo to mean 0 and spread 1",
    "normalisation": "brings numbers to a common scale",
    "ReLU": "sets what is below zero to zero; without such bends all layers together could do no "
    "more than a single one",
    "ReLU6": "a ReLU that also stops at 6",
    "leaky ReLU": "a ReLU that lets a small share of what is below zero through",
    "GELU": "a smooth ReLU: what is far below zero goes to zero",
    "SiLU": "a smooth ReLU: a number times its own sigmoid",
    "hard swish": "a smooth ReLU drawn with straight lines",
    "ELU": "a ReLU that levels off below zero instead of breaking off",
    "tanh": "presses numbers into -1 to 1",
    "sigmoid": "presses each number into 0 to 1",
    "softmax": "turns all numbers into shares of 1",
    "max pooling": "keeps the largest value of each small neighbourhood, so that the map shrinks",
    "average pooling": "keeps the mean of each small neighbourhood, so that the map shrinks",
    "global average pooling": "keeps one number for each channel, its mean over all places: where "
    "something was is lost",
    "global max pooling": "keeps one number for each channel, its largest: where it was is lost",
    "dense layer": "makes each new number a weighted sum of all that go in",
    "dense layer at each place": "the same weighted sums of the channels at each place, which "
    "looks at no neighbour",
    "attention": "lets each place gather from other places what fits it",
    "sum": "adds what took a shorter way past some layers",
    "joining": "puts the channels of several ways side by side",
    "gate": "multiplies numbers by others that the network takes from the map itself",
    "position": "adds a vector of its own to each place, by which attention can tell them apart",
    "enlarging": "makes the map larger without weights",
    "rescaling": "pre-processing inside the network: a factor and a shift for the photo's numbers",
})  # fmt: skip
"""Each kind of layer and, in a sentence, what it does."""

_BENDS = (
    "ReLU", "ReLU6", "leaky ReLU", "GELU", "SiLU", "hard swish", "ELU", "tanh", "sigmoid",
)  # fmt: skip
"""What bends the numbers of the layer before it, and is told with it."""

_SIDES = re.compile(r"(\d{1,4} x \d{1,4}) (.+)")
MOST, LONGEST, PERIOD = 400, 400, 40
"""Stages of a network, parts of a stage that are told one by one, and of what is repeated."""


@dataclasses.dataclass(frozen=True)
class Ran:
    """One layer of a pass: its kind, the size of the map that it gave, and its channels.

    `part` may have the sides of its filters before the kind: '3 x 3 convolution'. `map_size` is
    None where it is not known, and (1, 1) where there is no map; `channels` is 0 where not known.
    """

    part: str
    map_size: tuple[int, int] | None
    channels: int = 0


@dataclasses.dataclass(frozen=True)
class Group:
    """Layers one after the other, and how many times over."""

    times: int
    parts: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.times < 1 or not self.parts or any(kind_of(each) is None for each in self.parts):
            raise ValueError("a group of no layers")


@dataclasses.dataclass(frozen=True)
class Stage:
    """What runs at one size of the map, (1, 1) for none, with from how few to how many channels."""

    map_size: tuple[int, int]
    channels: tuple[int, int]
    groups: tuple[Group, ...]

    def __post_init__(self) -> None:
        if min(self.map_size) < 1 or not 0 <= self.channels[0] <= self.channels[1]:
            raise ValueError("a stage of no size")

    @property
    def head(self) -> bool:
        """Whether there is no map any more."""
        return self.map_size == (1, 1)

    @property
    def title(self) -> str:
        """Its size in words."""
        low, high = self.channels
        if not high:  # the file does not say
            return "No map" if self.head else f"{_sides(self.map_size)} cells"
        many = f"{high:,} {'number' if self.head else 'channel'}{'s' * (high != 1)}"
        if self.head:
            return f"No map, {many if low == high else f'between {low:,} and {many}'}"
        spread = many if low == high else f"{low:,} to {many}"
        return f"{_sides(self.map_size)} cells, {spread}"

    @property
    def line(self) -> str:
        """What runs in it, in its order; a semicolon parts each layer from the next."""
        told = ""
        for group in self.groups:
            said = _joined(group.parts)
            if group.times > 1:
                many = f"{group.times} times "
                said = f"{many}({said})" if group.parts[1:] else f"{group.times} x {said}"
            told += (_between(group.parts[0]) if told else "") + said
        return told


def _joined(parts: Sequence[str]) -> str:
    return parts[0] + "".join(_between(part) + part for part in parts[1:])


def _between(part: str) -> str:
    """Return what parts a layer from the one before it."""
    return ", " if part in _BENDS or part.endswith("normalisation") else "; "


def kind_of(part: str) -> str | None:
    """Return the kind of a part, or None for what is none."""
    if part in KINDS:
        return part
    found = _SIDES.fullmatch(part)
    return found[2] if found and found[2] in KINDS else None


def kinds(stages: Iterable[Stage]) -> list[str]:
    """Return the kinds of layer that are met, in the order in which they are."""
    met = (kind_of(part) for stage in stages for group in stage.groups for part in group.parts)
    return list(dict.fromkeys(kind for kind in met if kind is not None))


def stages(ran: Sequence[Ran]) -> tuple[Stage, ...]:
    """Cut what ran into stages by the size of the map.

    What has no map while a later layer has one, such as a gate, belongs to the stage around it.
    """
    known = [at for at, each in enumerate(ran) if each.map_size not in (None, (1, 1))]
    last = known[-1] if known else -1
    found: list[tuple[tuple[int, int], list[Ran]]] = []
    for at, each in enumerate(ran):
        size = each.map_size
        if at < last and size in (None, (1, 1)):
            size = None
        if size is None:
            size = found[-1][0] if found else ran[known[0]].map_size if known else (1, 1)
        if not found or found[-1][0] != size:
            found.append((size or (1, 1), []))
        found[-1][1].append(each)
    return tuple(_stage(size, rows) for size, rows in found[:MOST])


def _stage(size: tuple[int, int], rows: Sequence[Ran]) -> Stage:
    counts = [row.channels for row in rows if row.channels and row.map_size == size]
    low, high = (min(counts), max(counts)) if counts else (0, 0)
    return Stage(size, (low, high), folded([row.part for row in rows[:LONGEST]]))


def folded(parts: Sequence[str]) -> tuple[Group, ...]:
    """Tell repeated layers once: the longest repetition that no longer one begins inside of."""
    repeated = [_repeated(parts, at) for at in range(len(parts))]
    found: list[Group] = []
    at = 0
    while at < len(parts):
        times, period = repeated[at]
        inside = repeated[at + 1 : at + period + 1]
        if any(again * long > times * period for again, long in inside):
            times, period = 1, 1
        group = Group(times, tuple(parts[at : at + period]))
        if times == 1 and found and found[-1].times == 1:
            group = Group(1, (*found.pop().parts, *group.parts))
        found.append(group)
        at += times * period
    return tuple(found)


def _repeated(parts: Sequence[str], at: int) -> tuple[int, int]:
    """Return how often, and how many layers that are, something is repeated from a place on.

    No layer is parted from what bends its numbers.
    """
    best = 1, 1
    for period in range(1, min(PERIOD, (len(parts) - at) // 2) + 1):
        first, times = parts[at : at + period], 1
        while parts[at + times * period : at + (times + 1) * period] == first:
            times += 1
        after = parts[at + times * period : at + times * period + 1]
        whole = parts[at] not in _BENDS and (not after or after[0] not in _BENDS)
        if times > 1 and whole and times * period > best[0] * best[1]:
            best = times, period
    return best


def _sides(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
