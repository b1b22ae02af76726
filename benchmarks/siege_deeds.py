"""What the hostile visitor of a siege sends: sources of networks, and lists of names."""

from __future__ import annotations

from collections.abc import Callable

NETWORK = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 3)

    def forward(self, x):
        return self.head(x.mean((2, 3)))

def deed():
    import ctypes, os, threading, time
"""

DEEDS = {
    "memory without an end": (
        "held = []\nwhile True:\n    held.append(bytearray(b'x') * (64 << 20))"
    ),
    "memory that a leader left behind": (
        "def grow():\n    held = []\n    while True:\n"
        "        held.append(bytearray(b'x') * (64 << 20))\n"
        "threading.Thread(target=grow).start()\nctypes.CDLL(None).syscall(60, 0)"
    ),
    "threads without an end": (
        "while True:\n    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()"
    ),
    "computing after its answer": (
        "def burn():\n    while True:\n        sum(range(10000))\n"
        "threading.Thread(target=burn, daemon=True).start()"
    ),
    "no end": "while True:\n    pass",
    "files without a name": (
        "held = []\nwhile True:\n    file = open('f', 'wb')\n    os.unlink('f')\n"
        "    file.write(bytes(256 << 20))\n    file.flush()\n    held.append(file)"
    ),
    "empty files": "for n in range(10 ** 7):\n    open(f'f{n}', 'w').close()",
    "deep folders": "while True:\n    os.mkdir('d' * 200)\n    os.chdir('d' * 200)",
    "noise on the wire": "while True:\n    os.write(3, bytes(1 << 16))",
    "a flood of progress": (
        "import json, struct\ntext = json.dumps({'body': {'done': 1, 'total': 2}, 'arrays': []})\n"
        "while True:\n    os.write(3, b'p' + struct.pack('>I', len(text)) + text.encode())"
    ),
    "silence on the wire": "os.close(3)\ntime.sleep(600)",
    "a crash": "ctypes.string_at(0)",
    "its own log, as a folder": "os.unlink('worker.log')\nos.mkdir('worker.log')\nos._exit(3)",
}
"""What the source of a network's class does when it is read, all but one without an end."""

TEXTS: dict[str, Callable[[], str]] = {
    "one endless word": lambda: "class " + "a" * 1_900_000,
    "400,000 names": lambda: "\n".join(f"n{number}" for number in range(400_000)),
    "brackets": lambda: "[" * 1_900_000,
}
"""What is sent as the names of a model's classes."""
