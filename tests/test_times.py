"""The tests' own spreading over processes, and the seconds that they print."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests import times
from tests.conftest import ROOT

SHARED, OWN = times.WHOLE[0], "tests/ui"


def test_a_shared_folder_stays_together_and_any_other_file():
    assert times.group(f"{SHARED}/test_a.py::test_one[a::b]") == SHARED
    assert times.group(f"{SHARED}/test_b.py::test_two") == SHARED
    assert times.group(f"{OWN}/test_a.py::test_one") == f"{OWN}/test_a.py"
    assert times.group("tests/test_a.py::test_one") == "tests/test_a.py"


def test_what_takes_long_is_begun_first_and_then_what_is_many():
    tests = ["tests/ui/test_few.py::test_1"]
    tests += [f"tests/ui/test_many.py::test_{at}" for at in range(3)]
    tests += ["tests/xai_core/test_map.py::test_1", f"{SHARED}/test_page.py::test_1"]
    wanted = [SHARED, "tests/xai_core/test_map.py", "tests/ui/test_many.py", "tests/ui/test_few.py"]
    assert times.sooner(tests) == wanted
    assert times.sooner(tests[::-1]) == wanted


def test_seconds_of_all_phases_are_summed_by_folder():
    def report(test, duration):
        return SimpleNamespace(nodeid=test, duration=duration)

    first, second = "tests/ui/test_a.py::test_a", "tests/ui/test_b.py::test_a"
    given = [report(first, 1), report(first, 2), report(second, 4)]
    given += [report("tests/test_c.py::test_c[a/b]", 9)]
    found = times.by_folder(given)
    assert found == {"tests": (9, 1), "tests/ui": (7, 2)}
    assert list(found) == ["tests", "tests/ui"]


@pytest.mark.parametrize("processes", [(), ("-n", "2")], ids=["one", "two"])
def test_a_run_keeps_groups_whole_and_prints_the_seconds(tmp_path, processes):
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -q -p no:cacheprovider")
    (tmp_path / "conftest.py").write_text(
        "from tests.times import pytest_collection_modifyitems\n"
        "from tests.times import pytest_terminal_summary, pytest_xdist_make_scheduler\n"
    )
    for folder in (SHARED, OWN):
        (tmp_path / folder).mkdir(parents=True)
        for name in "abcd":
            text = "import os, pathlib, pytest\n"
            text += "@pytest.mark.parametrize('at', range(3))\n"
            text += "def test_it(at):\n    with pathlib.Path(__file__).with_suffix('.ran')"
            text += ".open('a') as file:\n        file.write(f'{os.getpid()} ')\n"
            (tmp_path / folder / f"test_{folder[-2:]}_{name}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", *processes, "--rootdir", str(tmp_path)]
    done = subprocess.run(  # noqa: S603 - our own
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ran = {path: path.read_text().split() for path in sorted(tmp_path.rglob("*.ran"))}
    assert [len(by) for by in ran.values()] == [3] * 8
    assert all(len(set(by)) == 1 for by in ran.values())
    together = {by[0] for path, by in ran.items() if SHARED in str(path)}
    assert len(together) == 1
    assert len({by[0] for by in ran.values()}) == (2 if processes else 1)
    printed = done.stdout.partition("seconds by folder")[2].split("\n")
    assert {tuple(line.split()[1:]) for line in printed[1:3]} == {(SHARED, "(12)"), (OWN, "(12)")}
    assert printed[3].split()[1:] == ["in", "all"]
