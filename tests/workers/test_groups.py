"""A worker's group: made, joined, filled and removed; really, where this machine lets us."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.workers.conftest import EXTENSION
from workers import groups, watch
from workers.kinds import KINDS
from xai_core.discovery import EXTENSIONS

MB = 1 << 20


@pytest.fixture
def base(tmp_path):
    """A folder that looks like a group that was given, with this process in it."""
    made = tmp_path / "service"
    made.mkdir()
    for name, text in {
        "cgroup.controllers": "cpu io memory pids\n", "cgroup.subtree_control": "",
        "cgroup.type": "domain\n", "cgroup.procs": f"{os.getpid()}\n",
    }.items():  # fmt: skip
        (made / name).write_text(text)
    return made


@pytest.fixture
def own(monkeypatch, base):
    """Make it this process's own; the kernel's answer to what is written is not made up."""
    honest = Path.write_text

    def told(path, text):
        if path.name == "cgroup.subtree_control":
            return honest(path, f"{path.read_text()} {text[1:]}")
        return honest(path, text)

    monkeypatch.setattr(Path, "write_text", told)
    monkeypatch.setattr(groups, "_own", lambda: base)
    monkeypatch.setattr(groups, "_marked", lambda place, who: who == "user" and place == base)
    groups.divided.cache_clear()
    yield base
    groups.divided.cache_clear()


def test_the_server_moves_aside_in_a_group_that_was_given(own):
    assert groups.divided() == own
    assert (own / groups.SERVER / "cgroup.procs").read_text() == "0"
    assert set((own / "cgroup.subtree_control").read_text().split()) == {"memory", "pids", "cpu"}


def test_from_where_it_moved_to_it_finds_the_same(own, monkeypatch):
    monkeypatch.setattr(groups, "_own", lambda: own / groups.SERVER)
    (own / "cgroup.procs").write_text("")
    assert groups.divided() == own


@pytest.mark.parametrize("what", ["not given", "no memory", "others in it", "none", "read only"])
def test_in_any_other_group_nothing_is_touched(own, monkeypatch, what):
    if what == "not given":
        monkeypatch.setattr(groups, "_marked", lambda place, who: False)
        monkeypatch.setattr(groups.os, "geteuid", lambda: 0)
    if what == "no memory":
        (own / "cgroup.controllers").write_text("cpu io pids")
    if what == "others in it":
        (own / "cgroup.procs").write_text(f"{os.getpid()}\n1\n")
    if what == "none":
        monkeypatch.setattr(groups, "_own", lambda: None)
    if what == "read only":
        monkeypatch.setattr(groups.os, "access", lambda *_: False)
    before = {path: path.read_bytes() for path in own.iterdir()}
    assert groups.divided() is None
    assert {path: path.read_bytes() for path in own.iterdir()} == before


def test_a_worker_s_group_says_its_bounds_and_who_was_ended(base):
    made = groups.make(base, 77, 5, memory=MB, threads=9)
    said = {path.name: path.read_text() for path in made.folder.iterdir()}
    assert said == {
        "memory.max": str(MB + groups.BEYOND), "memory.oom.group": "1",
        "memory.swap.max": "0", "pids.max": "9",
    }  # fmt: skip
    assert made.join()
    assert (made.folder / "cgroup.procs").read_text() == "0"
    assert not made.full()
    (made.folder / "memory.events").write_text("low 0\nmax 3\noom 1\noom_kill 0\n")
    assert not made.full()
    (made.folder / "memory.events").write_text("low 0\nmax 3\noom 1\noom_kill 1\n")
    assert made.full()
    child = watch.Child(os.getpid(), MB, base, group=made)
    child.buried()
    assert child.reason == "memory"
    assert groups.make(base, 77, 5, memory=MB, threads=9) is None  # it is there
    for path in list(made.folder.iterdir()):  # the kernel's own go with the group
        path.unlink()
    assert made.remove()
    assert made.remove()  # gone
    assert not made.join()


def test_what_a_dead_server_left_is_swept(base):
    dead, live = base / f"{groups.MARK}{2**22 + 9}-1-1", base / f"{groups.MARK}{os.getpid()}-1-1"
    for each in (dead, live):
        each.mkdir()
    groups._sweep(base)
    assert (dead.exists(), live.exists()) == (False, True)


# The share of the processors


def test_a_worker_stands_behind_while_it_opens_or_takes_long(monkeypatch, tmp_path):
    told, now = [], [1.0]
    monkeypatch.setattr(groups, "share", lambda pid, behind, group: told.append(behind) or True)
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])
    child = watch.Child(os.getpid(), 1 << 40, tmp_path, opens=True)
    child.work()
    child.watch()
    assert told == []  # it began so
    child.rest()  # the file is open
    assert told == [False]
    child.work()
    now[0] += 0.9 * watch.LONG
    child.watch()
    assert told == [False]
    now[0] += 0.2 * watch.LONG
    child.watch()
    child.watch()
    assert told == [False, True]
    child.rest()
    assert told == [False, True, False]


def test_a_share_that_the_kernel_did_not_take_is_told_again(monkeypatch, tmp_path):
    answers = iter([False, True])
    told = []
    monkeypatch.setattr(groups, "share", lambda *what: told.append(what) or next(answers))
    child = watch.Child(os.getpid(), 1 << 40, tmp_path, opens=True)
    child.rest()
    child.watch()
    child.watch()
    assert len(told) == 2


def test_a_share_goes_to_the_group_or_else_to_the_session(monkeypatch, tmp_path):
    told = {}
    monkeypatch.setattr(Path, "write_text", lambda path, text: told.update({str(path): text}))
    assert groups.share(7, True)
    group = groups.Group(tmp_path)
    groups.share(8, False, group)  # a group without that controller
    (tmp_path / "cpu.weight").touch()
    groups.share(9, True, group)
    assert told == {
        "/proc/7/autogroup": "5", "/proc/8/autogroup": "1", f"{tmp_path}/cpu.weight": "40",
    }  # fmt: skip

    def busy(path, text):
        raise BlockingIOError

    monkeypatch.setattr(Path, "write_text", busy)
    assert not groups.share(7, True)


def test_who_opens_files_is_known():
    assert {name for name, kind in KINDS.items() if kind.opens} == set(KINDS) - {"plain"}


@pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="this kernel shares out by no sessions"
)
def test_the_kernel_takes_a_session_s_share_both_ways():
    code = (
        "import os; os.setsid(); from workers import groups; "
        "print(*[groups.share('self', behind) and open('/proc/self/autogroup').read().split()[-1] "
        "for behind in (True, False)])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)  # noqa: S603 - our own
    assert run.stdout.split() == ["5", "1"], run.stderr


# Really

REAL = """
import os, sys
from pathlib import Path
from tests.workers.conftest import held, new_wall
from workers import groups
from xai_core.errors import JobError

