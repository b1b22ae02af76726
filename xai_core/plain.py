"""Declared data into plain data and arrays, and back: for the wire, for JSON, for a file.

What comes back is built by the types that the classes declare, and nothing else: an unknown name,
a number that is no number, an array where none belongs is refused. So a reader needs no check of
its own for what its class already says.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import types
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import (
    Any,
    ClassVar,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
T = TypeVar("T")
_LARGEST = 1 << 63
DEEPEST = 12
"""How deep declared data may be nested."""


class Family:
    """Base of the bases of small families of dataclasses: `kind` says which of them it is."""

    kind: ClassVar[str]


def pack(value: Any) -> tuple[Any, Arrays]:
    """Return plain data (JSON's), and the arrays that were in it by where they stood."""
    arrays: Arrays = {}
    return _packed(value, "", arrays), arrays


PLAIN = (str, bool, int, float, type(None))
"""Types of JSON's own that hold nothing else."""


def _packed(value: Any, path: str, arrays: Arrays) -> Any:
    if type(value) in PLAIN:  # most are
        return value
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        made = {
            name: _packed(getattr(value, name), _under(path, name), arrays)
            for name in names(type(value))
        }
        return {"kind": value.kind, **made} if isinstance(value, Family) else made
    if isinstance(value, Mapping):
        return {
            str(key): _packed(each, _under(path, str(key)), arrays) for key, each in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_packed(each, _under(path, str(at)), arrays) for at, each in enumerate(value)]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (str, int, float)):
        return value
    raise TypeError(f"{path or 'a value'} of type {type(value).__name__} is no plain data")


@functools.cache
def names(cls: type) -> tuple[str, ...]:
    """List a dataclass's fields by name."""
    return tuple(field.name for field in dataclasses.fields(cls))


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def unpack(cls: type[T], data: Any, arrays: Mapping[str, NDArray[Any]] | None = None) -> T:
    """Build a declared class from what `pack` gave.

    Raises TypeError or ValueError for whatever its declarations do not say, and what the class
    itself raises.
    """
    left = dict(arrays or {})
    made = _whole(cast("Hashable", cls))(data, left, "", 0)
    if left:
        raise ValueError(f"arrays of no known name: {', '.join(sorted(left))[:200]}")
    return made  # type: ignore[no-any-return]


Build = Callable[[Any, Arrays, str, int], Any]
"""What builds data of one declared type, with the arrays left, where it stands, and how deep."""


@functools.cache
def _whole(cls: Hashable) -> Build:
    return _builder(cls)


