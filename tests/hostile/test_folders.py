"""What a worker keeps on the disk without a name is counted, and ended, as what has one."""

from __future__ import annotations

import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.hostile.test_words import Mum
from workers import folders, grip, sandbox, watch
from workers.process import Worker
from workers.protocol import Channel

MB = 1 << 20


def test_files_without_a_name_are_counted(tmp_path: Path) -> None:
    before = folders.unnamed(os.getpid(), tmp_path)
    with (tmp_path / "file").open("w+b") as file:
        file.write(os.urandom(3 * MB))
        file.flush()
        os.fsync(file.fileno())
        assert folders.unnamed(os.getpid(), tmp_path) == before
        assert (folders.size(tmp_path) or 0) >= 3 * MB
        (tmp_path / "file").unlink()
        assert (folders.size(tmp_path) or 0) < MB
        held = folders.unnamed(os.getpid(), tmp_path)
        assert held >= before + 3 * MB
        with os.fdopen(os.dup(file.fileno()), "rb"), mmap.mmap(file.fileno(), 3 * MB) as mapped:
            assert folders.unnamed(os.getpid(), tmp_path) == held  # the same file
            file.close()
            assert mapped[:1]
            assert folders.unnamed(os.getpid(), tmp_path) == held
    assert folders.unnamed(os.getpid(), tmp_path) == before


def test_a_mapped_file_that_is_closed_is_counted(tmp_path: Path) -> None:
    before = folders.unnamed(os.getpid(), tmp_path)
    with (tmp_path / "file").open("w+b") as file:
        file.write(bytes(3 * MB))
    fd = os.open(tmp_path / "file", os.O_RDWR)
    # Python's own mmap keeps a descriptor; the system's does not
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    # of all that it keeps on the disk one page is enough to keep it
    place = libc.mmap(None, mmap.PAGESIZE, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
    os.close(fd)
    (tmp_path / "file").unlink()
    try:
        assert folders.unnamed(os.getpid(), tmp_path) == before + sandbox.FILE >= 3 * MB
        assert folders.unnamed(os.getpid(), tmp_path / "another") == before
    finally:
        libc.munmap(ctypes.c_void_p(place), ctypes.c_size_t(mmap.PAGESIZE))


def test_nobody_is_nothing(tmp_path: Path) -> None:
    assert folders.unnamed(1 << 22, tmp_path) == 0


_HIDES = """
import os, time
file = open("file", "wb")
os.unlink("file")
file.write(bytes(3 << 20))
file.flush()
print("whole", flush=True)
time.sleep(600)
"""


def test_a_worker_that_hides_its_files_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SCRATCH_CAP", 2 * MB)
    with subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-c", _HIDES], cwd=tmp_path, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"whole\n"
        child = watch.Child(run.pid, 1 << 40, tmp_path)
        child.looked -= 60
        child.watch()
        assert child.reason == "scratch"
        assert run.wait(60) < 0


def test_many_entries_are_not_all_listed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MOST", 20)
    place = tmp_path
    for _ in range(10):
        for number in range(10):
            (place / f"file-{number}").touch()
        place = place / "folder"
        place.mkdir()
    listed = []
    honest = folders._listed

    def noted(folder: int) -> list[os.DirEntry[str]]:
        # folders are taken from the end, before the files beside them
        listed.append(sorted(honest(folder), key=lambda entry: entry.is_dir()))
        return listed[-1]

    monkeypatch.setattr(folders, "_listed", noted)
    assert folders.size(tmp_path) is None
    assert sum(map(len, listed)) <= 2 * 20


def test_nobody_removes_what_another_is_removing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wall that closes while a worker's folder is removed would leave what is moved about."""
    inner = tmp_path / "wall" / "scratch"
    (inner / "deep").mkdir(parents=True)
    (tmp_path / "another").mkdir()
    begun, second, go = threading.Event(), threading.Event(), threading.Event()
    honest = folders._empty

    def empty(top: int) -> None:
        if begun.is_set():
            second.set()
        else:
            begun.set()
            go.wait(60)
        honest(top)

    monkeypatch.setattr(folders, "_empty", empty)
    threads = [
        threading.Thread(target=folders.remove, args=(path,)) for path in (inner, tmp_path / "wall")
    ]
    threads[0].start()
    assert begun.wait(60)
    threads[1].start()
    assert not second.wait(0.5)
    folders.remove(tmp_path / "another")  # what lies elsewhere need not wait
    assert second.is_set()
    go.set()
    for thread in threads:
        thread.join(60)
    assert not any(tmp_path.iterdir())


def test_a_worker_whose_mother_is_gone_is_gone_before_its_folder_is(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    worker = Worker(Mum(), 1, Channel(ours), tmp_path / "scratch", 1 << 30)
    with theirs, subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as run:
        held = grip.take(run.pid)
        assert held is not None
        worker.born(run.pid, [grip.Grip(held)])
        worker.ended(0, "mother")
        assert run.poll() == -signal.SIGKILL
    worker.kill()
