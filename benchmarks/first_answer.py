"""What the page itself spends on its first view and on an answer, in CPU time: two checkouts.

    git worktree add ../before COMMIT
    python -m benchmarks.first_answer ../before

Measured is the server's process, from the built-in model and photo to its first view, and from the
press of Run to the answer drawn: the runs of the page's script, without the waiting between them
and without the workers, whose work is in `docs/benchmarks.md`. Each measurement is a process of its
own with one thread, the two checkouts by turns.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
ROUNDS = 7
WHAT = ("first view", "answer")

_CODE = """
import importlib, json, sys, time, warnings
warnings.simplefilter("ignore")
from streamlit.testing.v1 import AppTest
import app  # what a server has imported before its first visitor
spent = 0.0

def timed(run):
    global spent
    start = time.process_time()
    run()
    spent += time.process_time() - start

def run_of(page):
    return next((each for each in page.button if each.label.startswith("Run")), None)

page = AppTest.from_file("app.py", default_timeout=600)
timed(page.run)
desk = page.session_state["desk"]
while desk.prediction is None:
    desk.step()
    time.sleep(0.05)
timed(page.run)
while run_of(page) is None or desk.pending:  # what is measured while nobody waits
    desk.step()
    time.sleep(0.05)
    page.run()
first, spent = spent, 0.0
timed(run_of(page).click().run)
while desk.answer is None:
    desk.step()
    time.sleep(0.05)
timed(page.run)
assert not page.exception, page.exception[0].message
print(json.dumps([first, spent]))
desk.close()
from ui import state
state.close() if hasattr(state, "close") else None
"""


def measured(checkout: Path) -> tuple[float, float]:
    """Return the CPU seconds of the first view and of an answer, in a process of its own."""
    done = subprocess.run(  # noqa: S603 - our own code, in our own interpreter
        [sys.executable, "-c", _CODE],
        cwd=checkout,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=True,
    )
    first, answer = json.loads(done.stdout.splitlines()[-1])
    return first, answer


def main() -> None:
    """Print medians, and the ratio to the other checkout."""
    other = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
    mine: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        mine.append(measured(HERE))
        if other is not None:
            theirs.append(measured(other))
    for index, what in enumerate(WHAT):
        line = f"{what:10} {statistics.median(row[index] for row in mine):6.2f} s"
        if theirs:
            # run by run: what else the machine did was much the same for both
            ratios = [a[index] / b[index] for a, b in zip(mine, theirs, strict=True)]
            line += f", {statistics.median(ratios):.2f} of the other's"
        print(line, flush=True)


if __name__ == "__main__":
    main()
