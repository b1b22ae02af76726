"""Folders that a hostile worker wrote: measured and removed by descriptors, however deep they are.

No path is built, so none is too long; nothing recurses, so nothing is too deep; no link is
followed. Nothing here raises over what it finds.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from workers.sandbox import FILE

DEEPEST = 32
"""Folders that may lie in one another before a worker's are called too many."""

MOST = 20_000
"""Files and folders that a worker may have."""

_FREE, _BUSY = threading.Condition(), list[Path]()
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_DESCRIPTORS = {os.open, os.rename, os.rmdir, os.unlink} <= os.supports_dir_fd and (
    os.scandir in os.supports_fd
)


def size(folder: Path) -> int | None:
    """Return the bytes on the disk that a folder takes.

    None where it hides some: too deep, too many entries, or a folder that cannot be read.
    """
    total = 0
    open_folders: list[int] = []
    try:
        open_folders.append(os.open(folder, _FOLDER))
        waiting = [_listed(open_folders[-1])]
        entries = len(waiting[0])
        while waiting:
            if entries > MOST:
                return None
            if not waiting[-1]:
                waiting.pop()
                os.close(open_folders.pop())
                continue
            entry = waiting[-1].pop()
            with contextlib.suppress(FileNotFoundError):
                found = os.stat(entry.name, dir_fd=open_folders[-1], follow_symlinks=False)
                total += found.st_blocks * 512
                if not entry.is_dir(follow_symlinks=False):
                    continue
                if len(waiting) >= DEEPEST:
                    return None
                inner = os.open(entry.name, _FOLDER, dir_fd=open_folders[-1])
                open_folders.append(inner)
                waiting.append(_listed(inner))
                entries += len(waiting[-1])
        return total
    except FileNotFoundError:
        return total
    except OSError:
        return None
    finally:
        for fd in open_folders:
            os.close(fd)


def _listed(folder: int) -> list[os.DirEntry[str]]:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            found.append(entry)
            if len(found) > MOST:
                break
    return found


def unnamed(pid: int, folder: Path) -> int:
    """Return the bytes on the disk that a process keeps in files without a name any more.

    They are seen by what it has open, and by what it has mapped out of `folder`, of which nobody
    can tell the size: it counts as the longest there can be. 0 without /proc.
    """
    total, seen = 0, set()
    proc = Path(f"/proc/{pid}")
    with contextlib.suppress(OSError), os.scandir(proc / "fd") as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # closed by now
                found = os.stat(entry.path)  # noqa: PTH116 - of the file behind it
                if stat.S_ISREG(found.st_mode) and not found.st_nlink and found.st_ino not in seen:
                    seen.add(found.st_ino)
                    total += found.st_blocks * 512
    mapped = set()
    with contextlib.suppress(OSError, ValueError), (proc / "maps").open(errors="replace") as lines:
        for line in lines:
            if f" {folder}/" in line and line.endswith(" (deleted)\n"):
                mapped.add(int(line.split(maxsplit=5)[4]))
    return total + FILE * len(mapped - seen)


@contextlib.contextmanager
def plain_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read; raises OSError for a link, and for what is no plain file."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        # before `open`, which refuses a folder and then leaves its descriptor open
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file")
        with open(fd, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(fd)


def remove(folder: Path) -> None:
    """Remove a folder and all in it, as far as the system lets it; one that is gone is fine.

    Whatever lies deep is moved up into the folder itself, and emptied there.
    """
    with _turn(folder):
        if not _DESCRIPTORS:
            shutil.rmtree(folder, ignore_errors=True)
            return
        try:
            top = os.open(folder, _FOLDER)
        except OSError:
            return
        try:
            _empty(top)
        except OSError:
            pass  # what is left is somebody else's, or a disk's fault
        finally:
            os.close(top)
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Wait until nobody removes a folder that lies in this one, or holds it.

    Two at once would put back what the other thinks is gone.
    """
    with _FREE:
        _FREE.wait_for(lambda: not any(_meet(folder, other) for other in _BUSY))
        _BUSY.append(folder)
    try:
        yield
    finally:
        with _FREE:
            _BUSY.remove(folder)
            _FREE.notify_all()


def _meet(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _empty(top: int) -> None:
    mark, count = secrets.token_hex(8), 0
    stuck: set[str] = set()
    moved = True
    while moved:
        moved = False
        with os.scandir(top) as entries:
            rows = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, is_folder in rows:
            if name in stuck:
                continue
            if is_folder:
                count, lifted = _lift(top, name, mark, count)
                moved = moved or lifted
            if not _gone(top, name, is_folder):
                stuck.add(name)


def _lift(top: int, name: str, mark: str, count: int) -> tuple[int, bool]:
    """Empty a folder of `top`: its files are removed, its folders moved up beside it."""
    lifted = False
    try:
        inner = _opened(top, name)
    except OSError:
        return count, lifted
    try:
        with os.scandir(inner) as entries:
            rows = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for each, is_folder in rows:
            if not is_folder:
                _gone(inner, each, is_folder=False)
                continue
            count += 1
            try:
                _move(inner, each, top, f"{mark}-{count}")
                lifted = True
            except OSError:
                _gone(inner, each, is_folder=True)
    except OSError:
        pass
    finally:
        os.close(inner)
    return count, lifted


def _move(source: int, name: str, target: int, new: str) -> None:
    try:
        os.rename(name, new, src_dir_fd=source, dst_dir_fd=target)
    except PermissionError:  # a folder that is moved must itself be writable
        os.close(_opened(source, name))
        os.rename(name, new, src_dir_fd=source, dst_dir_fd=target)


def _opened(parent: int, name: str) -> int:
    """Open a folder; one that its maker shut is opened up first."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if found.st_mode & 0o700 != 0o700:
            raise PermissionError
        return os.open(name, _FOLDER, dir_fd=parent)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=parent)
        return os.open(name, _FOLDER, dir_fd=parent)


def _gone(parent: int, name: str, is_folder: bool) -> bool:
    try:
        (os.rmdir if is_folder else os.unlink)(name, dir_fd=parent)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
