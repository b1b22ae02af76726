"""What an ONNX graph is made of: its constants and its operations, as plain data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from loaders.onnx import wire

SMALL = 4_096
"""Numbers up to which a tensor's values are read, when somebody asks for them."""

_DTYPES: Mapping[int, str] = {
    1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?",
    10: "<f2", 11: "<f8", 12: "<u4", 13: "<u8",
}  # fmt: skip
_BITS: Mapping[int, int] = {
    **{kind: 8 * np.dtype(name).itemsize for kind, name in _DTYPES.items()},
    14: 64, 15: 128, 16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip
"""Bits of one number, by TensorProto.DataType."""


@dataclasses.dataclass(frozen=True)
class Outside:
    """Where a tensor's bytes lie in another file; `length` is None up to its end."""

    location: str
    offset: int
    length: int | None


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A constant: its sides, its kind, and its bytes here or outside."""

    name: str
    sides: tuple[int, ...]
    kind: int
    raw: memoryview | None = None
    typed: tuple[tuple[int, memoryview | int], ...] = ()
    outside: Outside | None = None

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return math.prod(self.sides)

    @property
    def size(self) -> int:
        """How many bytes its numbers take."""
        return (self.count * _BITS.get(self.kind, 8) + 7) // 8

    @property
    def values(self) -> NDArray[np.generic] | None:
        """Its numbers where they are few and plain, or None."""
        if self.outside is not None or self.count > SMALL or self.kind not in _DTYPES:
            return None
        dtype = np.dtype(_DTYPES[self.kind])
        if self.raw is not None:
            found = np.frombuffer(self.raw, dtype)
        elif all(field in (4, 10) for field, _ in self.typed):  # floats, as they lie
            parts = (bytes(part) for _, part in self.typed if isinstance(part, memoryview))
            found = np.frombuffer(b"".join(parts), dtype)
        else:
            numbers: list[int] = []
            for _, part in self.typed:
                numbers += [part] if isinstance(part, int) else wire.packed(part)
            signed = [value - (1 << 64) if value >> 63 else value for value in numbers]
            if self.kind == 10:  # halves are kept as their bits
                found = np.array(signed, "<u2").view("<f2")
            else:
                found = np.array(signed).astype(dtype)
        return found.reshape(self.sides) if found.size == self.count else None


@dataclasses.dataclass(frozen=True)
class Node:
    """An operation: its operator, what goes in and out by name, and its small attributes."""

    operator: str
    domain: str = ""
    name: str = ""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    numbers: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    tensor: Tensor | None = None
    scopes: str = ""
    classes: tuple[str, ...] = ()
