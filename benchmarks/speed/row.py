"""A row of the table: what is done, by whom, and over what it is counted."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Mapping

Work = Callable[[], object]


@dataclasses.dataclass(frozen=True)
class Size:
    """How large the runs are: `full` with the goals' own counts, else at most 200 passes or so."""

    full: bool = False

    def count(self, goal: int, short: int = 200) -> int:
        """Return how many of the goal's masks, samples or steps are run."""
        return goal if self.full else min(goal, short)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """What a row measures.

    `sides` are the ways to do it, ours first, by name. Their CPU time is divided by `passes` times
    the quickest of `floors`, which are CPU-bound calls by name with the images that each puts
    through the network; by the CPU time of the side that is named `over`; or stays in seconds where
    neither is given. `times` says how often a side's own count of passes is the row's, where it
    differs (a peer that was given fewer). `said` are figures that need no clock, by name.
    """

    sides: Mapping[str, Work] = dataclasses.field(default_factory=dict)
    passes: float = 0.0
    floors: Mapping[str, tuple[Work, int]] = dataclasses.field(default_factory=dict)
    over: str = ""
    times: Mapping[str, float] = dataclasses.field(default_factory=dict)
    said: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """A row: what is done, the goal and what was before, in words, and what makes the case.

    `memory` is off where it says nothing. `rounds` of all sides in turn are run, 3 or more. What
    goes by the clock or by what a neighbour does is measured `alone`.
    """

    name: str
    what: str
    goal: str
    before: str
    make: Callable[[Size], Case]
    memory: bool = True
    rounds: int = 3
    alone: bool = False


ROWS: dict[str, Row] = {}


def row(
    *,
    what: str,
    goal: str = "",
    before: str = "",
    memory: bool = True,
    rounds: int = 3,
    alone: bool = False,
) -> Callable[[Callable[[Size], Case]], Callable[[Size], Case]]:
    """Register what makes a case, under its function's name."""

    def keep(make: Callable[[Size], Case]) -> Callable[[Size], Case]:
        name = make.__name__.replace("_", "-")
        ROWS[name] = Row(
            name=name, what=what, goal=goal, before=before, make=make, memory=memory,
            rounds=rounds, alone=alone,
        )  # fmt: skip
        return make

    return keep


def rows() -> dict[str, Row]:
    """Return all rows by name, in the order of their names."""
    from benchmarks.speed import rows as folder

    for found in pkgutil.iter_modules(folder.__path__):
        importlib.import_module(f"{folder.__name__}.{found.name}")
    return dict(sorted(ROWS.items()))
