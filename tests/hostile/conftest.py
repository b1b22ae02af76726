"""One wall for all files that are hostile or damaged."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.attack import SECRET
from workers.client import Wall
from workers.sandbox import available, floor

SOAK = bool(os.environ.get("VITRINE_SOAK"))
"""Whether every file is sent, or a seeded part of them (`make soak` and `make test`)."""


class Listener:
    """A local server that counts who comes."""

    def __init__(self) -> None:
        self.visits = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            while True:
                self._socket.accept()[0].close()
                self.visits += 1
        except OSError:
            pass

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="session")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wall]:
    if not floor(available()):
        pytest.skip("this system has no sandbox")
    made = Wall(cores=2, spool=tmp_path_factory.mktemp("wall"), time_limit=30.0)
    for kind in ("plain", "torch", "keras"):
        made.warm(kind)
    for kind in ("plain", "torch", "keras"):
        made.mother(kind).wait_ready(lambda: False)
    yield made
    made.close()


@pytest.fixture(scope="session")
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


@pytest.fixture(scope="session")
def secret(wall: Wall) -> Path:
    return wall.session("somebody else").add_file("secret.txt", SECRET.encode())
