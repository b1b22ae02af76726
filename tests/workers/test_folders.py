"""Folders that a worker left, however deep, shut or long: measured, removed, and nobody else's."""

import contextlib
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.workers.conftest import held, new_wall, wait_for
from workers import folders, spool, watch
from xai_core.errors import JobError

DEEP = 1500


@pytest.fixture(autouse=True)
def _emptied(tmp_path):
    """Leave nothing deep behind, which pytest itself could not clear away, however a test ends.

    Nothing of ours is asked for that: what is moved up lies shallow.
    """
    yield
    for count in range(20 * DEEP):
        above = next((each for each in tmp_path.iterdir() if each.is_dir()), None)
        if above is None:
            break
        if above.is_symlink():
            above.unlink()
            continue
        above.chmod(0o700)
        for inner in list(os.scandir(above)):
            if inner.is_dir(follow_symlinks=False):
                os.rename(inner.path, tmp_path / f"up-{count}-{len(inner.name)}-{inner.inode()}")  # noqa: PTH104
            else:
                os.unlink(inner.path)  # noqa: PTH108
        above.rmdir()


def nested(folder, deep, name="d", inmost=()):
    """Make folders in one another, by descriptors, and files in the last."""
    made = os.open(folder, os.O_RDONLY)
    for _ in range(deep):
        os.mkdir(name, dir_fd=made)
        inner = os.open(name, os.O_RDONLY, dir_fd=made)
        os.close(made)
        made = inner
    for each in inmost:
        os.close(os.open(each, os.O_CREAT | os.O_WRONLY, dir_fd=made))
    os.close(made)


# Measured


def test_a_size_is_the_disk_s_own(tmp_path):
    place = tmp_path / "a"
    place.mkdir()
    for number, size in enumerate((0, 1, 4096, 100_000)):
        inner = place / f"folder {number}" / "inner"
        inner.mkdir(parents=True)
        (inner / "file").write_bytes(os.urandom(size))
    (place / "link").symlink_to("/usr")
    os.mkfifo(place / "pipe")
    with (place / "hole").open("wb") as file:
        file.truncate(1 << 30)
    told = subprocess.run(  # noqa: S603 - the system's own
        ["/usr/bin/du", "-s", "-B1", str(place)], capture_output=True, text=True, check=True
    )
    whole = int(told.stdout.split()[0])
    assert folders.size(place) == whole - place.stat().st_blocks * 512
    assert whole < 1 << 20


@pytest.mark.parametrize(
    ("deep", "good"), [(0, True), (folders.DEEPEST - 1, True), (folders.DEEPEST + 1, False)]
)
def test_depth_is_bounded(tmp_path, deep, good):
    nested(tmp_path, deep)
    assert (folders.size(tmp_path) is not None) is good


def test_entries_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "MOST", 20)
    for number in range(20):
        (tmp_path / str(number)).touch()
    assert folders.size(tmp_path) is not None
    (tmp_path / "one more").touch()
    assert folders.size(tmp_path) is None


def test_what_is_gone_has_no_size_and_what_is_no_folder_is_hidden(tmp_path):
    assert folders.size(tmp_path / "none") == 0
    (tmp_path / "link").symlink_to("/usr")
    assert folders.size(tmp_path / "link") is None


def test_measuring_keeps_nothing_open(tmp_path):
    nested(tmp_path, DEEP)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(20):
        assert folders.size(tmp_path) is None
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


# Removed


@pytest.mark.parametrize("name", ["d", "d" * 255, "\udcff" * 200])
def test_deep_folders_are_removed(tmp_path, name):
    place = tmp_path / "place"
    place.mkdir()
    nested(place, DEEP, name, inmost=("file", "e" * 255))
    folders.remove(place)
    assert not place.exists()