def _builder(hint: Any) -> Build:
    """Return what builds a declared type; for a class's fields it is made once (`_builders`)."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda data, arrays, path, depth: data
    if hint is np.ndarray or origin is np.ndarray:
        return _array
    if origin is Literal:
        return functools.partial(_literal, inner)
    if origin in (Union, types.UnionType):
        rest = [_builder(option) for option in inner if option is not type(None)]
        if len(rest) == 1 and type(None) in inner:
            return _maybe(rest[0])
        return functools.partial(_one_of, rest, type(None) in inner)
    if origin is tuple:
        if len(inner) == 2 and inner[1] is Ellipsis:
            return functools.partial(_row, _builder(inner[0]), inner[0])
        return functools.partial(_parts, [_builder(each) for each in inner])
    if origin in (list, dict) or hint in (list, dict):
        return _unfrozen
    if origin is not None and issubclass(origin, Mapping):
        return functools.partial(_mapping, _builder(inner[1]))
    if isinstance(hint, type) and issubclass(hint, Family):
        return functools.partial(_relative, hint)
    if dataclasses.is_dataclass(hint):
        return functools.partial(_instance, hint)
    return _scalars(hint)


def _scalars(hint: Any) -> Build:
    """Return what takes a value of just the declared type as it is, and looks closely at others."""
    if hint not in (str, bool, int):
        return functools.partial(_scalar, hint)

    def build(data: Any, arrays: Arrays, path: str, depth: int) -> Any:
        if type(data) is hint and (hint is not int or -_LARGEST < data < _LARGEST):
            return data
        return _scalar(hint, data, arrays, path, depth)

    return build


def _maybe(build: Build) -> Build:
    """Return what builds a value or None."""

    def made(data: Any, arrays: Arrays, path: str, depth: int) -> Any:
        if data is None and not _stands(path, arrays):
            return None
        return build(data, arrays, path, depth)

    return made


def _array(data: Any, arrays: Arrays, path: str, depth: int) -> Any:
    if path not in arrays:
        raise ValueError(f"the array {path} is missing")
    return arrays.pop(path)


def _literal(known: tuple[Any, ...], data: Any, arrays: Arrays, path: str, depth: int) -> Any:
    if not any(data == each and type(data) is type(each) for each in known):
        raise ValueError(f"{path} must be one of {known}")
    return data


def _one_of(
    rest: Sequence[Build], none: bool, data: Any, arrays: Arrays, path: str, depth: int
) -> Any:
    if data is None and none and not _stands(path, arrays):
        return None
    for build in rest[:-1]:
        with contextlib.suppress(TypeError, ValueError):
            return build(data, arrays, path, depth)
    return rest[-1](data, arrays, path, depth)


def _stands(path: str, arrays: Arrays) -> bool:
    """Say whether an array stands at a place, or below it."""
    if path in arrays:
        return True
    below = f"{path}."
    for name in arrays:  # noqa: SIM110 - a generator takes twice as long
        if name.startswith(below):
            return True
    return False


def _row(build: Build, hint: Any, data: Any, arrays: Arrays, path: str, depth: int) -> Any:
    _deeper(depth)
    if not isinstance(data, (list, tuple)):
        raise TypeError(f"{path} must be a list")
    if hint is str and all(type(each) is str for each in data):  # thousands of names
        return tuple(data)
    return tuple(
        build(each, arrays, _under(path, str(at)), depth + 1) for at, each in enumerate(data)
    )


def _parts(builders: Sequence[Build], data: Any, arrays: Arrays, path: str, depth: int) -> Any:
    _deeper(depth)
    if not isinstance(data, (list, tuple)):
        raise TypeError(f"{path} must be a list")
    if len(builders) != len(data):
        raise ValueError(f"{path} must have {len(builders)} parts, not {len(data)}")
    return tuple(
        build(each, arrays, _under(path, str(at)), depth + 1)
        for at, (build, each) in enumerate(zip(builders, data, strict=True))
    )


def _unfrozen(data: Any, arrays: Arrays, path: str, depth: int) -> Any:
    raise TypeError(f"{path}: declared data is frozen; say tuple or Mapping")


def _mapping(build: Build, data: Any, arrays: Arrays, path: str, depth: int) -> Any:
    _deeper(depth)
    if not isinstance(data, dict):
        raise TypeError(f"{path} must be an object")
    return types.MappingProxyType(
        {key: build(each, arrays, _under(path, key), depth + 1) for key, each in data.items()}
    )


def _relative(family: type[Family], data: Any, arrays: Arrays, path: str, depth: int) -> Any:
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
        raise TypeError(f"{path or family.__name__} must be an object with its kind")
    known = (family, data["kind"])
    if (found := _known.get(known)) is None:
        for member in members(family):
            if member.kind == data["kind"]:
                _known[known] = found = member
                break
    if found is not None:
        return _instance(found, data, arrays, path, depth, skip="kind")
    raise ValueError(f"{path or family.__name__} of no known kind {data['kind'][:40]!r}")


_known: WeakValueDictionary[tuple[type, str], type[Any]] = WeakValueDictionary()
"""Members of families that were asked for, as long as they are loaded."""


def members(family: type[Family]) -> list[type[Any]]:
    """List the dataclasses of a family that are loaded."""
    own: list[type[Any]] = [family] if dataclasses.is_dataclass(family) else []
    return own + [member for each in family.__subclasses__() for member in members(each)]


@functools.cache
def _builders(cls: type) -> dict[str, Build]:
    hints = get_type_hints(cls)
    return {
        field.name: _builder(hints[field.name]) for field in dataclasses.fields(cls) if field.init
    }


def _instance(
    cls: Any, data: Any, arrays: Arrays, path: str, depth: int, skip: str | None = None
) -> Any:
    _deeper(depth)
    if not isinstance(data, dict):
        raise TypeError(f"{path or cls.__name__} must be an object")
    builders, given = _builders(cls), {}
    if not data.keys() <= builders.keys():
        for name in data:
            if name not in builders and name != skip:
                raise ValueError(f"{cls.__name__} has no {name[:60]!r}")
    before = f"{path}." if path else ""
    for name, build in builders.items():
        if name in data:
            given[name] = build(data[name], arrays, before + name, depth + 1)
        elif arrays and _stands(before + name, arrays):
            given[name] = build(None, arrays, before + name, depth + 1)
    return cls(**given)


def _deeper(depth: int) -> None:
    if depth >= DEEPEST:
        raise ValueError("plain data nested too deep")


def _scalar(hint: Any, data: Any, arrays: Arrays, path: str, depth: int) -> Any:
    if hint is float:
        good = isinstance(data, (int, float)) and not isinstance(data, bool)
        if not good or not math.isfinite(data):
            raise TypeError(f"{path} must be a finite number")
        return float(data)
    if hint is int:
        good = isinstance(data, int) and not isinstance(data, bool) and abs(data) < _LARGEST
    elif hint is bool or hint is str:
        good = isinstance(data, hint)
    elif hint is Path:
        return Path(_scalar(str, data, arrays, path, depth))
    elif hint is type(None):
        good = data is None
    else:
        raise TypeError(f"{path} is declared as {hint}, which is no plain data")
    if not good:
        raise TypeError(f"{path} must be of type {hint.__name__}, got {type(data).__name__}")
    return data
