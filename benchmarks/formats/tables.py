"""What was measured, kept in docs/formats.json, and the tables of docs/formats.md drawn from it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path

from benchmarks.formats.ask import Answer
from benchmarks.formats.case import Key

DOCS = Path(__file__).resolve().parents[2] / "docs"
DATA, PAGE = DOCS / "formats.json", DOCS / "formats.md"
SECTIONS = ("kinds", "torchvision", "applications")

Rows = dict[Key, Answer]
Recognised = dict[str, list[str]]
"""torchvision's families, and the classifiers of each that their tensors tell."""


def read() -> tuple[Rows, Recognised]:
    """Return what was measured last; nothing where nothing was."""
    if not DATA.exists():
        return {}, {}
    data = json.loads(DATA.read_text())
    rows = {Key(*row.pop("key")): Answer(**row) for row in data["rows"]}
    return rows, data["recognised"]


def write(rows: Rows, recognised: Recognised) -> None:
    """Keep what was measured, and draw the page's tables from it."""
    order = sorted(rows, key=lambda key: SECTIONS.index(key.section))
    kept = [{"key": list(key)} | dataclasses.asdict(rows[key]) for key in order]
    lines = ",\n  ".join(json.dumps(row) for row in kept)
    told = json.dumps(recognised)
    DATA.write_text('{"recognised": ' + told + ',\n "rows": [\n  ' + lines + "\n ]}\n")
    PAGE.write_text(drawn(PAGE.read_text(), *read()))


def keep(wanted: Callable[[Key], bool]) -> None:
    """Drop the rows that are not wanted."""
    rows, recognised = read()
    write({key: row for key, row in rows.items() if wanted(key)}, recognised)


def add(key: Key, row: Answer) -> None:
    """Keep one more row."""
    rows, recognised = read()
    write(rows | {key: row}, recognised)


def drawn(page: str, rows: Rows, recognised: Recognised) -> str:
    """Return the page with every table in its place."""
    reasons: dict[str, int] = {}
    made = {
        "kinds": _kinds(rows, reasons),
        "torchvision": _torchvision(rows, recognised, reasons),
        "applications": _applications(rows, reasons),
    }
    made["refusals"] = [f"{number}. {why}" for why, number in reasons.items()]
    for name, lines in made.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
        before, _, rest = page.partition(begin)
        page = before + begin + "\n".join(lines) + "\n" + end + rest.partition(end)[2]
    return page


def _of(rows: Rows, section: str) -> Iterator[tuple[Key, Answer]]:
    return ((key, row) for key, row in rows.items() if key.section == section)


def _table(*header: str, lines: Iterable[Iterable[str]]) -> list[str]:
    rule = ["---"] * len(header)
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *lines)]


def _refused(row: Answer, reasons: dict[str, int]) -> str:
    return f"refused ({reasons.setdefault(row.why, len(reasons) + 1)})"


def _cells(row: Answer, reasons: dict[str, int]) -> tuple[str, str, str]:
    if row.why:
        return _refused(row, reasons), "", ""
    layers = ("yes" if row.gradients else "maps") if row.layers else "no"
    return "yes", "yes" if row.gradients else "no", layers


def _kinds(rows: Rows, reasons: dict[str, int]) -> list[str]:
    """One line for all versions whose files give the same."""
    lines: dict[tuple[str, ...], list[str]] = {}
    found = list(_of(rows, "kinds"))
    order = {(key.kind, key.holds): place for place, (key, _) in reversed([*enumerate(found)])}
    found.sort(key=lambda pair: (pair[0].kind.lower(), order[pair[0].kind, pair[0].holds]))
    for key, row in found:
        given = _cells(row, reasons)
        lines.setdefault((key.kind, key.holds, *given), []).append(key.writer)
    return _table(
        "kind",
        "holds",
        "written by",
        "predicts",
        "gradients",
        "layers",
        lines=(
            (kind, holds, versions(writers), *given)
            for (kind, holds, *given), writers in lines.items()
        ),
    )


def versions(writers: Iterable[str]) -> str:
    """Join `torch 1.4.0` and `torch 2.0.1` to `torch 1.4.0, 2.0.1`."""
    parts = sorted((name.rpartition(" ") for name in set(writers)), key=_by_version)
    return "; ".join(
        f"{library} {', '.join(version for _, _, version in group)}"
        for library, group in groupby(parts, key=lambda part: part[0])
    )


def _by_version(part: tuple[str, str, str]) -> tuple[str, list[int]]:
    return part[0].lower(), [int(number) for number in part[2].split(".")]


def _torchvision(rows: Rows, recognised: Recognised, reasons: dict[str, int]) -> list[str]:
    """One line for each family."""
    given: dict[tuple[str, str], Answer] = {
        (key.kind, key.holds): row for key, row in _of(rows, "torchvision")
    }

    def asked(kind: str, names: Iterable[str]) -> str:
        found = [(name, given[kind, name]) for name in names if (kind, name) in given]
        return ", ".join(name + _except(row, reasons) for name, row in found)

    return _table(
        "family",
        "recognised",
        "weights, loaded and asked",
        "whole modules, loaded and asked",
        lines=(
            (
                family,
                f"all {len(names)}",
                asked("state dict", names),
                asked("whole module", names),
            )
            for family, names in sorted(recognised.items())
        ),
    )


def _except(row: Answer, reasons: dict[str, int]) -> str:
    """Say what a classifier lacks; nothing where it gives all."""
    if row.why:
        return ": " + _refused(row, reasons)
    lacks = [
        name for name, has in (("gradients", row.gradients), ("layers", row.layers)) if not has
    ]
    return f" (no {' and '.join(lacks)})" * bool(lacks)


def _applications(rows: Rows, reasons: dict[str, int]) -> list[str]:
    """One line for each network, one column for each library and format."""
    found: dict[str, dict[str, str]] = {}
    for key, row in _of(rows, "applications"):
        said = _except(row, reasons).lstrip(": ") or "yes"
        if not row.why and row.engine == "tf_keras" and key.writer.startswith("Keras"):
            said += ", by tf_keras"
        found.setdefault(key.holds, {})[f"{key.writer} {key.kind}"] = said
    columns = list(dict.fromkeys(column for cells in found.values() for column in cells))
    return _table(
        "network",
        *columns,
        lines=(
            (name, *(cells.get(column, "") for column in columns)) for name, cells in found.items()
        ),
    )
