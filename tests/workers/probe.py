"""What a hostile model would try, inside the sandbox and outside."""

import ctypes
import fcntl
import mmap
import os
import socket
import struct
import tempfile
from pathlib import Path


def attempt(given):
    """Try everything; return 'done' or 'refused: why' for each."""
    tries = {
        **{f"read {path}": lambda path=path: _read(path) for path in given["read"]},
        **{f"list {path}": lambda path=path: list(Path(path).iterdir()) for path in given["list"]},
        **{f"write {path}": lambda path=path: _write(path) for path in given["write"]},
        **{f"chmod {path}": lambda path=path: Path(path).chmod(0o644) for path in given["chmod"]},
        "tcp": lambda: socket.create_connection(("127.0.0.1", given["tcp"]), 2).close(),
        "udp": lambda: _udp(given["tcp"]),
        "unix socket": lambda: _unix(given["unix"]),
        "abstract socket": lambda: _unix("\0" + given["abstract"]),
        "fork": _fork,
        "signal the parent": lambda: os.kill(os.getppid(), 0),
        "signal the client": lambda: os.kill(given["client"], 0),
        "limit the client": lambda: _limit(given["client"]),
        "affinity of the client": lambda: os.sched_setaffinity(given["client"], {0}),
        "own a descriptor's signals": lambda: _own(8, given["client"]),
        "own them by a structure": lambda: _own(15, struct.pack("ii", 1, given["client"])),
        "choose their signal": lambda: _own(10, 9),
        "share memory": lambda: mmap.mmap(-1, 1 << 16).close(),
        "share zeros": _zeros,
        "watch a folder": lambda: _check(_libc().inotify_init1(0)),
        "watch it by its descriptor": _notify,
        "keep others from a file": _lease,
        "widen a pipe": lambda: _piped(lambda ends: fcntl.fcntl(ends[1], 1031, 1 << 17)),
        "hold pages in a pipe": lambda: _piped(_hold_pages),
        "hold a file's pages in a pipe": lambda: _piped(_hold_file),
        "copy a pipe": lambda: _piped(_copy_pipe),
        "reserve the disk": _reserve,
        "open files of a thread's own": lambda: _check(_libc().syscall(436, 250, 250, 2)),
        "hide from the mother": _hide,
        "lead a session": lambda: _check(_libc().setsid()),
        "asynchronous files": lambda: _check(
            _libc().syscall(206, 1, ctypes.byref(ctypes.c_ulong()))
        ),
    }
    if given["dangerous"]:
        tries |= {
            "exec": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606
            "read the parent's memory": _read_parent,
            "trace the parent": lambda: _check(_libc().ptrace(16, os.getppid(), None, None)),
            "untie from the parent": lambda: _check(_libc().prctl(1, 0, 0, 0, 0)),
            "new namespace": lambda: _check(_libc().unshare(0x10000000)),
            "own the wire's signals": lambda: fcntl.ioctl(
                3, 0x8901, struct.pack("i", os.getppid())
            ),
            "hold up the disk": _sync,
            "go first": lambda: _check(_libc().setpriority(0, 0, -5)),
            "memfd": lambda: _check(_libc().memfd_create(b"x", 0)),
            "io_uring": lambda: _check(_libc().syscall(425, 1, None)),
            "bpf": lambda: _check(_libc().syscall(321, 0, None, 0)),
            "userfaultfd": lambda: _check(_libc().syscall(323, 0)),
            "clone3": lambda: _check(_libc().syscall(435, None, 0)),
            "hand over a descriptor": lambda: _hand_over(),
            "high bits in kill": lambda: _check(
                _libc().syscall(62, ctypes.c_ulong((1 << 32) | os.getppid()), 0)
            ),
        }
    return {name: _outcome(action) for name, action in tries.items()}


def _outcome(action):
    try:
        action()
    except OSError as error:
        return f"refused: {error.strerror}"
    return "done"


def _libc():
    return ctypes.CDLL(None, use_errno=True)


def _check(result):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _read(path):
    with open(path, "rb") as file:  # noqa: PTH123
        file.read(1)


def _write(folder):
    path = Path(folder) / f"probe-{os.getpid()}"
    path.write_text("x")
    path.unlink()


def _udp(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("127.0.0.1", port))


def _unix(address):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(address)


def _piped(act):
    ends = os.pipe()
    try:
        act(ends)
    finally:
        for end in ends:
            os.close(end)


def _own(command, value):
    _piped(lambda ends: fcntl.fcntl(ends[0], command, value))


def _hold_pages(ends):
    page = ctypes.create_string_buffer(4096)
    vector = _Vector(ctypes.addressof(page), 4096)
    _check(_libc().vmsplice(ends[1], ctypes.byref(vector), ctypes.c_ulong(1), 0))


def _hold_file(ends):
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
        file.flush()
        _check(_libc().splice(file.fileno(), ctypes.byref(ctypes.c_long(0)), ends[1], None, 1, 0))
        os.sendfile(ends[1], file.fileno(), 0, 1)


def _copy_pipe(ends):
    os.write(ends[1], b"x")
    _piped(lambda others: _check(_libc().tee(ends[0], others[1], ctypes.c_size_t(1), 0)))


def _reserve():
    with tempfile.TemporaryFile() as file:
        _check(_libc().fallocate(file.fileno(), 0, ctypes.c_long(0), ctypes.c_long(4096)))


def _lease():
    with tempfile.TemporaryFile() as file:
        fcntl.fcntl(file.fileno(), fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(file.fileno(), fcntl.F_SETLEASE, fcntl.F_UNLCK)


def _notify():
    folder = os.open(tempfile.gettempdir(), os.O_RDONLY)
    try:
        fcntl.fcntl(folder, fcntl.F_NOTIFY, fcntl.DN_CREATE)
        fcntl.fcntl(folder, fcntl.F_NOTIFY, 0)
    finally:
        os.close(folder)


def _hide():
    _check(_libc().prctl(4, 0, 0, 0, 0))
    _libc().prctl(4, 1, 0, 0, 0)


def _zeros():
    with open("/dev/zero", "r+b") as file:  # noqa: PTH123
        mmap.mmap(file.fileno(), 1 << 16).close()


def _sync():
    ctypes.set_errno(0)
    _libc().sync()  # it returns nothing
    _check(-1 if ctypes.get_errno() else 0)


def _fork():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _limit(pid):
    import resource

    limits = resource.prlimit(pid, resource.RLIMIT_NPROC)
    resource.prlimit(pid, resource.RLIMIT_NPROC, limits)


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


_SECRET = ctypes.create_string_buffer(b"secret of the parent", 64)


def _read_parent():
    # After a fork the same address holds the same bytes in the parent.
    own = ctypes.create_string_buffer(64)
    here = _Vector(ctypes.addressof(own), 64)
    there = _Vector(ctypes.addressof(_SECRET), 64)
    _check(
        _libc().process_vm_readv(
            os.getppid(), ctypes.byref(here), 1, ctypes.byref(there), 1, ctypes.c_ulong(0)
        )
    )


def _hand_over():
    with socket.socket(fileno=os.dup(3)) as wire:
        socket.send_fds(wire, [b"x"], [0])
