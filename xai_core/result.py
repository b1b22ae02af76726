"""What a task hands back: frozen numbers, arrays under names, sentences, and files to serve."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from xai_core import plain

R = TypeVar("R", bound="Result")
Arrays = Mapping[str, NDArray[Any]]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """Base of all results; a task whose result has fields of its own subclasses it.

    `scalars` are finite numbers, `arrays` what has no field of its own, `notes` sentences about
    doubts that the task itself found. `files` are paths in the folder that the task wrote to: they
    are served and never opened.
    """

    scalars: Mapping[str, float] = dataclasses.field(default_factory=dict)
    arrays: Arrays = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: Mapping[str, Path] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make every array read-only, and every mapping a frozen one."""
        own: Any = type(self)
        for name in plain.names(own):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    def amended(self: R, **values: Any) -> R:
        """Return a copy with other values of fields on which no other depends.

        Nothing is checked or copied anew: they are the caller's own, frozen ones.
        """
        made = copy.copy(self)
        for name, value in values.items():
            object.__setattr__(made, name, value)
        return made

    def to_wire(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the result as plain data and arrays, for `from_wire`."""
        data, arrays = plain.pack(self)
        return data, arrays

    @classmethod
    def from_wire(cls: type[R], data: Mapping[str, Any], arrays: Arrays) -> R:
        """Rebuild from `to_wire`. Raises TypeError or ValueError for what is not declared."""
        return plain.unpack(cls, data, arrays)


def frozen(value: Any) -> Any:
    """Return a value that nobody changes: a mapping's or an array's own read-only copy."""
    if type(value) in plain.PLAIN:  # most are
        return value
    if isinstance(value, np.ndarray):
        if value.flags.writeable or value.base is not None:
            value = np.array(value)
            value.setflags(write=False)
        return value
    if isinstance(value, Mapping):
        return MappingProxyType({name: frozen(each) for name, each in value.items()})
    if isinstance(value, list):
        return tuple(value)
    return value
