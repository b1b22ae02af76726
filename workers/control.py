"""The wire between the client and a mother: lines of JSON, with descriptors handed over.

Beside it lies a board, on which the client notes who works. Both ends are ours; no worker ever
holds one.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import struct
import tempfile
import threading
import weakref
from typing import Any


class Control:
    """One end. Any thread may send; one thread receives."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._lock = threading.Lock()
        self._text = b""
        self._fds: list[int] = []

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._socket.fileno()

    def send(self, message: dict[str, Any], fd: int | None = None) -> None:
        """Send one message, and with it a descriptor. Raises OSError when nobody is there."""
        line = json.dumps(message | {"fds": 0 if fd is None else 1}).encode() + b"\n"
        with self._lock:
            if fd is None:
                self._socket.sendall(line)
                return
            sent = socket.send_fds(self._socket, [line], [fd])
            self._socket.sendall(line[sent:])

    def receive(self) -> list[tuple[dict[str, Any], list[int]]]:
        """Wait for messages and return them, each with its descriptors. Raises EOFError."""
        text, fds, _, _ = socket.recv_fds(self._socket, 1 << 16, 16)
        self._fds += fds
        if not text:
            raise EOFError
        *lines, self._text = (self._text + text).split(b"\n")
        messages = []
        for line in lines:
            message = json.loads(line)
            count = message.pop("fds")
            taken, self._fds = self._fds[:count], self._fds[count:]
            messages.append((message, taken))
        return messages

    def close(self) -> None:
        """Close this end, and every descriptor that nobody took."""
        for fd in self._fds:
            os.close(fd)
        self._fds = []
        self._socket.close()


class Board:
    """What the client notes of each worker, and its mother reads when she looks at it.

    Nobody is woken for a note: a quick order would pay more for two messages than for itself. A
    note is a number that grows, odd while the worker has an order, and 0 before the first.
    """

    _ROW = struct.Struct("<Q")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._count = itertools.count(1)
        weakref.finalize(self, os.close, fd)

    @classmethod
    def new(cls) -> Board:
        """Make an empty one, in memory where the system has such files."""
        if hasattr(os, "memfd_create"):
            return cls(os.memfd_create("vitrine-board"))
        with tempfile.TemporaryFile() as file:
            return cls(os.dup(file.fileno()))

    def note(self, number: int, works: bool) -> None:
        """Note that a worker has an order, or none any more."""
        note = self._ROW.pack(2 * next(self._count) + works)
        os.pwrite(self.fd, note, number * self._ROW.size)

    def read(self, number: int) -> int:
        """Return the last note of a worker."""
        note = os.pread(self.fd, self._ROW.size, number * self._ROW.size)
        return int(self._ROW.unpack(note)[0]) if len(note) == self._ROW.size else 0
