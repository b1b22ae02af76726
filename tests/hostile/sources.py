"""Hostile sources of a network's class: what each does, and a network that fits all the same."""

from __future__ import annotations

import dataclasses

from tests.hostile.attack import Aim

NETWORK = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.conv(x).mean((2, 3)))
"""

_TRIED = """
def tried(deed):
    # the deed leaves the mark where it succeeds
    try:
        deed()
        open({mark!r}, "w").close()
    except BaseException as error:
        print(repr(error))
"""


@dataclasses.dataclass(frozen=True)
class Source:
    """A hostile source. `control` says whether it leaves its mark where nothing holds it.

    `ends` is a pattern for the sentence that it must end in; empty where it may also run.
    """

    deed: str
    control: bool = True
    ends: str = ""

    def text(self, aim: Aim) -> str:
        """Return the source, aimed."""
        values = {"mark": str(aim.mark), "port": aim.port, "secret": str(aim.secret)}
        deed = self.deed
        for name, value in values.items():
            deed = deed.replace("{" + name + "}", str(value))
        return _TRIED.format(mark=str(aim.mark)) + deed + NETWORK


_READ = "import os, pathlib\ndef deed():\n    {}\ntried(deed)\n"

SOURCES: dict[str, Source] = {
    # what it would leave behind, or take away
    "a file": Source("tried(lambda: 0)\n"),
    "a shell": Source(
        "import os\ndef deed():\n    assert os.system('touch {mark}') == 0\ntried(deed)\n"
    ),
    "a process": Source("import subprocess\ntried(lambda: subprocess.check_call(['true']))\n"),
    "a copy of itself": Source(
        "import os\ndef deed():\n    child = os.fork()\n    if child == 0:\n        os._exit(0)\n"
        "    os.waitpid(child, 0)\ntried(deed)\n"
    ),
    "many copies": Source(
        "import os\ndef deed():\n    for _ in range(9):\n        child = os.fork()\n"
        "        if child == 0:\n            os._exit(0)\n        os.wait()\ntried(deed)\n"
    ),
    "a socket": Source(
        "import socket\ntried(lambda: socket.create_connection(('127.0.0.1', {port}), 1).close())\n"
    ),
    "a download": Source(
        "import urllib.request, http.client\ndef deed():\n"
        "    try:\n        urllib.request.urlopen('http://127.0.0.1:{port}/', timeout=1)\n"
        "    except (http.client.RemoteDisconnected, ConnectionResetError):\n        pass\n"
        "tried(deed)\n"
    ),
    "C": Source(
        "import ctypes\ndef deed():\n"
        "    assert ctypes.CDLL(None).creat(b'{mark}', 0o600) >= 0\ntried(deed)\n"
    ),
    "somebody's file": Source(
        _READ.format("print(pathlib.Path('{secret}').read_text()); open('{secret}').close()")
    ),
    "somebody's file in an error": Source(
        "text = ''\ndef deed():\n    global text\n    text = open('{secret}').read()\n"
        "tried(deed)\nif text: raise ValueError(text)\n"
    ),
    "a link to somebody's file": Source(
        _READ.format("os.symlink('{secret}', '{mark}.link'); open('{mark}.link').close()")
    ),
    "somebody's folder": Source(
        _READ.format("assert os.listdir(pathlib.Path('{secret}').parent.parent)")
    ),
    "the server's surroundings": Source(
        _READ.format("assert open(f'/proc/{os.getppid()}/environ', 'rb').read()")
    ),
    "the server's life": Source(
        "import os, signal\ndef deed():\n    os.kill(os.getppid(), 0)\n"
        "    if os.environ.get('VITRINE_SANDBOX'):\n        os.kill(os.getppid(), 9)\ntried(deed)\n"
    ),
    "a thread that stays": Source(
        "import threading, time\ndef work():\n    for _ in range(200):\n"
        "        tried(lambda: 0)\n        time.sleep(0.05)\n"
        "threading.Thread(target=work, daemon=True).start()\ntime.sleep(0.1)\n"
    ),
    "a last word": Source(
        "import atexit\n__import__('atexit').register(lambda: open('{mark}', 'w').close())\n"
    ),
    "in the forward": Source(
        "from torch.nn.modules.module import register_module_forward_hook\n"
        "register_module_forward_hook(lambda *ignored: tried(lambda: 0))\n"
    ),
    "its own file": Source(
        "import sys\ndef deed():\n    frame = sys._getframe()\n    while frame:\n"
        "        path = frame.f_locals.get('path')\n"
        "        if path is not None: open(path, 'r+b').write(b'changed')\n"
        "        frame = frame.f_back\ntried(deed)\n"
    ),
    # what would stop the server, or tire it
    "no end": Source("while True: pass\n", False, r"The source did not finish within"),
    "no end, quietly": Source(
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass\n",
        False,
        r"The source did not finish within",
    ),
    "all the memory": Source(
        "import resource\ntry:\n    most = resource.RLIM_INFINITY\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (most, most))\nexcept Exception: pass\n"
        "held = []\nwhile True: held.append(bytearray(b'x') * (64 << 20))\n",
        False,
        "memory",
    ),
    "a hundred megabytes of words": Source(
        "for _ in range(100): print('x' * 1_000_000)\n", False
    ),
    "a deep fall": Source(
        "import sys\nsys.setrecursionlimit(10**9)\ndef fall(): return fall() + 1\nfall()\n",
        False,
        "crashed|memory|RecursionError|ended by itself",
    ),
    "an exit": Source("import os\nos._exit(0)\n", False, "ended by itself"),
    "an abort": Source("import os\nos.abort()\n", False, "crashed"),
    "closed doors": Source(  # where the machine is busy, it is stopped before it has ended
        "import os\nos.closerange(0, 256)\n", False, r"ended|crashed|stopped talking"
    ),
    "no words at all": Source(
        "import os, sys\nsys.stdout = sys.stderr = None\nos.close(1); os.close(2)\n", False
    ),
    "deaf ears": Source(
        "import signal\nfor n in range(1, 32):\n    try: signal.signal(n, signal.SIG_IGN)\n"
        "    except OSError: pass\n",
        False,
    ),
    # what would speak in the worker's place
    "noise on the wire": Source(
        "import os\nos.write(3, b'\\x00\\x00\\x00\\x05hello')\n", False, "no known kind"
    ),
    "a huge word on the wire": Source(
        "import os\nos.write(3, b'R\\xff\\xff\\xff\\xff')\n",
        False,
        "kind result, of 4294967295 bytes",
    ),
    "an empty answer on the wire": Source(
        "import os, struct\n"
        'text = b\'{"body": {}, "arrays": []}\'\n'
        "os.write(3, struct.pack('>cI', b'R', len(text)) + text)\n",
        False,
        "made no sense",
    ),
    "another's JSON": Source(
        "import json\njson.dumps = lambda *a, **k: '{\"body\": {\"card\": "
        '{"kind": "<script>"}}, "arrays": []}\'\n',
        False,
        "made no sense",
    ),
    "another's card": Source(
        "from xai_core import plain\n"
        "plain.pack = lambda *a: ({'kind': '<b>' * 10_000, 'hash': ''}, {})\n",
        False,
        "made no sense",
    ),
    "another's arrays": Source(
        "import numpy\nnumpy.full = lambda *a, **k: 'x'\nnumpy.asarray = lambda *a, **k: 'x'\n",
        False,
    ),
}  # fmt: skip
