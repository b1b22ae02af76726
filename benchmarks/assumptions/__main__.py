"""Judges every file and draws the table of docs/assumptions.md."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.assumptions.case import CASES, OUTCOMES, judged
from benchmarks.assumptions.table import add, draw, forget


def measure(framework: str) -> int:
    """Judge the files of one framework; return how many were wrong and silent."""
    __import__(f"benchmarks.assumptions.{framework}_cases")
    counted: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(CASES[framework]):
            outcome, why = judged(case, Path(folder) / str(number))
            counted[outcome] += 1
            add(framework, case, outcome)
            print(f"{outcome:7} {framework} {case.name} {why[:200]}", flush=True)
    print(framework, ", ".join(f"{name} {counted[name]}" for name in OUTCOMES), flush=True)
    return counted["silent"]


def main() -> int:
    """Measure each framework in a process of its own: they do not share one."""
    if len(sys.argv) > 1:
        return min(measure(sys.argv[1]), 1)
    forget()
    words = [sys.executable, "-W", "ignore", "-m", "benchmarks.assumptions"]
    failed = [
        framework
        for framework in CASES
        if subprocess.run([*words, framework], check=False).returncode  # noqa: S603 - our own
    ]
    draw()
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
