"""A mother process: imports the frameworks once, and forks a fresh worker whenever asked.

`python -m workers.mother KIND --control FD ...` is started by the client and talks to it alone.
She never reads a model, a photo, or a word from a worker: she forks, watches memory from outside,
kills and reaps. She and all her children end when the client does.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import importlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers import control, folders, grip, groups, kinds, sandbox
from workers.watch import THREADS, Child
from xai_core import device, discovery

REST = 3.0
"""Seconds without an order after which a mother imports what only some methods use."""

WATCH = 0.1
"""Seconds between two looks at the children."""

LOG = "worker.log"
"""Where in its scratch folder a worker's libraries write what they print."""


class Mother:
    """The loop: orders from the client, children's ends, children's memory."""

    def __init__(
        self,
        wires: control.Control,
        board: control.Board,
        kind: kinds.Kind,
        threads: int,
        base: Path | None = None,
    ) -> None:
        self.control, self.board, self.kind = wires, board, kind
        self.threads, self.base = threads, base
        self.emptied: list[groups.Group] = []
        self.children: dict[int, Child] = {}
        self.client = os.getppid()
        self.dismissed = False
        self.extras: list[Callable[[], object]] = [
            functools.partial(importlib.import_module, name) for name in kind.extras
        ]
        if kind.draws:
            self.extras.append(discovery.steps)
        self.asked = time.monotonic()
        self.due = 0.0

    def run(self) -> None:
        """Serve until the client says goodbye, or is gone."""
        selector = selectors.DefaultSelector()
        selector.register(self.control, selectors.EVENT_READ)
        bell = _bell()
        selector.register(bell, selectors.EVENT_READ)
        try:
            while not self.dismissed and os.getppid() == self.client:
                ready = {key.fd for key, _ in selector.select(self._patience())}
                if bell in ready:
                    os.read(bell, 512)
                if self.control.fileno() in ready:
                    for order, fds in self.control.receive():
                        self._obey(order, fds)
                due = time.monotonic() >= self.due
                if due or bell in ready:
                    self._reap()
                if due:
                    self._watch()
                self._import_one()
        except (EOFError, OSError):
            pass  # the client died
        finally:
            selector.close()
            self._end()

    def _watch(self) -> None:
        for number, child in self.children.items():
            child.heed(self.board.read(number))
            child.watch()
        self.emptied = [each for each in self.emptied if not each.remove()]
        self.due = time.monotonic() + WATCH

    def _patience(self) -> float:
        now = time.monotonic()
        longest = max(0.0, self.due - now) if self.children else 1.0
        if self.extras:
            return min(longest, max(0.0, self.asked + REST - now))
        return longest

    def _import_one(self) -> None:
        if self.extras and time.monotonic() - self.asked >= REST:
            # A library that is not installed, or is broken, is one engine less, which says so.
            with contextlib.suppress(Exception):
                self.extras.pop(0)()
            gc.freeze()

    def _obey(self, order: dict[str, Any], fds: list[int]) -> None:
        if order["op"] != "look":
            self.asked = time.monotonic()
        match order["op"]:
            case "spawn":
                self._spawn(order, fds[0])
            case "kill":
                if child := self.children.get(order["id"]):
                    child.kill("asked")
            case "look":
                self.due = 0.0
            case "bye":
                self.dismissed = True

    def _spawn(self, order: dict[str, Any], fd: int) -> None:
        own, group = os.getpid(), None
        if self.base is not None:
            group = groups.make(
                self.base, self.client, order["id"], memory=order["memory"], threads=THREADS
            )
        try:
            pid = os.fork()
        except OSError as error:
            os.close(fd)
            if group is not None:
                group.remove()
            self.control.send({"event": "gone", "id": order["id"], "code": 0, "why": str(error)})
            return
        if pid == 0:
            code = 70
            try:
                _become_worker(own, fd, order, self.kind, self.threads, group)
                code = 0
            finally:
                os._exit(code)
        os.close(fd)
        self.children[order["id"]] = Child(
            pid, order["memory"], Path(order["scratch"]), opens=self.kind.opens, group=group
        )
        # The client kills for itself: an import of hers may keep a mother busy for seconds.
        held = grip.take(pid)
        self.control.send({"event": "born", "id": order["id"], "pid": pid}, held)
        if held is not None:
            os.close(held)

    def _reap(self) -> None:
        for number, child in list(self.children.items()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                del self.children[number]
                code = os.waitstatus_to_exitcode(status)
                child.buried()
                if child.group is not None and not child.group.remove():
                    self.emptied.append(child.group)
                self.control.send(
                    {"event": "gone", "id": number, "code": code, "why": child.reason}
                )

    def _end(self) -> None:
        for child in self.children.values():
            child.kill("asked")
        for child in self.children.values():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child.pid, 0)
            if child.group is not None:
                child.group.remove()


