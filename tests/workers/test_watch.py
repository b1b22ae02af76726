"""A worker that takes more than its share of threads, time or secrecy is ended, and says why."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers.conftest import wait_for
from workers import spool, watch, words
from workers.control import Board
from workers.folders import plain_file
from xai_core.errors import JobError, LoadError


def alive(pid):
    found = watch.looks(pid)
    return found is not None and found.state != "Z"


@pytest.mark.parametrize(
    ("deed", "said"),
    [("crowd", "more threads than any model needs"), ("leave", "main thread ended while others")],
)
def test_it_is_ended_with_a_sentence_while_others_go_on(hold, deed, said):
    handle, other = hold(), hold()
    pid = handle.run("echo").result(60).pid
    job = handle.run(deed)
    other.run("echo").result(60)
    with pytest.raises(JobError, match=said):
        job.result(120)
    wait_for(lambda: not alive(pid))
    assert handle.run("echo").result(60).pid != pid


def test_who_shuts_its_wire_and_lives_on_is_ended(hold, monkeypatch):
    monkeypatch.setattr("workers.process.LAST_WORD", 0.5)
    handle = hold()
    pid = handle.run("echo").result(60).pid
    with pytest.raises(JobError, match="stopped talking and went on"):
        handle.run("hush").result(60)
    wait_for(lambda: not alive(pid))
    assert handle.run("echo").result(60).pid != pid


def test_who_computes_without_an_order_is_ended_and_not_opened_again(hold):
    handle, other = hold(), hold()
    quiet = other.run("echo").result(60).pid
    pid = handle.run("echo").result(60).pid
    handle.run("linger").result(60)
    wait_for(lambda: not alive(pid), 120)
    for _ in range(2):
        with pytest.raises(JobError, match=r"computing without an order.*not opened again"):
            handle.run("echo").result(60)
    assert other.run("echo").result(60).pid == quiet


def test_an_order_s_own_time_is_not_counted(monkeypatch, tmp_path):
    seconds = iter([1.0, 1.0 + watch.IDLE, 2.0 + watch.IDLE, 9.0, 9.0, 9.5])
    monkeypatch.setattr(watch, "looks", lambda pid: watch.Looks("R", next(seconds), 1))
    monkeypatch.setattr(watch, "resident", lambda pid: 0)
    child = watch.Child(os.getpid(), 1, tmp_path)
    killed = []
    monkeypatch.setattr(watch.os, "kill", lambda pid, number: killed.append(pid))
    child.rest()
    child.watch()
    assert child.reason == ""
    child.watch()
    assert child.reason == "idle"
    child.reason = ""
    child.work()
    child.watch()
    assert child.reason == ""
    child.rest()
    child.watch()
    assert (child.reason, len(killed)) == ("", 1)


def test_a_note_is_read_when_somebody_looks(monkeypatch, tmp_path):
    board, child, heard = Board.new(), watch.Child(os.getpid(), 1, tmp_path), []
    monkeypatch.setattr(child, "work", lambda: heard.append("work"))
    monkeypatch.setattr(child, "rest", lambda: heard.append("rest"))
    child.heed(board.read(7))
    assert heard == []  # nothing was noted yet
    for works, said in ((True, ["work"]), (True, ["work"] * 2), (False, ["work"] * 2 + ["rest"])):
        board.note(7, works)
        board.note(9, not works)  # of another
        for _ in range(2):
            child.heed(board.read(7))
        assert heard == said
    board.note(7, works=True)  # an order between two looks
    board.note(7, works=False)
    child.heed(board.read(7))
    assert heard[-2:] == ["rest", "rest"]
    assert (Board(os.dup(board.fd)).read(7) % 2, board.read(8)) == (0, 0)


_LEAVES = f"""
import ctypes, threading, time
held = bytearray(b"x") * (64 << 20)
threading.Thread(target=time.sleep, args=(600,)).start()
print("there", flush=True)
ctypes.CDLL(None).syscall({93 if os.uname().machine == "aarch64" else 60}, 0)
"""


def test_without_its_leader_nobody_sees_what_a_process_holds(tmp_path):
    with subprocess.Popen([sys.executable, "-c", _LEAVES], stdout=subprocess.PIPE) as run:  # noqa: S603 - our own
        assert run.stdout.readline() == b"there\n"
        wait_for(lambda: watch.looks(run.pid).state == "Z")
        tasks = [int(each.name) for each in Path(f"/proc/{run.pid}/task").iterdir()]
        thread = next(task for task in tasks if task != run.pid)
        assert watch.resident(run.pid) == 0
        assert watch.resident(thread) > 64 << 20
        child = watch.Child(run.pid, 1 << 40, tmp_path)
        child.watch()
        assert child.reason == ""  # it may be about to be reaped
        child.watch()
        assert child.reason == "leader"
        wait_for(lambda: watch.looks(thread) is None)


def test_what_is_no_plain_file_leaves_no_descriptor_open(tmp_path):
    folder, link = tmp_path / "worker.log", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(tmp_path / "file")
    (tmp_path / "file").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):  # what earlier tests left may be closed meanwhile
        assert words.tail(folder) == words.tail(tmp_path / "pipe") == words.tail(link) == ""
        for name in ("worker.log", "pipe", "link"):
            with pytest.raises(ValueError, match="cannot be read"):
                spool.copy_out(tmp_path, name, tmp_path / "copy", 9)
            with pytest.raises(LoadError, match="link" if name == "link" else "no plain file"):
                spool.copy_plain(tmp_path / name, tmp_path / "copy")
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
    with plain_file(tmp_path / "file") as file:
        assert file.read() == b"x"


STATUS = """Name:\tpython
VmPeak:\t 9000000 kB
RssAnon:\t    1000 kB
RssFile:\t  500000 kB
RssShmem:\t      20 kB
VmSwap:\t   300000 kB
HugetlbPages:\t    4096 kB
"""


def test_what_was_moved_out_of_memory_is_counted(monkeypatch):
    """A worker may ask the kernel to move all of its pages out, and take as many again."""
    monkeypatch.setattr(watch, "told", lambda pid, name: STATUS.encode())
    assert watch.resident(7) == (1000 + 20 + 300_000 + 4096) * 1024


def test_the_kernel_still_calls_them_so():
    own = Path("/proc/self/status").read_text()
    assert all(f"\n{name}" in own for name in ("RssAnon:", "RssShmem:", "VmSwap:"))
