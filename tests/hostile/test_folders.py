"""What a worker keeps on the disk without a name is counted, and ended, as what has one."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers import folders, mother

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
    place = libc.mmap(None, 3 * MB, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
    os.close(fd)
    (tmp_path / "file").unlink()
    try:
        assert folders.unnamed(os.getpid(), tmp_path) == before + 3 * MB
        assert folders.unnamed(os.getpid(), tmp_path / "another") == before
    finally:
        libc.munmap(ctypes.c_void_p(place), ctypes.c_size_t(3 * MB))


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
    monkeypatch.setattr(mother, "SCRATCH_CAP", 2 * MB)
    with subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-c", _HIDES], cwd=tmp_path, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"whole\n"
        child = mother.Child(run.pid, 1 << 40, tmp_path)
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
