"""Shuts the calling process in: one folder to read, one to write, no network, no other process.

Called by a worker once, right after the fork, while it has one thread. Layers that the system
does not offer are skipped and named in the answer; what is claimed in it has been tried.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import importlib.util
import os
import resource
import signal
import sys
import sysconfig
import termios
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypedDict

from workers import attempts
from xai_core import discovery

try:  # its folder and its library must be read before Landlock shuts them
    import pyseccomp
except (ImportError, RuntimeError, OSError):
    pyseccomp = None

FILE = 1 << 30
"""Bytes that one of a worker's files may have."""

PRIORITY = 5
"""By how much a worker stands behind the page, in the system's measure of 0 to 19."""

ROOT = Path(__file__).resolve().parents[1]
LINUX = sys.platform == "linux"


class State(TypedDict):
    """What holds in this process: the three promises, and the layers behind them."""

    files: bool
    network: bool
    processes: bool
    layers: list[str]
    missing: list[str]


def floor(state: State) -> bool:
    """Say whether code out of a model file may run: Landlock and seccomp must both hold."""
    return state["files"] and state["network"] and state["processes"]


def available() -> State:
    """Say what this system offers, without shutting anybody in."""
    landlock, seccomp = landlock_abi() > 0, LINUX and pyseccomp is not None
    layers = ["landlock"] * landlock + ["seccomp"] * seccomp
    missing = ["landlock"] * (not landlock) + ["seccomp"] * (not seccomp)
    return State(files=landlock, network=seccomp, processes=seccomp, layers=layers, missing=missing)


def enter(
    *,
    read: Iterable[Path],
    write: Path,
    address_space: int | None,
    file_size: int = FILE,
    devices: Iterable[Path] = (),
) -> State:
    """Shut this process in, for good.

    It may read `read`, the Python installation and our own code; read and write `write`, and speak
    to `devices`. `address_space` and `file_size` are in bytes; a GPU's driver maps all of its
    memory and more, so that with one the address space has no bound but the watch from outside.
    """
    layers: list[str] = []
    missing: list[str] = []

    def layer(name: str, hold: bool) -> None:
        (layers if hold else missing).append(name)

    layer("limits", _limits(address_space, file_size))
    layer("low priority", _yields())
    layer("namespaces", _namespaces())
    layer("no new privileges", _no_new_privileges())
    layer("capabilities", _drop_capabilities())
    die_with_parent()  # again: a change of credentials may have cleared it
    layer("landlock", _landlock([*_system_paths(), *read], write, devices))
    layer("seccomp", _seccomp())
    return State(
        files="landlock" in layers and not attempts.can_list(Path("/")),
        network="seccomp" in layers and not attempts.can_open_socket(),
        processes="seccomp" in layers and not attempts.can_fork(),
        layers=layers,
        missing=missing,
    )


# Resource limits ---------------------------------------------------------------------------------


def _limits(address_space: int | None, file_size: int) -> bool:
    wanted = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_NOFILE, 256),
    ]
    if LINUX and address_space is not None:  # elsewhere it is not enforced, and setting it may fail
        wanted.append((resource.RLIMIT_AS, address_space))
    try:
        for kind, value in wanted:
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (value, value))
    except (OSError, ValueError):
        return False
    return True


def _yields() -> bool:
    """Let the pages' process go first; what ran before it here was the mother's priority."""
    try:
        return os.nice(PRIORITY) > 0
    except OSError:
        return False


# Namespaces, privileges --------------------------------------------------------------------------

