"""How the tests are spread over processes, and how long they took, folder by folder."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath
from typing import Any

import pytest

WHOLE = ("tests/browser", "tests/hostile")
"""Folders whose tests share a server, or a wall with every framework: one process runs all of
them, so that it is started once. Any other file is run by one process too."""

FIRST = (*WHOLE, "tests/benchmarks", "tests/xai_core", "tests/loaders/keras", "tests/workers")
"""What takes long is begun first, so that no process is left alone with it at the end."""


def group(test: str) -> str:
    """Return what a test, given by its id, may not be parted from."""
    path = test.partition("::")[0]
    return next((folder for folder in WHOLE if path.startswith(f"{folder}/")), path)


def sooner(tests: list[str]) -> list[str]:
    """Return the groups of these tests, in the order in which they should begin."""
    size = Counter(map(group, tests))

    def rank(name: str) -> tuple[int, int]:
        named = [at for at, folder in enumerate(FIRST) if f"{name}/".startswith(f"{folder}/")]
        return min(named, default=len(FIRST)), -size[name]

    return sorted(size, key=rank)


def by_folder(reports: list[Any]) -> dict[str, tuple[float, int]]:
    """Return the seconds and the number of tests of each folder, the slowest first."""
    seconds: Counter[str] = Counter()
    tests: dict[str, set[str]] = {}
    for report in reports:
        folder = str(PurePosixPath(report.nodeid.partition("::")[0]).parent)
        seconds[folder] += report.duration
        tests.setdefault(folder, set()).add(report.nodeid)
    slowest = sorted(seconds, key=seconds.__getitem__, reverse=True)
    return {folder: (seconds[folder], len(tests[folder])) for folder in slowest}


def summary(reporter: Any) -> None:
    """Write the seconds of each folder."""
    reports = [each for several in reporter.stats.values() for each in several]
    timed = by_folder([each for each in reports if hasattr(each, "duration")])
    if not timed:
        return
    total = sum(seconds for seconds, _ in timed.values())
    reporter.section("seconds by folder")
    for folder, (seconds, count) in timed.items():
        reporter.line(f"{seconds:8.1f}  {folder} ({count})")
    reporter.line(f"{total:8.1f}  in all")


# The hooks, which tests/conftest.py takes over ----------------------------------------------------


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Put the tests in the order in which their groups should begin."""
    place = {name: at for at, name in enumerate(sooner([item.nodeid for item in items]))}
    items.sort(key=lambda item: place[group(item.nodeid)])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write the seconds of each folder: fixtures' beginnings and ends are counted."""
    summary(terminalreporter)


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist nobody asks for it
def pytest_xdist_make_scheduler(config: Any, log: Any) -> Any:
    """Return what gives the groups to the processes of pytest-xdist."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    config.option.loadscopereorder = False  # they come in the order of `sooner`
    return Groups(config, log)
