"""Folders on disk: one for the wall, in it one for each session and one for each worker.

Every folder is open to its owner only, is removed when its use ends, and is swept at the next
start if the process that made it died without doing so.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
from pathlib import Path

from loaders.companions import safe_name
from workers.folders import plain_file, remove
from xai_core.errors import LoadError

__all__ = ["copy_out", "copy_plain", "make_folder", "make_wall", "remove", "safe_name", "sweep"]

PREFIX = "vitrine-wall-"
_NAME = re.compile(re.escape(PREFIX) + r"(\d+)-(\d+)-[0-9a-f]+")


def make_wall(base: Path | None = None) -> Path:
    """Make this process's folder under `base`, or else under the system's temporary folder."""
    base = Path(tempfile.gettempdir()) if base is None else base
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    sweep(base)
    mark = f"{PREFIX}{os.getpid()}-{_born(os.getpid())}-{secrets.token_hex(8)}"
    wall = base.resolve() / mark
    wall.mkdir(mode=0o700)
    return wall


def sweep(base: Path) -> None:
    """Remove the folders of walls whose process is dead; whatever lies in them stops nobody."""
    for folder in base.iterdir():
        match = _NAME.fullmatch(folder.name)
        if match and _ours(folder) and _born(int(match[1])) != int(match[2]):
            remove(folder)


def make_folder(parent: Path, hint: str = "") -> Path:
    """Make a private folder with a name that nobody can guess."""
    folder = parent / f"{hint}{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700, parents=True)
    return folder


def copy_plain(source: Path, place: Path) -> None:
    """Copy a file that is no link and no device. Raises LoadError for others."""
    try:
        with plain_file(source) as file, place.open("wb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise LoadError(
                f"{source.name} is a link, which is not followed. Put the file itself there."
            ) from None
        if error.errno == errno.EINVAL:
            raise LoadError(f"{source.name} is no plain file. Put the file itself there.") from None
        raise LoadError(f"{source.name} cannot be read: {error.strerror}.") from None


def copy_out(folder: Path, name: str, place: Path, most: int) -> None:
    """Copy a file that a worker left in its folder; raises ValueError unless it is a plain one.

    Its name has no folder in it, no link is followed, and at most `most` bytes are taken.
    """
    if Path(name).name != name or name in ("", ".", ".."):
        raise ValueError(f"a file in another folder, {name[:60]!r}")
    try:
        with plain_file(folder / name) as file:
            if os.fstat(file.fileno()).st_size > most:
                raise ValueError(f"a file that is too long, {name[:60]!r}")
            with place.open("xb") as copy:
                left = most
                while part := file.read(min(1 << 20, left)):
                    copy.write(part)
                    left -= len(part)
        (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise ValueError(f"the file {name[:60]!r} cannot be read ({error.strerror})") from None


def _ours(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        found = folder.lstat()
        own = not hasattr(os, "getuid") or found.st_uid == os.getuid()
        return stat.S_ISDIR(found.st_mode) and own
    return False


def _born(pid: int) -> int:
    """Return when a process started, in the system's own ticks; -1 where it is dead.

    A process id is used again after a while, with another start. Without /proc (macOS) it is 0
    for every living process.
    """
    try:
        # The command's name, in brackets, may itself hold spaces and brackets.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return -1 if fields[0] == "Z" else int(fields[19])
    except OSError:
        pass
    if Path("/proc/self/stat").exists():
        return -1
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return -1
    except OSError:
        pass
    return 0
