"""What crosses the wall: length-capped JSON and plain arrays, over one Unix socket.

A message is four bytes of length, that much JSON `{"body": ..., "arrays": [[name, bytes], ...]}`,
and then each declared array as an `.npy` file. Nothing is unpickled and nothing is evaluated: an
array's header must match one pattern, its type must be on a short list, and its shape must say
exactly as many bytes as were declared. Either side may be hostile; the reader holds the rules.
"""

from __future__ import annotations

import json
import math
import re
import select
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Body = dict[str, Any]
Arrays = Mapping[str, NDArray[Any]]
Tick = Callable[[], None]
Admit = Callable[[Body, int], bool]

JSON_CAP = 4 << 20
ARRAYS_CAP = 1 << 30
COUNT_CAP = 256
TICK = 0.05
"""Seconds between two calls of `tick` while nothing comes or goes."""

_TYPES = {"<f4", "<f8", "|u1", "<i4", "<i8", "|b1"}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,63}")
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER_CAP = 502  # the longest that still gives a multiple of 64 with its ten bytes before it
_HEADER = re.compile(
    rb"\{'descr': '([<|][a-z]\d)', 'fortran_order': False, "
    rb"'shape': \(((?:\d{1,12}, ?){0,7}(?:\d{1,12},?)?)\), ?\} *\n"
)


class ProtocolError(Exception):
    """The other side broke the rules of the wire; what it says is not to be used."""


