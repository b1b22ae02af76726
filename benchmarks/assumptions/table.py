"""What was judged, kept in docs/assumptions.json, and the table of docs/assumptions.md."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.assumptions.case import OUTCOMES, Case, Outcome

DOCS = Path(__file__).resolve().parents[2] / "docs"
DATA, PAGE = DOCS / "assumptions.json", DOCS / "assumptions.md"
_TITLES = {
    "activation": "what stands between a rebuilt head's layers",
    "channels": "grey or colours",
    "head": "what the outputs are",
    "labels": "the class names",
    "layout": "how inner maps lie",
    "mode": "that it is not in training mode",
    "output": "which output holds the scores",
    "preprocessing": "how photos are prepared",
    "size": "the size of the photos",
    "weights": "which tensors are the network's",
}
Rows = list[dict[str, Any]]


def read() -> Rows:
    """Return what was judged last, a row a file."""
    rows: Rows = json.loads(DATA.read_text()) if DATA.exists() else []
    return rows


def forget() -> None:
    """Begin anew."""
    _write([])


def add(framework: str, case: Case, outcome: Outcome) -> None:
    """Keep a file's outcome."""
    row = {"framework": framework, "about": case.about[0], "name": case.name, "outcome": outcome}
    kept = [old for old in read() if (old["framework"], old["name"]) != (framework, case.name)]
    _write([*kept, row])


def _write(rows: Rows) -> None:
    DATA.write_text("[\n " + ",\n ".join(json.dumps(row) for row in rows) + "\n]\n")


def lines(rows: Rows) -> list[str]:
    """Return the table, a line for each thing that is assumed."""
    counted = Counter((row["about"], row["outcome"]) for row in rows)
    made = [
        "| assumed | files | right | wrong and warned | refused | wrong and silent |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for about, title in _TITLES.items():
        figures = [counted[about, outcome] for outcome in OUTCOMES]
        if sum(figures):
            made.append(f"| {title} | {sum(figures)} | {' | '.join(map(str, figures))} |")
    totals = [sum(row["outcome"] == outcome for row in rows) for outcome in OUTCOMES]
    made.append(f"| all | {len(rows)} | {' | '.join(map(str, totals))} |")
    return made


def drawn(page: str, rows: Rows) -> str:
    """Return the page with the table in its place."""
    begin, end = "<!-- table: begin -->\n", "<!-- table: end -->\n"
    before, _, rest = page.partition(begin)
    return before + begin + "\n".join(lines(rows)) + "\n" + end + rest.partition(end)[2]


def draw() -> None:
    """Draw the table into the page."""
    PAGE.write_text(drawn(PAGE.read_text(), read()))