def test_links_are_removed_and_not_followed(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    place = tmp_path / "place"
    (place / "inner").mkdir(parents=True)
    (place / "inner" / "link").symlink_to(kept)
    (place / "link").symlink_to(kept)
    os.link(kept / "file", place / "hard")
    os.mkfifo(place / "pipe")
    folders.remove(place)
    assert not place.exists()
    assert (kept / "file").read_text() == "x"
    (tmp_path / "alias").symlink_to(kept)
    folders.remove(tmp_path / "alias")
    assert (kept / "file").read_text() == "x"


def test_removing_nothing_is_no_error(tmp_path):
    folders.remove(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    folders.remove(tmp_path / "file")
    assert (tmp_path / "file").exists()


SHUT = """
import os, sys
from pathlib import Path
from workers import folders, sandbox

sandbox._drop_capabilities()  # root reads all, whatever a folder says
place = Path(sys.argv[1])
for mode in (0, 0o100, 0o300, 0o500):
    inner = place / f"{mode:o}" / "inner"
    inner.mkdir(parents=True)
    (inner / "file").write_text("x")
    (inner / "deeper").mkdir(mode=0)
    inner.chmod(mode)
    inner.parent.chmod(mode)
try:
    list((place / "0").iterdir())
except PermissionError:
    print("shut")
print(folders.size(place))
folders.remove(place)
print(place.exists())
"""


def test_shut_folders_are_hidden_and_removed(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    run = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", SHUT, str(place)], cwd=ROOT, capture_output=True, text=True
    )
    assert run.stdout.split() == ["shut", "None", "False"], run.stderr


# Through the wall


@pytest.mark.parametrize("long", [1, 255])
def test_deep_folders_end_their_worker_and_nobody_else(wall, hold, long):
    other = hold()
    calls = other.run("echo").result(60).calls
    pid = wall.state()["mothers"]["plain"]["pid"]
    handle = hold()
    handle.loading.result(60)
    scratch = handle._own._worker._scratch
    with pytest.raises(JobError, match="filled its scratch folder"):
        handle.run("nest", deep=DEEP, long=long, stay=True).result(120)
    assert not scratch.exists()
    assert (
        wall.state()["mothers"]["plain"] | {"pid": pid, "state": "ready"}
        == (wall.state()["mothers"]["plain"])
    )
    assert other.run("echo").result(60).calls == calls + 1
    assert handle.run("echo").result(60).calls == 1


def test_deep_folders_that_are_left_behind_go_with_their_worker(wall):
    """The task ends before its mother looks, and the next visitor's begins."""
    session = wall.session("leaves")
    handle = held(session)
    handle.loading.result(60)
    scratch = handle._own._worker._scratch
    with contextlib.suppress(JobError):  # where she looked in between
        handle.run("nest", deep=DEEP).result(60)
    session.close()
    assert not scratch.exists()
    assert held(wall.session("next")).run("echo").result(60).calls == 1


def test_a_wall_with_deep_folders_closes_and_leaves_nothing(tmp_path):
    wall = new_wall(tmp_path)
    handles = [held(wall.session(name)) for name in ("one", "two")]
    jobs = [handle.run("nest", deep=DEEP, long=255, stay=True) for handle in handles]
    wait_for(lambda: any(job.snapshot().total or job.over for job in jobs))
    wall.close()
    for job in jobs:
        with pytest.raises(JobError):
            job.result(60)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("whose", ["mother", "session"])
def test_a_wall_closes_whatever_one_of_its_parts_thinks_of(tmp_path, monkeypatch, caplog, whose):
    wall = new_wall(tmp_path)
    for name in ("one", "two"):
        held(wall.session(name)).loading.result(60)
    first = wall.mother("plain") if whose == "mother" else wall.session("one")
    honest = first.close

    def close():
        honest()
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(first, "close", close)
    wall.close()
    assert list(tmp_path.iterdir()) == []
    assert "did not close well" in caplog.text
    assert wall.state()["sessions"] == 0


def test_a_dead_wall_with_deep_folders_is_swept(tmp_path):
    left = tmp_path / f"{spool.PREFIX}{2**22 + 5}-77-00ff"
    left.mkdir()
    nested(left, DEEP, "d" * 255)
    wall = spool.make_wall(tmp_path)
    assert list(tmp_path.iterdir()) == [wall]


def test_an_exception_about_one_child_is_that_child_s(monkeypatch, tmp_path):
    killed = []
    monkeypatch.setattr(watch.os, "kill", lambda pid, number: killed.append(pid))

    def fall(folder):
        if folder == tmp_path:
            raise RecursionError
        return 0

    monkeypatch.setattr(watch.folders, "size", fall)
    monkeypatch.setattr(watch, "resident", lambda pid: 0)
    bad, good = (watch.Child(pid, 1, folder) for pid, folder in ((1, tmp_path), (2, ROOT)))
    for child in (bad, good):
        child.looked -= 60
        child.watch()
    assert (killed, bad.reason, good.reason) == ([1], "scratch", "")
