"""What a worker tries right after it was shut in, so that what is claimed of it has been tried."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path


def can_list(folder: Path) -> bool:
    """Whether a folder can be looked into."""
    try:
        next(folder.iterdir(), None)
    except OSError:
        return False
    return True


def can_open_socket() -> bool:
    """Whether there is any way to a socket."""
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM):
            return True
    return False


def can_fork() -> bool:
    """Whether another process can be made."""
    try:
        pid = os.fork()
    except OSError:
        return False
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return True