_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CAPABILITY_VERSION_3 = 0x20080522


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that forked it ends."""
    if LINUX:
        _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _namespaces() -> bool:
    if not LINUX:
        return False
    libc = _libc()
    rest = _CLONE_NEWNET | _CLONE_NEWIPC
    # A container's own profile may forbid user namespaces and still let root make the others.
    return bool(libc.unshare(_CLONE_NEWUSER | rest) == 0 or libc.unshare(rest) == 0)


def _no_new_privileges() -> bool:
    return bool(LINUX and _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)


def _drop_capabilities() -> bool:
    # Root (in a container, or in the new namespace) gives up what makes it root.
    if not LINUX:
        return False
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    return bool(_libc().capset(header, nothing) == 0)


# Landlock ----------------------------------------------------------------------------------------

# The same numbers on every architecture (the unified table of system calls).
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_READ_FILE, _READ_DIR, _WRITE_FILE, _TRUNCATE = 1 << 2, 1 << 3, 1 << 1, 1 << 14
_IOCTL = 1 << 15
"""To a device: asked for from version 5 on."""
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_READ = _READ_FILE | _READ_DIR
_OWN = _READ | _WRITE_FILE | _TRUNCATE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG
_OF_A_FILE = _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL
_FS_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # rights known to each version; 16 from version 5 on


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),  # from version 4: TCP bind and connect
        ("scoped", ctypes.c_uint64),  # from version 6: abstract sockets and signals
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def landlock_abi() -> int:
    """Return the kernel's version of Landlock, 0 where it has none."""
    if not LINUX:
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def _landlock(read: Sequence[Path], write: Path, devices: Iterable[Path] = ()) -> bool:
    abi = landlock_abi()
    if abi < 1:
        return False
    libc = _libc()
    handled = (1 << _FS_RIGHTS.get(abi, 16)) - 1
    rules = _Ruleset(handled, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    # An older kernel refuses a longer structure unless the rest of it is zero, which it is.
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules), 0)
    if ruleset < 0:
        return False
    try:
        for path in read:
            _allow(libc, ruleset, path, _READ & handled)
        _allow(libc, ruleset, write, _OWN & handled)
        _allow(libc, ruleset, Path("/dev/null"), (_READ_FILE | _WRITE_FILE) & handled)
        for path in devices:
            _allow(libc, ruleset, path, (_READ_FILE | _WRITE_FILE | _IOCTL) & handled)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, access: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(fd):  # noqa: PTH112 - a descriptor, not a path
            access &= _OF_A_FILE
        rule = _PathBeneath(access, fd)
        libc.syscall(_ADD_RULE, ruleset, 1, ctypes.byref(rule), 0)
    finally:
        os.close(fd)


def _system_paths() -> list[Path]:
    """List what every worker may read: Python, its packages, system libraries, our own code."""
    installed = [
        sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")
    ]
    on_path = [str(place) for entry in sys.path if entry for place in _of_entry(Path(entry))]
    ours = [ROOT / name for name in ("xai_core", "loaders", "workers", "assets")]
    system = (
        "/usr/lib /usr/lib32 /usr/lib64 /usr/local/lib /lib /lib64 /usr/share/zoneinfo "
        "/etc/ld.so.cache /etc/localtime /dev/urandom /proc/cpuinfo /proc/meminfo "
        "/proc/stat /proc/sys/vm/overcommit_memory /sys/devices/system/cpu "
        "/sys/devices/system/node /sys/kernel/mm/transparent_hugepage"
    )
    libraries = Path(sys.base_prefix) / "lib"
    ours += [Path(folder) for folder in _extensions()]
    # TensorFlow aborts unless it can read the command line that started it, which says nothing.
    system += f" /proc/{os.getpid()}/cmdline"
    return [Path(p) for p in (*installed, *on_path, *system.split())] + [libraries, *ours]


def _of_entry(entry: Path) -> list[Path]:
    """List what may be read of an entry of Python's path: all of it only where it is installed.

    PYTHONPATH may name somebody's whole home: of that, the packages that were imported.
    """
    if entry.resolve() == ROOT:
        return []
    inside = any(entry.is_relative_to(place) for place in (sys.prefix, sys.base_prefix))
    if inside or entry.is_file() or entry.name in ("site-packages", "dist-packages"):
        return [entry]
    loaded = [getattr(module, "__file__", None) for module in tuple(sys.modules.values())]
    start = f"{entry}{os.sep}"
    files = [each for each in loaded if isinstance(each, str) and each.startswith(start)]
    parts = {Path(each[len(start) :]).parts[0] for each in files}
    return [entry / part for part in sorted(parts)]


def _extensions() -> list[str]:
    """List the folders of the packages that extend ours: their code is trusted as ours."""
    found: list[str] = []
    for name in discovery.packages():
        spec = importlib.util.find_spec(name) if name not in discovery.OURS else None
        found += list(spec.submodule_search_locations or ()) if spec else []
    return found


# Seccomp -----------------------------------------------------------------------------------------