base = groups.divided()
print(base, flush=True)
if base is not None:
    wall = new_wall(Path(sys.argv[1]), memory_limit=int(sys.argv[2]) << 20)
    handle = held(wall.session("s"))
    handle.loading.result(120)
    print("memory group" in handle._own._worker.sandbox["layers"], flush=True)
    inside = [each for each in base.glob(groups.MARK + "*") if (each / "cgroup.procs").read_text()]
    print(len(inside), [int((each / "memory.max").read_text()) >> 20 for each in inside])
    try:
        handle.run("hog").result(120)
    except JobError as error:
        print("needed more than" in str(error), flush=True)
    wall.close()
    groups.BEYOND = 0
    group = groups.make(base, os.getpid(), 1, memory=64 << 20, threads=9)
    child = os.fork()
    if child == 0:
        group.join()
        print((base / group.folder / "cgroup.procs").read_text() != "", flush=True)
        os._exit(len(bytearray(b"x") * (256 << 20)) & 1)
    print(os.WTERMSIG(os.waitpid(child, 0)[1]), group.full(), group.remove())
    print(len(list(base.glob(groups.MARK + "*"))))
"""


def test_a_real_group_holds_a_real_worker(tmp_path):
    run = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", REAL, str(tmp_path), "300"],
        cwd=ROOT, capture_output=True, text=True, env=os.environ | {EXTENSIONS: EXTENSION},
    )  # fmt: skip
    said = run.stdout.splitlines()
    assert said, run.stderr
    if said[0] == "None":
        pytest.skip("no group was given to this process to divide, so the watch alone holds")
    assert said[1:] == [
        "True", f"1 [{300 + (groups.BEYOND >> 20)}]", "True", "True", "9 True True", "0",
    ], run.stderr  # fmt: skip
