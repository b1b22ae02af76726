"""Work under way: one job a slot, what it is for, and what becomes of it when it ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workers.client import Job, Snapshot


@dataclasses.dataclass(frozen=True)
class Work:
    """One job under way.

    `what` it is for is shown while it runs. At its end `done` is given the result, or `failed` the
    last snapshot, which has the error and says whether it was cancelled. `give_way`, where there is
    one, ends work that nobody waits for as soon as another slot is given some.
    """

    what: Any
    job: Job
    done: Callable[[Any], None]
    failed: Callable[[Snapshot], None]
    give_way: Callable[[], None] | None = None


class Slots:
    """The work under way, by the name of its slot. Slots know nothing of each other.

    Whoever adds a kind of work names a slot for it; nothing else is touched.
    """

    def __init__(self) -> None:
        self._work: dict[str, Work] = {}

    def put(self, slot: str, work: Work) -> None:
        """Begin work in a slot, in the place of what was there; what nobody waits for ends."""
        for name, other in list(self._work.items()):
            if name != slot and other.give_way is not None:
                del self._work[name]
                other.give_way()
        self._work[slot] = work

    def take(self, slot: str) -> Work | None:
        """Empty a slot, and return what was there; its job goes on."""
        return self._work.pop(slot, None)

    def cancel(self, slot: str) -> bool:
        """Empty a slot and end its job; return whether there was one."""
        work = self.take(slot)
        if work is not None:
            work.job.cancel()
        return work is not None

    def work(self, slot: str) -> Work | None:
        """Return what is under way in a slot."""
        return self._work.get(slot)

    def names(self) -> tuple[str, ...]:
        """Return the slots in which something is under way."""
        return tuple(self._work)

    def what(self, slot: str) -> Any:
        """Return what the work in a slot is for, or None."""
        work = self._work.get(slot)
        return None if work is None else work.what

    def __bool__(self) -> bool:
        """Whether anything is under way."""
        return bool(self._work)

    def step(self) -> bool:
        """Move on what has ended; return whether anything has. Never waits."""
        moved = False
        for slot, work in list(self._work.items()):
            found = work.job.snapshot()
            if found.state in ("queued", "running") or self._work.get(slot) is not work:
                continue
            del self._work[slot]  # first, so that its end may begin the next one
            if found.state == "done":
                work.done(work.job.result(timeout=5))
            else:
                work.failed(found)
            moved = True
        return moved
