"""Tasks that announce, and do not listen."""

import time

from tests.workers.extension.tasks.honest import Fake
from tests.workers.extension.tasks.hostile import frame, write
from xai_core.task import Shape, task


@task
class Promise(Fake):
    """Announces half a gigabyte that it may bring, and brings a hundred bytes."""

    def gives(self, card):
        return {"arrays.x": Shape("|u1", ("",), most=1 << 29)}

    def run(self, bench, progress):
        progress(0, 1)
        write(frame(b"R", {}, [["arrays.x", "|u1", [1 << 29]]]) + bytes(100))
        while True:
            time.sleep(10)


@task
class Mute(Fake):
    """Begins, takes every command, and reads none."""

    commands = ("pause", "go on", "step", "stop")

    def run(self, bench, progress):
        write(frame(b"P", {"done": 1, "total": 2}))
        while True:
            time.sleep(10)
