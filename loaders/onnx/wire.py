"""Protobuf's wire format: fields read one by one with no library, and written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MAX_FIELDS = 5_000_000
"""The most fields of one message; a file with more was made to be slow."""


def fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """Yield every field of a message: a number, or a view of its bytes. Raises ValueError."""
    for number, value, _ in spans(data):
        yield number, value


def spans(data: memoryview) -> Iterator[tuple[int, Any, memoryview]]:
    """Yield every field of a message with all of its bytes, key and length included."""
    place, end, count = 0, len(data), 0
    while place < end:
        start = place
        count += 1
        if count > MAX_FIELDS:
            raise ValueError("a message of too many fields")
        key, place = _varint(data, place)
        wire = key & 7
        if wire == 0:
            value, place = _varint(data, place)
            yield key >> 3, value, data[start:place]
            continue
        size = {1: 8, 5: 4}.get(wire)
        if wire == 2:
            size, place = _varint(data, place)
        if size is None or place + size > end:
            raise ValueError("no field of this format, or one that is longer than the file")
        yield key >> 3, data[place : place + size], data[start : place + size]
        place += size


def packed(data: memoryview) -> list[int]:
    """Read numbers that follow each other."""
    numbers, place = [], 0
    while place < len(data):
        number, place = _varint(data, place)
        numbers.append(number)
    return numbers


def text(data: object, limit: int = 200) -> str:
    """Read a text, cut where it is longer."""
    if not isinstance(data, memoryview):
        raise TypeError("a number where a text belongs")
    return bytes(data[:limit]).decode("utf-8", "replace")


def number(value: object) -> int:
    """Return a number as it is signed. Raises TypeError for what is none."""
    if not isinstance(value, int):
        raise TypeError("bytes where a number belongs")
    return value - (1 << 64) if value >= 1 << 63 else value


def field(tag: int, value: int | bytes | str) -> bytes:
    """Write one field."""
    if isinstance(value, int):
        return _written(tag << 3) + _written(value)
    data = value.encode() if isinstance(value, str) else value
    return _written(tag << 3 | 2) + _written(len(data)) + data


def head(tag: int, size: int) -> bytes:
    """Write what stands before `size` bytes of a field."""
    return _written(tag << 3 | 2) + _written(size)


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("a number of over 64 bits")


def _written(value: int) -> bytes:
    value &= (1 << 64) - 1
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)
