"""The page of what was measured: docs/benchmarks.md, out of docs/benchmarks.json."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

from benchmarks.speed.row import Row

DOCS = Path(__file__).resolve().parents[2] / "docs"
DATA, PAGE = DOCS / "benchmarks.json", DOCS / "benchmarks.md"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"

Told = dict[str, Any]
"""Of a row: `date`, `machine`, `full`, `times`, `memory`, `said`, and the row's own words."""


def machine() -> str:
    """Describe this machine: its processor, its cores, its memory, and the libraries' versions."""
    from importlib.metadata import PackageNotFoundError, version

    cpu = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    flags = Path("/proc/cpuinfo").read_text()
    wide = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "no AVX2"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    names = []
    for name in ("torch", "tensorflow-cpu", "keras", "onnxruntime", "openvino", "xplique"):
        try:
            names.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    cores = os.cpu_count()
    return f"{cpu} ({wide}), {cores} cores, {memory:.0f} GB; " + ", ".join(names)


def read() -> dict[str, Told]:
    """Return what was measured last, by the row's name."""
    return dict(json.loads(DATA.read_text())) if DATA.exists() else {}


def write(rows: dict[str, Told]) -> None:
    """Keep what was measured, a line each, and draw the page."""
    rows = dict(sorted(rows.items()))
    lines = ",\n ".join(f"{json.dumps(name)}: {json.dumps(told)}" for name, told in rows.items())
    DATA.write_text(f"{{\n {lines}\n}}\n")
    PAGE.write_text(drawn(PAGE.read_text(), rows))


def words(row: Row) -> Told:
    """Return a row's own words."""
    return {"what": row.what, "goal": row.goal, "before": row.before}


def drawn(page: str, rows: dict[str, Told]) -> str:
    """Return the page with the table in its place."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + "\n".join(lines(rows)) + "\n" + END + rest.partition(END)[2]


def lines(rows: dict[str, Told]) -> list[str]:
    """Return a table of all rows, and below it on what each was counted and where."""
    made = [
        "| what | goal | before | ours | the peers |",
        "| --- | --- | --- | --- | --- |",
    ]
    notes: dict[str, list[str]] = {}
    for name, told in rows.items():
        sides = [each for each in told["times"] if each != "floor"]
        cells = [_cell(each, told) for each in sides]
        ours = "; ".join([*cells[:1], *(f"{k} {v}" for k, v in told.get("said", {}).items())])
        peers = "; ".join(f"{side} {cell}" for side, cell in zip(sides[1:], cells[1:], strict=True))
        made.append(
            f"| {told['what']} | {told['goal']} | {told['before']} | {ours or '-'} "
            f"| {peers or '-'} |"
        )
        if floors := told["times"].get("floor"):
            said = ", ".join(f"{each} {ms:.1f}" for each, ms in sorted(floors.items()))
            notes.setdefault("floors", []).append(f"- {name}: {said}.")
        size = "the goals' own counts" if told["full"] else "at most 200 passes or so"
        where = f"Measured {told['date']} with {size} on {told['machine']}"
        notes.setdefault(where, []).append(name)
    floors = notes.pop("floors", [])
    made += ["", "CPU milliseconds for an image, by each backend, in the run of each row:", ""]
    made += floors
    for where, names in notes.items():
        made += ["", f"{where}: {', '.join(names)}."]
    return made


def _cell(side: str, told: Told) -> str:
    found = told["times"][side]
    text = f"{found['ratio']:.2f}" if "ratio" in found else f"{found['seconds']:.2f} s"
    memory = told.get("memory", {}).get(side)
    return f"{text}, {memory:.0f} MB" if memory is not None else text