def _bell() -> int:
    """Return a descriptor that can be read whenever a child has ended."""
    heard, rung = os.pipe()
    os.set_blocking(rung, False)
    signal.set_wakeup_fd(rung, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return heard


def _become_worker(
    mother: int,
    fd: int,
    order: dict[str, Any],
    kind: kinds.Kind,
    threads: int,
    group: groups.Group | None,
) -> None:
    signal.set_wakeup_fd(-1)
    sandbox.die_with_parent()
    if os.getppid() != mother:  # she ended before the kernel was told
        return
    grouped = group is not None and group.join()
    with contextlib.suppress(OSError):
        os.setsid()  # where the kernel shares out by sessions, each worker has its own share
        groups.share("self", kind.opens, group)
    # Of all that the mother had open only the worker's own wire is kept.
    os.dup2(fd, 3)
    for other in [int(name) for name in os.listdir("/dev/fd")]:  # noqa: PTH208 - plain names
        if other > 3:
            with contextlib.suppress(OSError):  # the listing's own, gone by now
                os.close(other)
    log = os.open(Path(order["scratch"]) / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for standard in (1, 2):  # 0 is the mother's own /dev/null
        os.dup2(log, standard)
    os.close(log)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    with contextlib.suppress(OSError):  # when RAM runs out, a worker goes before anything else
        Path("/proc/self/oom_score_adj").write_text("1000")
    from workers import worker

    scratch = Path(order["scratch"])
    for name in ("HOME", "TMPDIR", "MPLCONFIGDIR", "XDG_CACHE_HOME", "TORCH_HOME", "KERAS_HOME"):
        os.environ[name] = str(scratch)
    import tempfile

    tempfile.tempdir = str(scratch)
    os.chdir(scratch)
    os.umask(0o077)
    devices = device.given(device.asked()) if kind.gpu else ()
    state = sandbox.enter(
        read=[*(Path(path) for path in order["read"]), *(device.told() if devices else ())],
        write=scratch,
        address_space=None if devices else max(16 << 30, 2 * order["memory"]),
        devices=devices,
    )
    (state["layers"] if grouped else state["missing"]).append("memory group")
    os.environ["VITRINE_SANDBOX"] = "holds" if sandbox.floor(state) else "missing"
    worker.serve(socket.socket(fileno=3), kind.name, threads, state, scratch)


def _import(kind: kinds.Kind) -> None:
    for name in (*kind.imports, *kinds.OURS, *kind.adapters):
        importlib.import_module(name)
    from xai_core import explainer, task

    explainer.explainers()
    task.tasks()
    if kind.reads:
        from loaders import load

        load.prepare()


def main() -> None:
    """Import, say so, and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=kinds.KINDS)
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--board", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--wall", type=Path, required=True)
    parser.add_argument("--groups", type=Path)
    told = parser.parse_args()
    wires = control.Control(socket.socket(fileno=told.control))
    kind = kinds.kind(told.kind)
    start = time.monotonic()
    try:
        _import(kind)
    except Exception as error:
        wires.send({"event": "failed", "why": f"{type(error).__name__}: {error}"[:2000]})
        raise
    gc.collect()
    gc.freeze()  # so that a child's collector does not copy every page it inherited
    mother = Mother(wires, control.Board(told.board), kind, told.threads, told.groups)
    offered = sandbox.available()
    seconds = time.monotonic() - start
    wires.send({"event": "ready", "seconds": seconds, "sandbox": dict(offered)})
    mother.run()
    if not mother.dismissed:
        # The client died without a goodbye: nobody else will clear away what it left.
        folders.remove(told.wall)


if __name__ == "__main__":
    main()
