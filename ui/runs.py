"""The visit's runs: kept with all that made them, bounded, to be brought back, pinned, removed."""

from __future__ import annotations

from collections.abc import Iterator

from ui.held import Answer

MOST = 24
"""Runs that are kept."""

BYTES = 192 << 20
"""Bytes that their arrays and photos may take together."""

COMPARED = 6
"""Runs that can be pinned, for they are compared side by side."""


class Runs:
    """Finished runs, the oldest first. Where there are too many, the oldest unpinned one goes."""

    def __init__(self) -> None:
        self._all: list[Answer] = []
        self._pinned: list[int] = []
        self._removed: tuple[int, Answer, bool] | None = None
        self.shown: Answer | None = None
        self.gone = 0
        """Runs that went for want of room, by number or by bytes."""

    def __iter__(self) -> Iterator[Answer]:
        """Go over the runs, the oldest first."""
        return iter(tuple(self._all))

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._all)

    def add(self, run: Answer, *, show: bool = True) -> None:
        """Keep a run, and show it unless another one is to stay."""
        self._all.append(run)
        if show or self.shown is None:
            self.shown = run
        self._removed = None
        self._make_room()

    def find(self, number: int) -> Answer | None:
        """Return the run of that id."""
        return next((run for run in self._all if run.id == number), None)

    def number(self, run: Answer) -> int:
        """Return where a run stands, from 1."""
        return 1 + next(at for at, each in enumerate(self._all) if each.id == run.id)

    def show(self, number: int) -> Answer | None:
        """Bring a run back, and return it."""
        run = self.find(number)
        if run is not None:
            self.shown = run
        return run

    @property
    def pinned(self) -> list[Answer]:
        """The pinned runs, in the order in which they were pinned."""
        found = (self.find(number) for number in self._pinned)
        return [run for run in found if run is not None]

    def is_pinned(self, run: Answer) -> bool:
        """Whether a run is pinned."""
        return run.id in self._pinned

    def pin(self, number: int) -> bool:
        """Pin a run, or unpin it; return False where there are too many."""
        if number in self._pinned:
            self._pinned.remove(number)
            return True
        if self.find(number) is None or len(self._pinned) >= COMPARED:
            return False
        self._pinned.append(number)
        return True

    def remove(self, number: int) -> None:
        """Let a run go; `undo` brings it back."""
        run = self.find(number)
        if run is None:
            return
        at = self._all.index(run)
        self._removed = (at, run, self.is_pinned(run))
        self._drop(run)

    @property
    def removed(self) -> Answer | None:
        """The run that was removed last, while it can be brought back."""
        return self._removed[1] if self._removed else None

    def undo(self) -> None:
        """Bring the run back that was removed last."""
        if self._removed is None:
            return
        at, run, was_pinned = self._removed
        self._removed = None
        self._all.insert(at, run)
        self.shown = run
        if was_pinned and len(self._pinned) < COMPARED:
            self._pinned.append(run.id)

    def _drop(self, run: Answer) -> None:
        at = self._all.index(run)
        self._all.remove(run)
        self._pinned = [number for number in self._pinned if number != run.id]
        if self.shown is run:
            self.shown = self._all[min(at, len(self._all) - 1)] if self._all else None

    def _make_room(self) -> None:
        while len(self._all) > MOST or (len(self._all) > 1 and size(self._all) > BYTES):
            loose = [run for run in self._all[:-1] if not self.is_pinned(run)]
            self._drop((loose or self._all)[0])
            self.gone += 1


def size(runs: list[Answer]) -> int:
    """Return the bytes that runs take; photos and views that several share count once."""
    held: dict[int, int] = {}
    for run in runs:
        explanation, scene = run.explanation, run.scene
        for array in (
            explanation.attribution,
            *explanation.arrays.values(),
            scene.photo.pixels,
            scene.prediction.view,
        ):
            held[id(array)] = array.nbytes
    return sum(held.values())
