"""One row, or the memory of one of its sides, in this process: prints a line of JSON.

`python -m benchmarks.speed.one ROW [--full] [--memory SIDE]`.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
os.environ |= {"TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}

import argparse
import ctypes
import json
import statistics
import time
from pathlib import Path

from benchmarks.speed.row import Case, Row, Size, Work, rows

Measured = dict[str, dict[str, float]]
LONG = 10.0
"""CPU seconds of a run whose first time is counted, too, so that all rows end within the hour."""


def cpu_seconds(work: Work) -> float:
    """Return the CPU time that `work` takes, in all threads of this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


def alternated(works: dict[str, Work], rounds: int) -> dict[str, float]:
    """Return the median CPU seconds of each, run in turn.

    One run before that is not counted; of what takes longer than `LONG` it is, as one of the
    rounds: the median leaves out the one that prepared something.
    """
    taken: dict[str, list[float]] = {}
    for name, work in works.items():
        first = cpu_seconds(work)
        taken[name] = [first] if first > LONG else []
    for _ in range(rounds):
        for name, work in works.items():
            if len(taken[name]) < rounds:
                taken[name].append(cpu_seconds(work))
    return {name: statistics.median(each) for name, each in taken.items()}


def timed(row: Row, case: Case) -> Measured:
    """Return each side's CPU seconds and, where it is over something, its ratio."""
    floors = {f"floor: {name}": work for name, (work, _) in case.floors.items()}
    taken = alternated({**floors, **case.sides}, row.rounds)
    each = {name: taken[f"floor: {name}"] / images for name, (_, images) in case.floors.items()}
    found: Measured = {}
    if each:
        found["floor"] = {name: 1000 * seconds for name, seconds in each.items()}  # ms an image
    for name in case.sides:
        seconds = taken[name] * case.times.get(name, 1.0)
        found[name] = {"seconds": seconds}
        if each:
            found[name]["ratio"] = seconds / (case.passes * min(each.values()))
        elif case.over:
            found[name]["ratio"] = seconds / taken[case.over]
    return found


def added(work: Work) -> float:
    """Return the most memory, in MB, that a run held above what was held before it."""
    ctypes.CDLL(None).malloc_trim(0)  # what was freed before would else be used again, unseen
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = _status("VmRSS")
    work()
    return _status("VmHWM") - before


def _status(name: str) -> float:
    rows = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in rows if line.startswith(f"{name}:"))


def main() -> None:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("row")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--memory", default="")
    told = parser.parse_args()
    row = rows()[told.row]
    import torch  # before TensorFlow, which would abort the process

    torch.set_num_threads(1)
    torch.manual_seed(0)
    case = row.make(Size(told.full))
    if told.memory:
        for work, _ in case.floors.values():
            work()  # what the libraries take at their first run is theirs
        found: dict[str, object] = {"memory": added(case.sides[told.memory])}
    else:
        found = {"times": timed(row, case), "said": dict(case.said)}
    print(json.dumps({**found, "spent": time.process_time()}))


if __name__ == "__main__":
    main()
