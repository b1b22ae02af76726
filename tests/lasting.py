"""One wall a process of tests, lent to those that do not harm it: its mothers import once."""

from __future__ import annotations

import os
from itertools import count
from typing import Any

from workers.client import Session, Wall
from workers.fetch import Cache
from xai_core.discovery import EXTENSIONS

_walls: dict[str, Wall] = {}
"""By the extensions that its mothers know."""
_turn = count()


class Lent:
    """A wall of the default settings; closing it closes its sessions, and its mothers stay."""

    def __init__(self, **_: Any) -> None:
        known = os.environ.get(EXTENSIONS, "")
        if known not in _walls:
            _walls[known] = Wall(cores=2)
        self._wall = _walls[known]
        self._wall.cache = Cache()  # where the environment says now
        self._sessions: dict[str, Session] = {}

    def session(self, key: str) -> Session:
        """Return a session that no other borrower has."""
        if key not in self._sessions:
            self._sessions[key] = self._wall.session(f"{key} {next(_turn)}")
        return self._sessions[key]

    def close(self) -> None:
        """End the models and remove the files of this borrower."""
        for session in self._sessions.values():
            session.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wall, name)


def close() -> None:
    """End the mothers."""
    while _walls:
        _walls.popitem()[1].close()