class Channel:
    """One end of the wire. Not safe for two threads at once.

    `tick` is called about every 50 ms while a call waits, and may raise to give up; the channel
    is then in the middle of a message and fit only for closing, unless nothing had come yet.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        sock.setblocking(False)

    def close(self) -> None:
        """Close the socket; a second time does nothing."""
        self._socket.close()

    def readable(self) -> bool:
        """Say whether something, or the end, is there to be read."""
        return _wait(self._socket, write=False, seconds=0)

    def send(self, body: Body, arrays: Arrays | None = None, *, tick: Tick | None = None) -> None:
        """Send one message. Raises EOFError where the other side is gone."""
        parts = {name: _npy(name, array) for name, array in (arrays or {}).items()}
        sizes = {name: len(header) + data.nbytes for name, (header, data) in parts.items()}
        text = json.dumps({"body": body, "arrays": list(sizes.items())}).encode()
        if len(text) > JSON_CAP or len(parts) > COUNT_CAP:
            raise ProtocolError(
                f"A message of {len(text)} bytes and {len(parts)} arrays is refused"
            )
        if sum(sizes.values()) > ARRAYS_CAP:
            raise ProtocolError("Arrays of more than 1 GiB do not cross the wall")
        self._write(struct.pack(">I", len(text)) + text, tick)
        for header, data in parts.values():
            self._write(header, tick)
            self._write(data, tick)

    def receive(
        self, *, tick: Tick | None = None, admit: Admit | None = None
    ) -> tuple[Body, dict[str, NDArray[Any]]]:
        """Wait for one message. Raises ProtocolError, or EOFError where the other side is gone.

        `admit` sees the body and the bytes of its arrays before any of them is read.
        """
        (length,) = struct.unpack(">I", self._read(4, tick).tobytes())
        if not 2 <= length <= JSON_CAP:
            raise ProtocolError(f"A message of {length} bytes is refused")
        body, listed = _envelope(self._read(length, tick))
        if admit and not admit(body, sum(size for _, size in listed)):
            raise ProtocolError("A message with more arrays than its kind may bring")
        return body, {name: self._array(size, tick) for name, size in listed}

    def _array(self, size: int, tick: Tick | None) -> NDArray[Any]:
        start = bytes(self._read(10, tick))
        (length,) = struct.unpack("<H", start[8:])
        if start[:8] != _MAGIC or not 0 < length <= _HEADER_CAP or 10 + length > size:
            raise ProtocolError("An array does not begin as an .npy file of version 1 does")
        dtype, shape = _header(bytes(self._read(length, tick)))
        if math.prod(shape) * dtype.itemsize != size - 10 - length:
            raise ProtocolError(f"An array of {size} bytes says that its shape is {list(shape)}")
        data = self._read(size - 10 - length, tick)
        if dtype == np.bool_ and data.size and data.max() > 1:
            raise ProtocolError("An array of yes and no holds other values")
        return data.view(dtype).reshape(shape)

    def _read(self, size: int, tick: Tick | None) -> NDArray[np.uint8]:
        # np.empty takes no memory until bytes have really come, so a lie about size costs nothing.
        out = np.empty(size, np.uint8)
        view, done = out.data, 0
        while done < size:
            self._ready(tick, write=False)
            try:
                got = self._socket.recv_into(view[done:])
            except BlockingIOError:
                continue
            except OSError as error:
                raise EOFError(str(error)) from None
            if got == 0:
                raise EOFError("the other side is gone")
            done += got
        return out

    def _write(self, data: bytes | NDArray[np.uint8], tick: Tick | None) -> None:
        view, done = memoryview(data) if isinstance(data, bytes) else data.data, 0
        while done < len(view):
            self._ready(tick, write=True)
            try:
                done += self._socket.send(view[done : done + (1 << 20)])
            except BlockingIOError:
                continue
            except OSError as error:
                raise EOFError(str(error)) from None

    def _ready(self, tick: Tick | None, *, write: bool) -> None:
        if tick:
            tick()
        while not _wait(self._socket, write=write, seconds=TICK if tick else None):
            if tick:
                tick()


def _wait(sock: socket.socket, *, write: bool, seconds: float | None) -> bool:
    # poll, where there is one: select refuses descriptors above 1023.
    if sock.fileno() < 0:
        raise EOFError("the channel is closed")
    if not hasattr(select, "poll"):
        ready = select.select([] if write else [sock], [sock] if write else [], [], seconds)
        return bool(ready[0] or ready[1])
    poll = select.poll()
    poll.register(sock, select.POLLOUT if write else select.POLLIN)
    return bool(poll.poll(None if seconds is None else seconds * 1000))


def _npy(name: str, array: NDArray[Any]) -> tuple[bytes, NDArray[np.uint8]]:
    if not _NAME.fullmatch(name):
        raise ProtocolError(f"An array may not be called {name[:80]!r}")
    plain = np.ascontiguousarray(array).reshape(np.shape(array))
    if plain.dtype.str not in _TYPES or plain.ndim > 8:
        raise ProtocolError(f"An array of type {plain.dtype} does not cross the wall")
    text = f"{{'descr': '{plain.dtype.str}', 'fortran_order': False, 'shape': {plain.shape}, }}"
    padding = -(10 + len(text) + 1) % 64
    header = text.encode() + b" " * padding + b"\n"
    return _MAGIC + struct.pack("<H", len(header)) + header, plain.reshape(-1).view(np.uint8)


def _header(text: bytes) -> tuple[np.dtype[Any], tuple[int, ...]]:
    match = _HEADER.fullmatch(text)
    if not match or match[1].decode() not in _TYPES:
        raise ProtocolError(f"An array's header is refused: {text[:80]!r}")
    shape = tuple(int(side) for side in match[2].replace(b" ", b"").split(b",") if side)
    if math.prod(max(side, 1) for side in shape) > ARRAYS_CAP:
        raise ProtocolError(f"An array says that its shape is {list(shape)}")
    return np.dtype(match[1].decode()), shape


def _envelope(text: NDArray[np.uint8]) -> tuple[Body, list[tuple[str, int]]]:
    try:
        message = json.loads(text.tobytes())
    except (ValueError, RecursionError):
        raise ProtocolError("A message is not JSON") from None
    if not isinstance(message, dict) or set(message) != {"body", "arrays"}:
        raise ProtocolError("A message is not made of a body and arrays")
    body, listed = message["body"], message["arrays"]
    if not isinstance(body, dict) or not isinstance(listed, list) or len(listed) > COUNT_CAP:
        raise ProtocolError("A message is not made of a body and arrays")
    sizes: dict[str, int] = {}
    for pair in listed:
        if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)):
            raise ProtocolError("An array is declared by a name and a number of bytes")
        name, size = pair
        if not _NAME.fullmatch(name) or name in sizes or type(size) is not int or size < 11:
            raise ProtocolError(f"An array is declared wrongly: {name[:80]!r}")
        sizes[name] = size
    if sum(sizes.values()) > ARRAYS_CAP:
        raise ProtocolError("Arrays of more than 1 GiB do not cross the wall")
    return body, list(sizes.items())
