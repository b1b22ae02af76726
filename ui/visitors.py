"""Everyone who is here: a desk for each browser, shared by its tabs, released after the last."""

from __future__ import annotations

import dataclasses
import functools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ui.desk import Desk
from workers.incoming import Incoming

if TYPE_CHECKING:
    from workers.client import Wall

GRACE = 150.0
"""Seconds that a visitor's models outlive the last connection: F5, a tunnel, a closed lid."""

TICK = 5.0
"""Seconds between two looks at who is still here."""

_log = logging.getLogger("vitrine")


@dataclasses.dataclass
class Visitor:
    """One browser: its desk, and the tabs that were seen on it."""

    key: str
    desk: Desk
    seen: float
    tabs: set[str] = dataclasses.field(default_factory=set)
    others: dict[type[Desk], Desk] = dataclasses.field(default_factory=dict)

    def bench(self, kind: type[Desk]) -> Desk:
        """Return the desk of a kind: the visitor's first, or one beside it."""
        if kind is type(self.desk):
            return self.desk
        if kind not in self.others:
            self.others[kind] = kind(self.desk.session)
        return self.others[kind]

    def leave(self) -> None:
        """Let all go that the visitor holds."""
        for desk in (*self.others.values(), self.desk):
            desk.close()


class Visitors:
    """One for the process. `here` says whether a tab is connected; `clock` counts seconds.

    `besides` is called at each sweep, for what else goes with its tab.
    """

    def __init__(
        self,
        wall: Wall,
        *,
        here: Callable[[str], bool],
        incoming: Incoming | None = None,
        clock: Callable[[], float] = time.monotonic,
        besides: Sequence[Callable[[], None]] = (),
    ) -> None:
        self.wall, self.incoming = wall, incoming or Incoming()
        self._here, self._clock, self._besides = here, clock, besides
        self._visitors: dict[str, Visitor] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def enter(self, key: str, tab: str) -> Visitor:
        """Note that a tab is here, and return its browser's visitor."""
        with self._lock:
            visitor = self._visitors.get(key)
            if visitor is None:
                visitor = Visitor(key, Desk(self.wall.session(key)), self._clock())
                self._visitors[key] = visitor
            visitor.tabs.add(tab)
            visitor.seen = self._clock()
            return visitor

    def find(self, key: str) -> Visitor | None:
        """Return a visitor whose page is open, or was a moment ago, and note the sign of life."""
        with self._lock:
            visitor = self._visitors.get(key)
            if visitor is not None:
                visitor.seen = self._clock()
            return visitor

    def sweep(self) -> None:
        """Release whoever has had no connection for `GRACE`, and uploads nobody goes on with."""
        gone = []
        with self._lock:
            now = self._clock()
            for visitor in list(self._visitors.values()):
                visitor.tabs = {tab for tab in visitor.tabs if self._connected(tab)}
                if visitor.tabs:
                    visitor.seen = now
                elif now - visitor.seen > GRACE:
                    gone.append(self._visitors.pop(visitor.key))
        # what one visitor left must keep nobody else's from being released
        for visitor in gone:
            _surely(functools.partial(self.incoming.forget, visitor.key))
            _surely(visitor.leave)
        for act in (self.incoming.sweep, *self._besides):
            _surely(act)

    def watch(self) -> None:
        """Sweep from now on, in the background."""
        threading.Thread(target=self._watch, name="visitors", daemon=True).start()

    def _watch(self) -> None:
        while not self._stop.wait(TICK):
            _surely(self.sweep)

    def close(self) -> None:
        """Stop sweeping."""
        self._stop.set()

    def _connected(self, tab: str) -> bool:
        try:
            return self._here(tab)
        except Exception:
            _log.exception("nobody could say whether a tab is connected, so it counts as one")
            return True


def _surely(act: Callable[[], None]) -> None:
    """Do a part of the sweep; whatever it raises, the rest is done."""
    try:
        act()
    except Exception:
        _log.exception("a part of the sweep failed, and the rest goes on")
