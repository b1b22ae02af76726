"""Workers and mothers that die, and what is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.workers.conftest import EXTENSION, begun, held, new_wall, processes, wait_for
from workers import watch
from xai_core.discovery import EXTENSIONS
from xai_core.errors import JobError


def test_a_crash_is_one_job_s(hold):
    handle, other = hold(), hold()
    calls = other.run("echo").result(60).calls
    with pytest.raises(JobError, match="SIGSEGV") as caught:
        handle.run("crash").result(60)
    assert "last words of a library" in caught.value.detail
    assert handle.run("echo").result(60).calls == 1
    assert other.run("echo").result(60).calls == calls + 1


def test_the_watch_on_memory(tmp_path):
    wall = new_wall(tmp_path, memory_limit=300 << 20)
    try:
        handle = held(wall.session("s"))
        with pytest.raises(JobError, match=r"more than the 0.293 GiB of memory"):
            handle.run("hog").result(120)
        assert handle.run("echo").result(60).calls == 1
    finally:
        wall.close()


def test_the_watch_on_scratch(monkeypatch, tmp_path):
    child = watch.Child(os.getpid(), 1 << 40, tmp_path)
    monkeypatch.setattr(watch, "SCRATCH_CAP", 1 << 20)
    monkeypatch.setattr(watch.os, "kill", lambda *_: None)
    child.looked = -10
    child.watch()
    assert child.reason == ""
    (tmp_path / "a").write_bytes(b"x" * (2 << 20))
    child.looked = -10
    child.watch()
    assert child.reason == "scratch"


def test_a_mother_that_dies_is_replaced(tmp_path):
    wall = new_wall(tmp_path)
    try:
        handle = held(wall.session("s"))
        handle.loading.result(60)
        job = begun(handle.run("sleep"))
        os.kill(wall.state()["mothers"]["plain"]["pid"], signal.SIGKILL)
        with pytest.raises(JobError, match="took it along"):
            job.result(60)
        assert handle.run("echo").result(60).calls == 1
    finally:
        wall.close()


def test_a_mother_that_cannot_start_says_why(tmp_path, monkeypatch):
    (tmp_path / "broken_house" / "tasks").mkdir(parents=True)
    (tmp_path / "broken_house" / "__init__.py").touch()
    (tmp_path / "broken_house" / "tasks" / "__init__.py").touch()
    (tmp_path / "broken_house" / "tasks" / "bad.py").write_text("import no_such_module_at_all\n")
    monkeypatch.setenv(EXTENSIONS, "broken_house")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    wall = new_wall(tmp_path / "spool")
    try:
        handle = wall.session("s").hold("plain")
        with pytest.raises(JobError, match="could not start: ModuleNotFoundError"):
            handle.loading.result(60)
    finally:
        wall.close()


# What is left behind


def test_closing_leaves_nothing(tmp_path):
    wall = new_wall(tmp_path)
    session = wall.session("s")
    handles = [held(session) for _ in range(2)]
    handles[0].loading.result(60)
    job = begun(handles[0].run("sleep"))
    assert len(processes(wall.folder)) >= 2
    wall.close()
    with pytest.raises(JobError):
        job.result(60)
    with pytest.raises(JobError, match="closed"):
        handles[1].run("echo").result(60)
    assert processes(wall.folder) == []
    assert list(tmp_path.iterdir()) == []
    wall.close()


def test_twenty_openings_leave_memory_where_it_was(wall):
    def cycle(number):
        session = wall.session(f"cycle {number}")
        handle = held(session, "x" * 20_000)
        handle.run("echo", x=np.ones((500, 500))).result(60)
        session.close()

    for number in range(3):
        cycle(number)
    pid = wall.state()["mothers"]["plain"]["pid"]
    before = watch.resident(os.getpid()), watch.resident(pid)
    files, running = set(wall.folder.iterdir()), set(processes(wall.folder))
    for number in range(20):
        cycle(number)
    after = watch.resident(os.getpid()), watch.resident(pid)
    assert after[0] < before[0] * 1.1
    assert after[1] < before[1] * 1.1
    wait_for(lambda: set(wall.folder.iterdir()) <= files)
    wait_for(lambda: set(processes(wall.folder)) <= running)


CLIENT = """
import sys, time
from tests.workers.conftest import begun, held, new_wall

wall = new_wall(sys.argv[1])
session = wall.session("s")
handles = [held(session) for _ in range(2)]
for handle in handles:
    handle.loading.result(60)
begun(handles[0].run("sleep"))
print(wall.folder, flush=True)
time.sleep(1000)
"""


def test_nothing_outlives_a_client_that_is_killed(tmp_path):
    client = subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-c", CLIENT, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {EXTENSIONS: EXTENSION},
    )
    with client:
        folder = Path(client.stdout.readline().strip())
        assert len(processes(folder)) == 3
        client.kill()
        client.wait()
        wait_for(lambda: not processes(folder))
        wait_for(lambda: not folder.exists())
