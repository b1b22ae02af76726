"""The table of speeds: its page is what was measured, and its sums are right."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.speed import one, page
from benchmarks.speed.row import Case, Row, Size, rows


def busy(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def made(case: Case) -> Row:
    return Row(name="x", what="x", goal="", before="", make=lambda size: case, rounds=3)


def test_the_page_is_what_was_measured() -> None:
    kept = page.read()
    assert page.PAGE.read_text() == page.drawn(page.PAGE.read_text(), kept), (
        "docs/benchmarks.md is stale: python -m benchmarks.speed --draw"
    )
    known = rows()
    assert kept.keys() <= known.keys()
    for name, told in kept.items():
        assert page.words(known[name]) == {key: told[key] for key in page.words(known[name])}


def test_a_ratio_is_over_the_passes_of_the_quickest_floor() -> None:
    case = Case(
        sides={"ours": lambda: busy(0.04), "peer": lambda: busy(0.04)},
        passes=4,
        floors={"slow": (lambda: busy(0.04), 2), "quick": (lambda: busy(0.02), 2)},
        times={"peer": 2.0},
    )
    found = one.timed(made(case), case)
    assert found["ours"]["ratio"] == pytest.approx(1.0, rel=0.25)
    assert found["peer"]["ratio"] == pytest.approx(2.0, rel=0.25)
    assert found["floor"]["slow"] > found["floor"]["quick"]


def test_a_ratio_may_be_over_another_side() -> None:
    case = Case(sides={"ours": lambda: busy(0.01), "plain": lambda: busy(0.02)}, over="plain")
    assert one.timed(made(case), case)["ours"]["ratio"] == pytest.approx(0.5, rel=0.25)


def test_the_first_run_counts_where_a_run_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = {"long": 0, "short": 0}
    seconds = iter([9.0, 1.0, 3.0, 2.0, 4.0, 2.0, 2.0])  # first runs; then in turn

    def work(name: str) -> Callable[[], None]:
        def run() -> None:
            ran[name] += 1

        return run

    def clocked(work: Callable[[], None]) -> float:
        work()
        return next(seconds)

    monkeypatch.setattr(one, "LONG", 5.0)
    monkeypatch.setattr(one, "cpu_seconds", clocked)
    found = one.alternated({"long": work("long"), "short": work("short")}, 3)
    assert ran == {"long": 3, "short": 4}
    assert found == {"long": 4.0, "short": 2.0}  # of 9, 3, 4 and of 2, 2, 2


def test_memory_is_the_peak_of_the_run_alone() -> None:
    def held() -> None:
        np.ones(60 << 17)  # 60 MB, and gone again

    before = np.ones(60 << 17)
    assert 50 < one.added(held) < 90
    assert before[0] == 1


def test_a_short_run_is_no_longer_than_the_goal() -> None:
    assert Size().count(1000) == 200
    assert Size().count(50) == 50
    assert Size(full=True).count(1000) == 1000
