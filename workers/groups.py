"""What the kernel itself holds a worker to: a group of its own (a cgroup), where one may be made.

A server that was given a group to divide (systemd's `Delegate=yes`, a container with a group of its
own) makes one in it for each worker, which bounds memory, processes and the share of the
processors. Elsewhere the mother's watch does it alone. Only version 2 of the kernel's interface is
used, and only a group that was given: that root may write everywhere makes nothing ours.
"""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path

SERVER = "vitrine-server"
"""The group that the server moves into: in one that is divided no process may stay."""

MARK = "vitrine-worker-"

BEYOND = 512 << 20
"""Bytes above a worker's bound at which the kernel steps in: its mother, who has a sentence for it,
comes first, and the kernel counts what she does not: its buffers, and files that are being read."""

SHARES = {False: (100, 1), True: (40, 5)}
"""A worker's share of the processors where others want them, too: in front, and behind, where it
opens a file or takes long; as a group's weight, and as the niceness of a session."""


@functools.cache
def divided() -> Path | None:
    """Return the group in which workers' may be made, once it is divided; None where none is."""
    own = _own()
    if own is None:
        return None
    base = own.parent if own.name == SERVER else own
    try:
        if not _given(base) or "memory" not in (base / "cgroup.controllers").read_text().split():
            return None
        # the machine's own root is no group that somebody's processes could not stay in
        if (base / "cgroup.type").exists() and not _alone(base):
            return None
        if (base / "cgroup.type").exists():
            (base / SERVER).mkdir(exist_ok=True)
            (base / SERVER / "cgroup.procs").write_text("0")
        for name in ("memory", "pids", "cpu"):
            with contextlib.suppress(OSError):
                (base / "cgroup.subtree_control").write_text(f"+{name}")
        if "memory" not in (base / "cgroup.subtree_control").read_text().split():
            return None
        _sweep(base)
    except OSError:
        return None
    return base


def _own() -> Path | None:
    """Return the folder of this process's group."""
    try:
        rows = Path("/proc/self/cgroup").read_text().splitlines()
        path = next(row[3:] for row in rows if row.startswith("0::"))
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            fields, _, kind = line.partition(" - ")
            root, place = fields.split()[3:5]
            if kind.split()[0] == "cgroup2" and Path(path).is_relative_to(root):
                return Path(place) / Path(path).relative_to(root)
    except (OSError, StopIteration, ValueError, IndexError):
        pass
    return None


def _given(base: Path) -> bool:
    """Say whether a group was given to this process to divide."""
    if not os.access(base / "cgroup.subtree_control", os.W_OK):
        return False
    root = not (base / "cgroup.type").exists() or base.is_mount()
    owned = base.stat().st_uid == os.geteuid() != 0
    return root or owned or any(_marked(base, name) for name in ("user", "trusted"))


def _marked(base: Path, who: str) -> bool:
    try:
        return os.getxattr(base, f"{who}.delegate") == b"1"
    except OSError:
        return False


def _alone(base: Path) -> bool:
    """Say whether nobody but this process is in a group, or nobody at all."""
    inside = (base / "cgroup.procs").read_text().split()
    return set(inside) <= {str(os.getpid())}


def _sweep(base: Path) -> None:
    """Remove what servers left that are dead; a group with somebody in it stays."""
    for group in base.glob(f"{MARK}*"):
        server = group.name.removeprefix(MARK).partition("-")[0]
        if not Path(f"/proc/{server}").exists():
            with contextlib.suppress(OSError):
                group.rmdir()


class Group:
    """One worker's group."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def join(self) -> bool:
        """Move this process in; say whether it is."""
        try:
            (self.folder / "cgroup.procs").write_text("0")
        except OSError:
            return False
        return True

    def full(self) -> bool:
        """Say whether the kernel has ended somebody in it for its memory."""
        try:
            rows = (self.folder / "memory.events").read_text().splitlines()
        except OSError:
            return False
        return any(row.startswith("oom_kill ") and row != "oom_kill 0" for row in rows)

    def remove(self) -> bool:
        """Remove it; False where somebody is still in it."""
        try:
            self.folder.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True


def make(base: Path, server: int, number: int, *, memory: int, threads: int) -> Group | None:
    """Make the group of a worker of `memory` bytes; None where it cannot be made."""
    folder = base / f"{MARK}{server}-{os.getpid()}-{number}"
    try:
        folder.mkdir()
        (folder / "memory.max").write_text(str(memory + BEYOND))
    except OSError:
        Group(folder).remove()
        return None
    wanted = {"memory.oom.group": 1, "memory.swap.max": 0, "pids.max": threads}
    for name, value in wanted.items():
        with contextlib.suppress(OSError):  # of a controller that was not given
            (folder / name).write_text(str(value))
    return Group(folder)


def share(pid: int | str, behind: bool, group: Group | None = None) -> bool:
    """Give a process its share of the processors; False where it should be tried again later.

    Without a group of its own it is the one of its session, where the kernel makes groups of them.
    """
    weight, niceness = SHARES[behind]
    if group is not None and (group.folder / "cpu.weight").exists():
        place, value = group.folder / "cpu.weight", weight
    else:
        place, value = Path(f"/proc/{pid}/autogroup"), niceness
    try:
        place.write_text(str(value))
    except BlockingIOError:  # the kernel takes ten a second
        return False
    except OSError:
        pass
    return True
