"""Torchvision's classifiers: their own names, or their children's numbers as a Sequential has."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping

from loaders import architectures
from loaders.recognise import Match, Shapes, beside, is_averaged, is_counter, prefixes

_AUXILIARY = ("aux1", "aux2", "AuxLogits")
_OLD_NORM = re.compile(r"(denselayer\d{1,3}\.(?:norm|relu|conv))\.(\d)\.")
"""DenseNets saved before PyTorch 0.4.1 wrote `norm.1` for `norm1`."""

_WRAPPERS = {"module", "_orig_mod", "_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
"""What wrappers put into the middle of a name, around a part of a network."""


@dataclasses.dataclass(frozen=True)
class Torchvision:
    """The row of torchvision."""

    library: str = "torchvision"

    def exact(self, shapes: Shapes) -> Match | None:
        """Return the classifier whose body's tensors are just these, by their digest alone."""
        architecture = architectures.recognise(shapes)
        if architecture is None:
            return None
        head = architectures.table()[architecture]["head"]
        held = {name: name for name in shapes if name.startswith(head + ".")}
        body = {name: name for name in shapes if architectures.is_body(name, head)}
        return Match(self.library, architecture, "", body, held) if held else None

    def matches(self, shapes: Shapes) -> list[Match]:
        """Return every classifier of torchvision's in these tensors."""
        written = {_own(name): name for name in shapes}
        if len(written) != len(shapes):  # two names became one: they are left as they are
            written = {name: name for name in shapes}
        held = {own: shapes[name] for own, name in written.items()}
        return [_as_written(match, written) for match in _apart(held, list(_found(held)))]


RECOGNISER = Torchvision()


def _own(name: str) -> str:
    first, *rest = _OLD_NORM.sub(r"\1\2.", name).split(".")
    return ".".join([first, *(part for part in rest if part not in _WRAPPERS)])


def _as_written(match: Match, written: Mapping[str, str]) -> Match:
    return dataclasses.replace(
        match,
        body={own: written[name] for own, name in match.body.items()},
        head={own: written[name] for own, name in match.head.items()},
        outer=tuple(written[name] for name in match.outer),
        stray=tuple(written[name] for name in match.stray),
    )


def _found(held: Shapes) -> Iterator[Match]:
    for architecture, body in architectures.bodies().items():
        head = architectures.table()[architecture]["head"]
        for numbered in (False, True):
            called = _called((*body.children, head), numbered=numbered)
            names = {own: _renamed(own, called) for own in body.shapes}
            for prefix in prefixes(names.values(), held):
                match = _match(held, architecture, prefix, names, called, head)
                if match is not None:
                    yield match


def _called(children: tuple[str, ...], *, numbered: bool) -> dict[str, str]:
    """Return what a network's children are called: by name, or by number in a Sequential."""
    distinct = list(dict.fromkeys(children))
    return {name: str(index) if numbered else name for index, name in enumerate(distinct)}


def _renamed(own: str, called: Mapping[str, str]) -> str:
    first, dot, rest = own.partition(".")
    return called.get(first, first) + dot + rest


def _match(
    held: Shapes,
    architecture: str,
    prefix: str,
    names: Mapping[str, str],
    called: Mapping[str, str],
    head: str,
) -> Match | None:
    """Return the match of one architecture at one place, or None where it does not stand there."""
    shapes = architectures.bodies()[architecture].shapes
    first = next(own for own, shape in shapes.items() if len(shape) == 4)
    changed = []
    for own, shape in shapes.items():
        theirs = held.get(prefix + names[own])
        if theirs is None:
            return None
        if theirs == shape or (own.endswith("pos_embedding") and len(theirs) == len(shape)):
            continue
        if own != first or not _is_stem(shape, theirs):
            return None
        changed.append(own)
    bias = first.rpartition(".")[0] + ".bias"
    extra = prefix + _renamed(bias, called)
    if bias not in shapes and extra in held:  # a new first layer, made with torch's own defaults
        names = {**names, bias: extra.removeprefix(prefix)}
        changed = [*changed, bias]
    taken = {prefix + name for name in names.values()}
    mine, rest = {}, []
    inside = {*called.values()} - {called[head]}
    for name in held:
        if name in taken:
            continue
        child, _, leaf = name.removeprefix(prefix).partition(".")
        if not name.startswith(prefix) or child in _AUXILIARY or is_counter(name):
            rest.append(name)
        elif child == called[head] and leaf:
            mine[f"{head}.{leaf}"] = name
        elif child in inside:
            return None  # layers more than the architecture's: it is another network
        else:
            rest.append(name)
    apart = [name for name in rest if name.removeprefix(prefix).partition(".")[0] in _AUXILIARY]
    outer, stray = beside(held, [name for name in rest if name not in set(apart)])
    return Match(
        library=RECOGNISER.library,
        architecture=architecture,
        prefix=prefix,
        body={own: prefix + name for own, name in names.items()},
        head=mine,
        outer=outer,
        stray=tuple(name for name in stray if not name.endswith("num_batches_tracked")),
        changed=tuple(changed),
    )


def _is_stem(own: tuple[int, ...], theirs: tuple[int, ...]) -> bool:
    """Say whether a first convolution can have taken the place of the architecture's own."""
    same_patches = own[2:] == theirs[2:] or own[2] in (3, 7, 11)
    return len(theirs) == 4 and theirs[0] == own[0] and theirs[2] <= own[2] and same_patches


def _apart(held: Shapes, found: list[Match]) -> list[Match]:
    """Leave out of each match's layers those of another whole network, such as its average."""
    kept = []
    for match in found:
        others: set[str] = set()
        for other in found:
            if other is match or not set(other.body.values()).isdisjoint(match.body.values()):
                continue
            two = bool(match.head) and bool(other.head)
            if two or is_averaged(match.prefix) != is_averaged(other.prefix):
                others |= {*other.body.values(), *other.head.values()}
        outer = tuple(name for name in match.outer if name not in others)
        kept.append(dataclasses.replace(match, outer=outer))
    return kept
