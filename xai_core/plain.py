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
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
T = TypeVar("T")
DEEPEST = 12
"""How deep declared data may be nested."""


class Family:
    """Base of the bases of small families of dataclasses: `kind` says which of them it is."""

    kind: ClassVar[str]


def pack(value: Any) -> tuple[Any, Arrays]:
    """Return plain data (JSON's), and the arrays that were in it by where they stood."""
    arrays: Arrays = {}
    return _packed(value, "", arrays), arrays


def _packed(value: Any, path: str, arrays: Arrays) -> Any:
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        made = {
            field.name: _packed(getattr(value, field.name), _under(path, field.name), arrays)
            for field in dataclasses.fields(value)
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
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(f"{path or 'a value'} of type {type(value).__name__} is no plain data")


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def unpack(cls: type[T], data: Any, arrays: Mapping[str, NDArray[Any]] | None = None) -> T:
    """Build a declared class from what `pack` gave.

    Raises TypeError or ValueError for whatever its declarations do not say, and what the class
    itself raises.
    """
    left = dict(arrays or {})
    made = _built(cls, data, left, "", 0)
    if left:
        raise ValueError(f"arrays of no known name: {', '.join(sorted(left))[:200]}")
    return made  # type: ignore[no-any-return]


def _built(hint: Any, data: Any, arrays: Arrays, path: str, depth: int) -> Any:
    if depth > DEEPEST:
        raise ValueError("plain data nested too deep")
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return data
    if _is_array(hint):
        if path not in arrays:
            raise ValueError(f"the array {path} is missing")
        return arrays.pop(path)
    if origin is Literal:
        if not any(data == each and type(data) is type(each) for each in inner):
            raise ValueError(f"{path} must be one of {inner}")
        return data
    if origin in (Union, types.UnionType):
        return _one_of(inner, data, arrays, path, depth)
    if origin is tuple:
        return _row(inner, data, arrays, path, depth)
    if origin in (list, dict) or hint in (list, dict):
        raise TypeError(f"{path}: declared data is frozen; say tuple or Mapping")
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(data, dict):
            raise TypeError(f"{path} must be an object")
        named = {key: _under(path, key) for key in data}
        return types.MappingProxyType(
            {key: _built(inner[1], data[key], arrays, named[key], depth + 1) for key in data}
        )
    if isinstance(hint, type) and issubclass(hint, Family):
        hint, data = _member(hint, data, path)
    if dataclasses.is_dataclass(hint):
        return _instance(hint, data, arrays, path, depth)
    return _scalar(hint, data, path)


def _is_array(hint: Any) -> bool:
    return hint is np.ndarray or get_origin(hint) is np.ndarray


def _one_of(options: tuple[Any, ...], data: Any, arrays: Arrays, path: str, depth: int) -> Any:
    standing = any(name == path or name.startswith(f"{path}.") for name in arrays)
    if data is None and not standing and type(None) in options:
        return None
    rest = [option for option in options if option is not type(None)]
    for option in rest[:-1]:
        with contextlib.suppress(TypeError, ValueError):
            return _built(option, data, arrays, path, depth)
    return _built(rest[-1], data, arrays, path, depth)


def _row(inner: tuple[Any, ...], data: Any, arrays: Arrays, path: str, depth: int) -> Any:
    if not isinstance(data, (list, tuple)):
        raise TypeError(f"{path} must be a list")
    if len(inner) == 2 and inner[1] is Ellipsis:
        inner = (inner[0],) * len(data)
    if len(inner) != len(data):
        raise ValueError(f"{path} must have {len(inner)} parts, not {len(data)}")
    return tuple(
        _built(hint, each, arrays, _under(path, str(at)), depth + 1)
        for at, (hint, each) in enumerate(zip(inner, data, strict=True))
    )


def _member(family: type[Family], data: Any, path: str) -> tuple[type[Family], dict[str, Any]]:
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
        raise TypeError(f"{path or family.__name__} must be an object with its kind")
    rest = {name: value for name, value in data.items() if name != "kind"}
    for member in members(family):
        if member.kind == data["kind"]:
            return member, rest
    raise ValueError(f"{path or family.__name__} of no known kind {data['kind'][:40]!r}")


def members(family: type[Family]) -> list[type[Any]]:
    """List the dataclasses of a family that are loaded."""
    own: list[type[Any]] = [family] if dataclasses.is_dataclass(family) else []
    return own + [member for each in family.__subclasses__() for member in members(each)]


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _instance(cls: Any, data: Any, arrays: Arrays, path: str, depth: int) -> Any:
    if not isinstance(data, dict):
        raise TypeError(f"{path or cls.__name__} must be an object")
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    if unknown := [name for name in data if name not in fields]:
        raise ValueError(f"{cls.__name__} has no {unknown[0][:60]!r}")
    hints, given = _hints(cls), {}
    for name in fields:
        here = _under(path, name)
        if name in data or any(each == here or each.startswith(f"{here}.") for each in arrays):
            given[name] = _built(hints[name], data.get(name), arrays, here, depth + 1)
    return cls(**given)


def _scalar(hint: Any, data: Any, path: str) -> Any:
    match hint:
        case _ if hint is float:
            good = isinstance(data, (int, float)) and not isinstance(data, bool)
            if not good or not math.isfinite(data):
                raise TypeError(f"{path} must be a finite number")
            return float(data)
        case _ if hint is int:
            good = isinstance(data, int) and not isinstance(data, bool) and abs(data) < 1 << 63
        case _ if hint is bool or hint is str:
            good = isinstance(data, hint)
        case _ if hint is Path:
            return Path(_scalar(str, data, path))
        case _ if hint is type(None):
            good = data is None
        case _:
            raise TypeError(f"{path} is declared as {hint}, which is no plain data")
    if not good:
        raise TypeError(f"{path} must be of type {hint.__name__}, got {type(data).__name__}")
    return data
