"""Measures the rows, each in a process of its own, and writes docs/benchmarks.md.

Two rows are measured at a time where there are two cores: they go by processor time. Those that do
not follow by themselves.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.speed import page
from benchmarks.speed.row import Row, rows


def child(*words: str) -> dict[str, Any]:
    """Return what `benchmarks.speed.one` printed last. Raises RuntimeError where it failed."""
    run = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-W", "ignore", "-m", "benchmarks.speed.one", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"{' '.join(words)}: {run.stderr.strip()[-600:]}")
    return dict(json.loads(run.stdout.strip().splitlines()[-1]))


def measured(row: Row, full: bool, machine: str) -> tuple[page.Told, float]:
    """Return a row's times, the memory of each side and what it says, and its processor seconds."""
    size = ["--full"] if full else []
    told = child(row.name, *size)
    sides = [side for side in told["times"] if side != "floor"] if row.memory else []
    each = {side: child(row.name, *size, "--memory", side) for side in sides}
    memory = {side: found["memory"] for side, found in each.items()}
    spent = told.pop("spent") + sum(found["spent"] for found in each.values())
    return {
        **page.words(row),
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "machine": machine,
        "full": full,
        **told,
        "memory": memory,
    }, spent


def keep(known: Mapping[str, Row], found: Mapping[str, page.Told]) -> None:
    """Write rows beside those that are kept by now, of which another run may have written some."""
    told = {**page.read(), **found}
    page.write(
        {name: each | page.words(known[name]) for name, each in told.items() if name in known}
    )


def main() -> None:
    """Measure what was asked for, and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="the rows whose name begins so")
    parser.add_argument("--full", action="store_true", help="with the goals' own counts")
    parser.add_argument("--draw", action="store_true", help="only draw the page again")
    asked = parser.parse_args()
    known, machine = rows(), page.machine()
    chosen = [row for name, row in known.items() if name.startswith(asked.only)]
    if not chosen:
        raise SystemExit(f"No row begins with {asked.only}; there are {', '.join(known)}")
    failed = []
    lock = threading.Lock()

    def one(row: Row) -> None:
        start = time.monotonic()
        try:
            found, cpu = measured(row, asked.full, machine)
        except RuntimeError as error:  # the other rows are measured all the same
            failed.append(row.name)
            print(f"{row.name} failed: {error}", flush=True)
            return
        clock = time.monotonic() - start
        took = f"{row.name} ({clock:.0f} s, {cpu:.0f} s of processor time)"
        with lock:
            print(took, *page.lines({"": found})[2:3], flush=True)
            keep(known, {row.name: found})

    if not asked.draw:
        with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
            list(pool.map(one, [row for row in chosen if not row.alone]))
        for row in chosen:
            if row.alone:
                one(row)
    keep(known, {})
    if failed:
        raise SystemExit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
