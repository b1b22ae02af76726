"""Measures every file and writes docs/formats.json and the tables of docs/formats.md."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.formats import kinds, networks, older, tables
from benchmarks.formats.ask import EXTENSION, WrongAnswer, ask
from benchmarks.formats.case import Case
from workers.client import Wall
from xai_core.discovery import EXTENSIONS


def cases(section: str) -> Iterable[Case]:
    """Return the cases of a section."""
    match section:
        case "kinds":
            return [*kinds.cases(), *older.cases()]
        case "torchvision":
            return networks.torchvision_cases()
    return networks.application_cases()


def measure(section: str, wall: Wall, *, missing: bool) -> int:
    """Measure a section, each row written when it is there; return how many answers were wrong."""
    wrong, start = 0, time.monotonic()
    known = [case.key for case in cases(section)]
    tables.keep(lambda key: key.section != section or (missing and key in known))
    done = tables.read()[0]
    for case in cases(section):
        if case.key in done:
            continue
        try:
            row = ask(case, wall)
            tables.add(case.key, row)
            said = row.why or "yes"
        except WrongAnswer as error:
            wrong, said = wrong + 1, f"WRONG: {error}"
        print(f"{time.monotonic() - start:5.0f} s", *case.key, said, flush=True)
    return wrong


def main() -> int:
    """Measure the sections that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", help=", ".join(tables.SECTIONS))
    parser.add_argument("--missing", action="store_true", help="only files that have no row yet")
    told = parser.parse_args()
    wrong = 0
    os.environ[EXTENSIONS] = EXTENSION
    for section in told.sections or tables.SECTIONS:
        wall = Wall()
        wrong += measure(section, wall, missing=told.missing)
        wall.close()
        if section == "torchvision":
            tables.write(tables.read()[0], networks.recognised())
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
