"""What crosses the wall: length-capped JSON and plain arrays, over one Unix socket.

A message is one byte that says its kind, four bytes of length, that much JSON
`{"body": {...}, "arrays": [[name, type, sides], ...]}`, and then each array's own bytes in that
order. The kind is known before anything is parsed, so each kind has a cap of its own; names, types
and sides are known before any array is read, so the reader compares them with what it expects.
Nothing is unpickled and nothing is evaluated. Either side may be hostile; the reader holds the
rules.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import select
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Body = dict[str, Any]
Arrays = Mapping[str, NDArray[Any]]
Tick = Callable[[], None]
Kind = Literal["hello", "order", "command", "progress", "result", "error", "cancelled"]

ORDER_CAP = 8 << 20
PROGRESS_CAP = 4 << 10
"""Bytes of JSON that a message of progress may have, the names of its arrays with it."""

ARRAYS_CAP = 1 << 30
COUNT_CAP = 256
OUTBOX_CAP = 1 << 16
"""Bytes that may wait to be sent without anybody waiting for them."""

TICK = 0.05
"""Seconds between two calls of `tick` while nothing comes or goes."""

TYPES = {"<f4": 4, "<f8": 8, "|u1": 1, "<i4": 4, "<i8": 8, "|b1": 1}
"""The types that an array may have, and the bytes of one element."""
_LETTERS: dict[Kind, bytes] = {
    "hello": b"H", "order": b"O", "command": b"K", "progress": b"P", "result": b"R",
    "error": b"E", "cancelled": b"C",
}  # fmt: skip
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. +-]{0,95}")


class ProtocolError(Exception):
    """The other side broke the rules of the wire; what it says is not to be used."""


@dataclasses.dataclass(frozen=True)
class Declared:
    """An array that is announced: its name, its type as `.npy` files name it, its sides."""

    name: str
    dtype: str
    sides: tuple[int, ...]

    @property
    def elements(self) -> int:
        """How many numbers it has."""
        return math.prod(self.sides)

    @property
    def bytes(self) -> int:
        """How long it is."""
        return self.elements * TYPES[self.dtype]


Admit = Callable[[Kind, Body, Sequence[Declared]], None]


class Channel:
    """One end of the wire. Not safe for two threads at once.

    `tick` is called about every 50 ms while a call waits, and may raise to give up; the channel
    is then in the middle of a message and fit only for closing, unless nothing had come yet. It is
    `inside` in the worker, whose sandbox has no calls that could hand descriptors on.
    """

    def __init__(self, sock: socket.socket, *, inside: bool = False) -> None:
        self._socket, self._inside = sock, inside
        self._outbox = b""
        sock.setblocking(False)

    def close(self) -> None:
        """Close the socket; a second time does nothing."""
        self._socket.close()

    def readable(self, seconds: float | None = 0) -> bool:
        """Say whether something, or the end, is there to be read, within `seconds`."""
        return _wait(self._socket, write=False, seconds=seconds)

    def spoken(self) -> bool:
        """Say whether the other side sent what nobody has read; its end is nothing."""
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def send(
        self, kind: Kind, body: Body, arrays: Arrays | None = None, *, tick: Tick | None = None
    ) -> None:
        """Send one message, after all that waits. Raises EOFError where nobody is there."""
        parts = {name: _plain(name, array) for name, array in (arrays or {}).items()}
        frame = _frame(kind, body, parts)
        if sum(part.nbytes for part in parts.values()) > ARRAYS_CAP:
            raise ProtocolError("Arrays of more than 1 GiB do not cross the wall")
        waiting, self._outbox = self._outbox, b""
        data = [part.reshape(-1).view(np.uint8).data for part in parts.values()]
        self._write([memoryview(waiting + frame), *data], tick)

    def post(self, kind: Kind, body: Body) -> bool:
        """Send a small message without waiting; `flush` goes on with what the other side left.

        Returns False where so much waits already that it is dropped.
        """
        frame = _frame(kind, body, {})
        if len(self._outbox) + len(frame) > OUTBOX_CAP:
            return False
        self._outbox += frame
        self.flush()
        return True

    def flush(self) -> None:
        """Send what waits, as far as the other side takes it now; never waits, never raises."""
        try:
            while self._outbox:
                self._outbox = self._outbox[self._socket.send(self._outbox) :]
        except OSError:
            pass  # full: the next call goes on; gone: whoever reads hears of it

    def receive(
        self,
        caps: Mapping[Kind, int],
        *,
        tick: Tick | None = None,
        admit: Admit | None = None,
    ) -> tuple[Kind, Body, dict[str, NDArray[Any]]]:
        """Wait for one message. Raises ProtocolError, or EOFError where the other side is gone.

        `caps` has the most bytes of JSON of each kind that may come; `admit` sees kind, body and
        announced arrays before any of those is read, and raises ProtocolError.
        """
        letter, length = struct.unpack(">cI", self._read(5, tick).tobytes())
        kind = _KINDS.get(letter)
        if kind is None or kind not in caps:
            raise ProtocolError("a message of no known kind")
        if not 2 <= length <= caps[kind]:
            raise ProtocolError(f"a message of the kind {kind}, of {length} bytes")
        body, listed = _envelope(self._read(length, tick))
        if admit:
            admit(kind, body, listed)
        return kind, body, self._arrays(listed, tick)

    def _arrays(self, listed: Sequence[Declared], tick: Tick | None) -> dict[str, NDArray[Any]]:
        # np.empty takes no memory until bytes have really come, so a lie about size costs nothing.
        made = {said.name: np.empty(said.sides, said.dtype) for said in listed}
        data = [array.reshape(-1).view(np.uint8) for array in made.values()]
        self._fill(data, tick)
        for said, own in zip(listed, data, strict=True):
            if said.dtype == "|b1" and own.size and own.max() > 1:
                raise ProtocolError("an array of yes and no that holds other values")
        return made

    def _read(self, size: int, tick: Tick | None) -> NDArray[np.uint8]:
        out = np.empty(size, np.uint8)
        self._fill([out], tick)
        return out

    def _fill(self, outs: Sequence[NDArray[np.uint8]], tick: Tick | None) -> None:
        left = [out.data for out in outs if out.size]
        while left:
            if tick:
                tick()
            try:
                got = self._got(left)
            except BlockingIOError:
                self._ready(tick, write=False)
                continue
            except OSError as error:
                raise EOFError(str(error)) from None
            if got == 0:
                raise EOFError("the other side is gone")
            _past(left, got)

    def _write(self, left: list[memoryview], tick: Tick | None) -> None:
        left = [part for part in left if part]
        while left:
            if tick:
                tick()
            try:
                sent = self._sent(left)
            except BlockingIOError:
                self._ready(tick, write=True)
                continue
            except OSError as error:
                raise EOFError(str(error)) from None
            _past(left, sent)

    def _got(self, left: list[memoryview]) -> int:
        """Fill what has come, into all parts at once: of a descriptor that came along, none."""
        if self._inside:
            return os.readv(self._socket.fileno(), left)
        return self._socket.recvmsg_into(left)[0]

    def _sent(self, left: list[memoryview]) -> int:
        return (
            os.writev(self._socket.fileno(), left) if self._inside else self._socket.sendmsg(left)
        )

    def _ready(self, tick: Tick | None, *, write: bool) -> None:
        while not _wait(self._socket, write=write, seconds=TICK if tick else None):
            if tick:
                tick()


def _past(left: list[memoryview], done: int) -> None:
    """Drop the first `done` bytes of what is left; a call takes all of a message's parts at once.

    A message has fewer than the 1,024 parts that the system takes (`COUNT_CAP`).
    """
    while left and done >= len(left[0]):
        done -= len(left.pop(0))
    if done:
        left[0] = left[0][done:]


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


def _frame(kind: Kind, body: Body, parts: Arrays) -> bytes:
    listed = [[name, part.dtype.str, list(part.shape)] for name, part in parts.items()]
    text = json.dumps({"body": body, "arrays": listed}, allow_nan=False).encode()
    cap = PROGRESS_CAP if kind == "progress" else ORDER_CAP
    if len(text) > cap or len(parts) > COUNT_CAP:
        raise ProtocolError(f"A message of {len(text)} bytes and {len(parts)} arrays is refused")
    return _LETTERS[kind] + struct.pack(">I", len(text)) + text


def _plain(name: str, array: NDArray[Any]) -> NDArray[Any]:
    if not _NAME.fullmatch(name):
        raise ProtocolError(f"An array may not be called {name[:80]!r}")
    plain = np.ascontiguousarray(array).reshape(np.shape(array))
    if plain.dtype.str not in TYPES or plain.ndim > 8:
        raise ProtocolError(f"An array of type {plain.dtype} does not cross the wall")
    return plain


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number")
    return number


def _envelope(text: NDArray[np.uint8]) -> tuple[Body, list[Declared]]:
    try:
        message = json.loads(text.tobytes(), parse_constant=_refuse, parse_float=_number)
    except (ValueError, RecursionError):
        raise ProtocolError("a message that is not JSON") from None
    if not isinstance(message, dict) or set(message) != {"body", "arrays"}:
        raise ProtocolError("a message that is not made of a body and arrays")
    body, rows = message["body"], message["arrays"]
    if not isinstance(body, dict) or not isinstance(rows, list) or len(rows) > COUNT_CAP:
        raise ProtocolError("a message that is not made of a body and arrays")
    listed = [_declared(row) for row in rows]
    if len({each.name for each in listed}) != len(listed):
        raise ProtocolError("two arrays of one name")
    if sum(each.bytes for each in listed) > ARRAYS_CAP:
        raise ProtocolError("arrays of more than 1 GiB")
    return body, listed


def _declared(row: Any) -> Declared:
    if not (isinstance(row, list) and len(row) == 3):
        raise ProtocolError("an array without name, type and sides")
    name, dtype, sides = row
    good = isinstance(name, str) and _NAME.fullmatch(name) and isinstance(dtype, str)
    good = good and dtype in TYPES and isinstance(sides, list) and len(sides) <= 8
    if not good or not all(type(side) is int and 0 <= side <= ARRAYS_CAP for side in sides):
        raise ProtocolError(f"an array that is announced wrongly, {str(name)[:80]!r}")
    # numpy multiplies sides for an empty array too, and must not overflow
    if math.prod(max(1, side) for side in sides) > ARRAYS_CAP:
        raise ProtocolError(f"an array of more than 1 GiB, {name!r}")
    return Declared(name, dtype, tuple(sides))
