"""Hostile sources that wait until they hold a worker, and then turn on the wall by its wire.

Each is the text of a network's class. It may be run in a worker, where descriptor 3 is the wire,
or by `control`, where nothing holds it: then a careless reader has the other end.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT
from tests.hostile.sources import NETWORK

TOOLS = """
import json, os, struct, time


def frame(letter, body, arrays=()):
    text = body if isinstance(body, bytes) else json.dumps({"body": body, "arrays": list(arrays)})
    text = text if isinstance(text, bytes) else text.encode()
    return letter + struct.pack(">I", len(text)) + text


def write(data):
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(3, left):]
        except BlockingIOError:
            time.sleep(0.001)


def for_ever():
    while True:
        time.sleep(10)


def instead(name, deed):
    # from now on the deed is done for every order of that name
    from workers import worker

    honest = worker._obey

    def obey(bench, channel, order, arrays):
        if order["task"] == name:
            deed()
            for_ever()
        return honest(bench, channel, order, arrays)

    worker._obey = obey
"""

SAID = """
SAID = {
    "probabilities": None, "logits": None, "seconds": 0.1, "findings": [], "scalars": {},
    "arrays": {}, "notes": [], "files": {},
    "geometry": {"photo": [40, 40], "box": [0.0, 0.0, 40.0, 40.0], "view": [40, 40]},
}
SCORES = [["probabilities", "<f4", [3]], ["logits", "<f4", [3]]]
THREE = struct.pack("<6f", 0, 0, 1, 0, 0, 1)
"""
"""A whole answer to `predict` about a photo of 40 x 40."""


def at_once(deed: str) -> str:
    """Return a source that does a deed while it is read."""
    return TOOLS + SAID + deed + "\n" + NETWORK


def at(task: str, deed: str) -> str:
    """Return a source that loads well, and does a deed in the place of a task."""
    lines = "".join(f"    {line}\n" for line in deed.strip().split("\n"))
    return at_once(f"def deed():\n{lines}\ninstead({task!r}, deed)\n")


@contextlib.contextmanager
def control(text: str, task: str, folder: Path) -> Iterator[socket.socket]:
    """Run a source that nothing holds, order a task, and give the end that hears its answer."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        (folder / "control.py").write_text(
            f"import os\nos.dup2({theirs.fileno()}, 3)\n{text}\nfrom workers import worker\n"
            f"worker._obey(None, None, {{'task': {task!r}}}, {{}})\n"
        )
        run = subprocess.Popen(
            [sys.executable, "control.py"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        try:
            yield ours
        finally:
            run.kill()
            run.wait()
