"""Weights beside an ONNX file: which files it names, and where in them its tensors lie.

A file may name others of its own folder and nothing else. On the wall's far side they lie under
safe names; whatever the graph says of places and lengths is measured before onnxruntime reads it.
"""

from __future__ import annotations

import dataclasses
import mmap
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from loaders.companions import safe_name
from loaders.keras.audit import printable
from loaders.onnx.graph import Graph, inspect
from loaders.onnx.parts import Outside, Tensor
from xai_core.errors import LoadError, NeedsFiles
from xai_core.model import Finding

MAX_FILES = 1_000
"""Files that the weights of one network may lie in."""

_AS_ONE = (
    "export it as one file: onnx.save(onnx.load('model.onnx'), 'whole.onnx', "
    "save_as_external_data=False)"
)


@dataclasses.dataclass(frozen=True)
class Found:
    """The names that files have on this disk, by the graph's, and what to say of them."""

    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def wanted(graph: Graph) -> tuple[str, ...]:
    """Return the names of the files that hold weights. Raises LoadError for what is none.

    A name is one of the model's own folder: no path, and nothing that cannot be shown.
    """
    names: dict[str, None] = {}
    for tensor, _ in graph.outside:
        place = tensor.outside
        assert place is not None  # noqa: S101 - for the type checker
        name = plain(place.location)
        if name is None:
            raise LoadError(
                f"The ONNX file keeps weights in '{printable(place.location, 60)}', which is no "
                "file of its own folder: it is not followed. Put the weights beside the model, or "
                f"{_AS_ONE}."
            )
        names[name] = None
        if len(names) > MAX_FILES:
            raise LoadError(
                f"The ONNX file keeps its weights in over {MAX_FILES:,} other files: {_AS_ONE}."
            )
    stored: dict[str, str] = {}
    for name in names:
        other = stored.setdefault(safe_name(name), name)
        if other != name:
            raise LoadError(
                f"The ONNX file keeps weights in '{other}' and in '{name}', whose names are too "
                f"much alike: {_AS_ONE}."
            )
    return tuple(names)


def names_in(path: Path) -> tuple[str, ...]:
    """Return the names of the files that hold an ONNX file's weights. Raises LoadError."""
    with path.open("rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return wanted(inspect(data))


def find(graph: Graph, path: Path) -> Found:
    """Find the files that hold weights beside the model, and measure them.

    Raises NeedsFiles where one is missing, LoadError where a tensor does not lie in its file.
    """
    names = wanted(graph)
    if not names:
        return Found()
    sizes: dict[str, tuple[str, int]] = {}
    missing = []
    for name in names:
        for stored in (name, safe_name(name)):
            size = _size(path.parent / stored)
            if size is not None:
                sizes[name] = stored, size
                break
        else:
            missing.append(name)
    findings: tuple[Finding, ...] = ()
    if missing:
        other = _renamed(graph, path) if len(names) == 1 else None
        if other is None:
            raise NeedsFiles(sentence(names, missing))
        sizes[names[0]] = other
        said = (
            f"The graph keeps its weights in '{names[0]}', and '{printable(other[0])}', which has "
            "just their size, is taken for it. If it belongs to another model, send the right one."
        )
        findings = (Finding("warning", said, "weights"),)
    for tensor, outermost in graph.outside:
        place = tensor.outside
        assert place is not None  # noqa: S101 - for the type checker
        stored, size = sizes[plain(place.location) or ""]
        if not outermost and stored != place.location:
            raise LoadError(
                f"The ONNX file keeps weights of an inner graph in '{place.location}', a name that "
                f"is not kept here: {_AS_ONE}."
            )
        _measure(tensor, place, size)
    return Found({name: stored for name, (stored, _) in sizes.items()}, findings)


def sentence(names: Sequence[str], missing: Sequence[str]) -> str:
    """Ask for what is missing by its name."""
    shown = " and ".join(f"'{name}'" for name in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    many = f"{len(names)} other files" if len(names) > 1 else "a second file"
    return (
        f"This ONNX file keeps its weights in {many}, and {shown}{more} did not come with it: send "
        f"{'all of them' if len(names) > 1 else 'both'} together, or {_AS_ONE}."
    )


def plain(location: str) -> str | None:
    """Return a file's name where `location` is one of the model's own folder, else None."""
    name = location.removeprefix("./")
    usual = 0 < len(name.encode()) <= 255 and name.isprintable() and name.strip(". ")
    return name if usual and not {"/", "\\"} & set(name) else None


def _size(path: Path) -> int | None:
    try:
        found = path.lstat()
    except (OSError, ValueError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _renamed(graph: Graph, path: Path) -> tuple[str, int] | None:
    """Return the one other file beside the model, if it ends just where the weights do."""
    try:
        others = [each for each in path.parent.iterdir() if each.name != path.name][:2]
    except OSError:  # beside a file that ships nothing may be listed
        return None
    end = max(tensor.outside.offset + tensor.size for tensor, _ in graph.outside if tensor.outside)
    size = _size(others[0]) if len(others) == 1 else None
    return (others[0].name, size) if size is not None and end <= size < end + 4096 else None


def _measure(tensor: Tensor, place: Outside, size: int) -> None:
    length = tensor.size if place.length is None else place.length
    fault = ""
    if length != tensor.size:
        fault = f"{length:,} bytes where its numbers take {tensor.size:,}"
    elif place.offset + length > size:
        fault = f"bytes {place.offset:,} to {place.offset + length:,} of a file that has {size:,}"
    if fault:
        raise LoadError(
            f"The ONNX file's weights '{printable(tensor.name, 60)}' are said to be {fault}: "
            f"'{printable(place.location, 60)}' is cut short, or belongs to another model. Send "
            "the one that was written with it."
        )
