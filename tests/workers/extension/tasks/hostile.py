"""Tasks that do what a model would that has taken over its worker."""

import ctypes
import json
import os
import platform
import struct
import sys
import threading
import time
from pathlib import Path
from types import MappingProxyType

import numpy as np

from tests.workers.extension.tasks.honest import Fake
from workers.tasks.film import DrawFilm
from xai_core import film
from xai_core.result import Result
from xai_core.task import Shape, task


def frame(letter, body, arrays=()):
    """Return a message of the wire, whatever it says."""
    text = json.dumps({"body": body, "arrays": list(arrays)}).encode()
    return letter + struct.pack(">I", len(text)) + text


def write(data):
    """Write all of it to the wire, however slowly it is taken."""
    while data:
        try:
            data = data[os.write(3, data) :]
        except BlockingIOError:
            time.sleep(0.001)


@task
class Sleep(Fake):
    """Blocks in one call, as a long forward pass does; it says that it has begun."""

    patience: float = 600.0

    def limit(self, card):
        return self.patience

    def run(self, bench, progress):
        progress(0, 1)
        while True:
            time.sleep(10)


@task
class Compute(Fake):
    """Blocks inside numpy, with the interpreter's lock held for most of the time."""

    def run(self, bench, progress):
        progress(0, 1)
        numbers = np.random.default_rng(0).random(2_000_000)
        while True:
            np.sort(numbers)


@task
class Hog(Fake):
    """Takes memory without an end."""

    def run(self, bench, progress):
        held = []
        while True:
            held.append(np.ones(1 << 22))  # 32 MiB, touched
            time.sleep(0.01)


@task
class Crowd(Fake):
    """Starts threads without an end."""

    def run(self, bench, progress):
        threading.stack_size(1 << 16)
        while True:
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()


@task
class Linger(Fake):
    """Answers, and goes on computing."""

    def run(self, bench, progress):
        threading.Thread(target=_burn, daemon=True).start()
        return Result()


@task
class Leave(Fake):
    """Ends its main thread and lives on in another."""

    def run(self, bench, progress):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        ctypes.CDLL(None).syscall(_EXIT, 0)


@task
class Hush(Fake):
    """Shuts its wire and lives on."""

    def run(self, bench, progress):
        os.close(3)
        time.sleep(600)


_EXIT = 93 if platform.machine() == "aarch64" else 60


def _burn():
    while True:
        sum(range(10_000))


@task
class Crash(Fake):
    """Crashes as a library does."""

    def run(self, bench, progress):
        print("last words of a library", file=sys.stderr, flush=True)
        ctypes.string_at(0)


@task
class Garbage(Fake):
    """Writes to the wire what it is given, and then nothing."""

    data: str

    def shows(self, card):
        return {"partial": Shape("<f4", (4, 5))}

    def gives(self, card):
        return {"arrays.x": Shape("<f4", (2, "h"), most=64)}

    def run(self, bench, progress):
        write(bytes.fromhex(self.data))
        while True:
            time.sleep(10)


@task
class Flood(Fake):
    """Sends progress as fast as the wire takes it, and never looks for a command."""

    every: float = 0.0
    count: int = 1 << 40
    pad: int = 0

    def run(self, bench, progress):
        for number in range(self.count):
            write(frame(b"P", {"done": number, "total": 1 << 40, "pad": "x" * self.pad}))
            time.sleep(self.every)
        return Result()


@task
class Deaf(Fake):
    """Answers, and reads its wire never again."""

    def run(self, bench, progress):
        write(frame(b"R", Result().to_wire()[0]))
        while True:
            time.sleep(10)


@task
class Nest(Fake):
    """Makes folders in one another."""

    deep: int
    long: int = 100
    stay: bool = False

    def run(self, bench, progress):
        made = os.open(bench.folder, os.O_RDONLY)
        for _ in range(self.deep):
            os.mkdir("d" * self.long, dir_fd=made)
            inner = os.open("d" * self.long, os.O_RDONLY, dir_fd=made)
            os.close(made)
            made = inner
        os.mkdir("shut", 0, dir_fd=made)
        progress(1, 1)
        while self.stay:
            time.sleep(10)
        return Result()


@task
class Links(Fake):
    """Names files to serve that are none of its own."""

    files = MappingProxyType({"film": 1 << 10})
    what: str
    target: str

    def run(self, bench, progress):
        place = bench.folder / "film.gif"
        if self.what == "link":
            place.symlink_to(self.target)
        elif self.what == "pipe":
            os.mkfifo(place)
        elif self.what == "long":
            place.write_bytes(b"x" * 2000)
        names = {"other": "film.gif", "path": self.target, "up": "../film.gif"}
        name = "other" if self.what == "other" else "film"
        return Result(files={name: Path(names.get(self.what, "film.gif"))})


@task
class Undeclared(Fake):
    """Shows an array that it does not declare: a mistake, not an attack."""

    def run(self, bench, progress):
        progress(0, 1, arrays={"secret": np.zeros(3)})


@task
class FalseFilm(DrawFilm):
    """Draws a film and sends another one."""

    name = "false-film"
    what: str

    def run(self, bench, progress):
        """Return what the wire takes apart as a film: plain data and arrays."""
        made = super().run(bench, progress)
        return _False(*getattr(self, f"_{self.what or 'good'}")(*made.to_wire()))

    def _good(self, data, arrays):
        return data, arrays

    def _png(self, data, arrays):
        return data, arrays | {"frames.0.file": np.frombuffer(b"\x89PNG" + bytes(80), np.uint8)}

    def _long(self, data, arrays):
        file = arrays["frames.0.file"]
        return data, arrays | {"frames.0.file": np.append(file, np.zeros(2, np.uint8))}

    def _wide(self, data, arrays):
        file = arrays["still.file"].copy()
        file[26:30] = 0xFF, 0x3F, 24, 0
        return data, arrays | {"still.file": file}

    def _sizes(self, data, arrays):
        file = arrays["frames.1.file"].copy()
        file[26] -= 1
        return data, arrays | {"frames.1.file": file}

    def _frames(self, data, arrays):
        more = {f"frames.{at}.file": arrays["frames.0.file"] for at in range(film.FRAMES + 1)}
        return data | {"frames": [data["frames"][0]] * len(more)}, arrays | more

    def _fast(self, data, arrays):
        return data | {"seconds": 1e-6}, arrays

    def _wordy(self, data, arrays):
        return data | {"title": "x" * 1001}, arrays

    def _markup(self, data, arrays):
        first = data["frames"][0] | {"caption": "<script>alert(1)</script>"}
        return data | {"frames": [first, *data["frames"][1:]]}, arrays

    def _table(self, data, arrays):
        table = {"head": ["x"], "rows": [["x"] * 400]}
        return data | {"steps": [{"sentence": "x", "table": table}]}, arrays

    def _steps(self, data, arrays):
        return data | {"steps": [{"sentence": "x"}] * 17}, arrays

    def _type(self, data, arrays):
        return data, arrays | {"still.file": arrays["still.file"].astype(np.float32)}

    def _bytes(self, data, arrays):
        return data, arrays | {"frames.0.file": np.zeros((24 << 20) + 1, np.uint8)}

    def _strange(self, data, arrays):
        return data, arrays | {"arrays.secret": np.zeros(3, np.float32)}


class _False:
    def __init__(self, *wire):
        self.to_wire = lambda: wire
