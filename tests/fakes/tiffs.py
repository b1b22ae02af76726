"""TIFFs of any storage, written by hand: what Pillow does not write, and nothing it decides."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def tiff(
    values: Any,
    *,
    photometric: int = 1,
    bits: int = 0,
    form: int = 1,
    order: str = "<",
    packed: bool = False,
    planes: int = 1,
    tile: int = 0,
    rows: int = 0,
    more: Mapping[int, tuple[str, Sequence[int]]] | None = None,
) -> bytes:
    """Return a TIFF of `values` `[H, W]` or `[H, W, C]`, in strips of `rows` or tiles of `tile`.

    `form` is SampleFormat (2 signed, 3 real), `order` `<` or `>`, `packed` deflates, `planes` 2
    stores each channel by itself, `more` are tags with their type (`H` or `I`) and numbers.
    """
    pixels = np.atleast_3d(np.asarray(values))
    height, width, count = pixels.shape
    bits = bits or pixels.dtype.itemsize * 8
    parts = [pixels] if planes == 1 else [pixels[..., at : at + 1] for at in range(count)]
    pieces = [
        _stored(piece, bits, order)
        for part in parts
        for piece in (_tiles(part, tile) if tile else _strips(part, rows or height))
    ]
    pieces = [zlib.compress(piece) if packed else piece for piece in pieces]
    starts, body = [], b""
    for piece in pieces:
        starts.append(8 + len(body))
        body += piece + b"\0" * (len(piece) % 2)
    lengths = [len(piece) for piece in pieces]
    tags: dict[int, tuple[str, Sequence[int]]] = {
        256: ("I", [width]), 257: ("I", [height]), 258: ("H", [bits] * count),
        259: ("H", [8 if packed else 1]), 262: ("H", [photometric]), 277: ("H", [count]),
        284: ("H", [planes]), 339: ("H", [form] * count),
    }  # fmt: skip
    if tile:
        tags |= {322: ("H", [tile]), 323: ("H", [tile]), 324: ("I", starts), 325: ("I", lengths)}
    else:
        tags |= {273: ("I", starts), 278: ("I", [rows or height]), 279: ("I", lengths)}
    return _file(body, tags | dict(more or {}), order)


def _file(body: bytes, tags: Mapping[int, tuple[str, Sequence[int]]], order: str) -> bytes:
    entries, rest = b"", b""
    for tag, (kind, numbers) in sorted(tags.items()):
        data = struct.pack(f"{order}{len(numbers)}{kind}", *numbers)
        if len(data) > 4:
            place = struct.pack(f"{order}I", 8 + len(body) + len(rest))
            rest += data + b"\0" * (len(data) % 2)
            data = place
        row = struct.pack(f"{order}HHI", tag, 3 if kind == "H" else 4, len(numbers))
        entries += row + data.ljust(4, b"\0")
    head = struct.pack(f"{order}HI", 42, 8 + len(body) + len(rest))
    mark = b"II" if order == "<" else b"MM"
    return mark + head + body + rest + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


def _strips(part: Any, rows: int) -> list[Any]:
    return [part[at : at + rows] for at in range(0, len(part), rows)]


def _tiles(part: Any, side: int) -> list[Any]:
    high, wide, _ = part.shape
    padded = np.pad(part, ((0, -high % side), (0, -wide % side), (0, 0)))
    return [
        padded[y : y + side, x : x + side]
        for y in range(0, high, side)
        for x in range(0, wide, side)
    ]


def _stored(piece: Any, bits: int, order: str) -> bytes:
    if bits == piece.dtype.itemsize * 8:
        return bytes(piece.astype(piece.dtype.newbyteorder(order)).tobytes())
    rows = piece.reshape(len(piece), -1)
    return b"".join(
        np.packbits((row[:, None].astype(int) >> np.arange(bits)[::-1]) & 1).tobytes()
        for row in rows
    )