_REFUSED = (
    # other programs and other processes
    "execve execveat fork vfork ptrace process_vm_readv process_vm_writev process_madvise "
    "process_mrelease kcmp pidfd_open pidfd_getfd pidfd_send_signal tkill setpriority ioprio_set "
    "migrate_pages move_pages "
    # the network, and every way to a new socket or a foreign descriptor
    "socket socketpair connect bind listen accept accept4 sendmsg sendmmsg recvmsg recvmmsg "
    "socketcall "
    # ways round the filter and round the watch on memory
    "io_uring_setup io_uring_enter io_uring_register io_setup io_submit memfd_create memfd_secret "
    "shmget shmat shmctl shmdt msgget semget mq_open mq_unlink userfaultfd seccomp "
    # a pipe that holds one page of a huge one holds all of it, and counts nowhere
    "vmsplice splice tee sendfile sendfile64 "
    # a session of its own, in which the kernel would give it a share of the processor of its own
    "setsid "
    # the kernel's own insides
    "bpf perf_event_open keyctl add_key request_key init_module finit_module delete_module "
    "kexec_load kexec_file_load reboot swapon swapoff acct quotactl quotactl_fd syslog vhangup "
    "lookup_dcookie nfsservctl iopl ioperm modify_ldt personality fanotify_init "
    "settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname "
    # mounts and namespaces
    "mount umount umount2 pivot_root chroot move_mount open_tree open_tree_attr fsopen fsmount "
    "fsconfig fspick mount_setattr statmount listmount setns unshare name_to_handle_at "
    "open_by_handle_at "
    # what Landlock does not see
    "chmod fchmod fchmodat fchmodat2 chown lchown fchown fchownat setxattr lsetxattr fsetxattr "
    "setxattrat removexattr lremovexattr fremovexattr removexattrat utime utimes futimesat "
    "utimensat truncate inotify_init inotify_init1 inotify_add_watch "
    # what holds up everybody's disk
    "sync syncfs"
)
_CLONE_THREAD, _CLONE_FILES = 0x00010000, 0x00000400
_CLOSE_RANGE_UNSHARE = 2
"""With it, or without CLONE_FILES, a thread has open files of its own, which its mother's look at
the process's does not show."""
_PR_SET_DUMPABLE = 4
"""Without it the mother, of the same user, may no longer look at what is open."""
_TIOCSTI = getattr(termios, "TIOCSTI", 0x5412)
_SET_OWNERS = (8, 10, 15)
"""F_SETOWN, F_SETSIG and F_SETOWN_EX: who is sent which signal when a descriptor has news. Kernels
before 6.12 let that reach any process of the same user, whatever Landlock says."""
_SET_MORE = (1024, 1026, 1031)
"""F_SETLEASE, which keeps others from opening a file; F_NOTIFY, which watches a folder; and
F_SETPIPE_SZ, whose room all processes of a user share."""
_SET_OWNERS_TOO = (0x8901, 0x8902)
"""FIOSETOWN and SIOCSPGRP, which do the same to a socket."""
_SHARED_MEMORY = 0x21
"""MAP_SHARED and MAP_ANONYMOUS: what a process holds so is not counted as its own."""
_MUST_HOLD = {"execve", "execveat", "ptrace", "process_vm_readv", "socket", "connect", "sendmsg"}


def _seccomp() -> bool:
    if not LINUX or pyseccomp is None:
        return False
    no = pyseccomp.ERRNO(errno.EPERM)
    own = os.getpid()
    arg, ne, masked = pyseccomp.Arg, pyseccomp.NE, pyseccomp.MASKED_EQ
    try:
        rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
        for name in _REFUSED.split():
            try:
                rules.add_rule(no, name)
            except OSError:  # a call that this processor or this libseccomp does not know
                if name in _MUST_HOLD:
                    return False
        # glibc falls back to clone when clone3 is unknown, and clone's flags can be read.
        rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
        for flag in (_CLONE_THREAD, _CLONE_FILES):
            rules.add_rule(no, "clone", arg(0, masked, flag, 0))
        with contextlib.suppress(OSError):  # a libseccomp that does not know it
            unshare = arg(2, masked, _CLOSE_RANGE_UNSHARE, _CLOSE_RANGE_UNSHARE)
            rules.add_rule(no, "close_range", unshare)
        # A disk would be full before anybody looks; the C library then writes instead.
        rules.add_rule(pyseccomp.ERRNO(errno.EOPNOTSUPP), "fallocate")
        for name in ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"):
            rules.add_rule(no, name, arg(0, ne, own))
        # By process id these reach every process of the same user; 0 is the caller itself.
        for name in ("prlimit64", "sched_setaffinity", "sched_setattr"):
            rules.add_rule(no, name, arg(0, ne, 0))
        for name in ("sched_setscheduler", "sched_setparam"):
            rules.add_rule(no, name)
        # It must not untie itself from its mother's end, nor hide from her.
        for option in (_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE):
            rules.add_rule(no, "prctl", arg(0, masked, 0xFFFFFFFF, option))
        for request in (_TIOCSTI, *_SET_OWNERS_TOO):
            rules.add_rule(no, "ioctl", arg(1, masked, 0xFFFFFFFF, request))
        for command in (*_SET_OWNERS, *_SET_MORE):
            rules.add_rule(no, "fcntl", arg(1, masked, 0xFFFFFFFF, command))
        rules.add_rule(no, "mmap", arg(3, masked, _SHARED_MEMORY, _SHARED_MEMORY))
        rules.load()
    except OSError:
        return False
    return True
