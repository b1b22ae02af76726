"""A model that is a dictionary, and tasks that do as they are told."""

import dataclasses
import os
import threading
import time
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from tests.workers import probe
from xai_core.errors import LoadError
from xai_core.model import RunsFrom
from xai_core.result import Result
from xai_core.task import Shape, Task, task


class Fake(Task):
    """Base: a task for a worker that holds no framework."""

    worker = "plain"

    def gives(self, card):
        return {"arrays.*": Shape("<f8", ("", ""), most=1 << 20)}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Said(Result):
    pid: int = 0
    calls: int = 0
    words: tuple[str, ...] = ()


@task
class Hold(Fake):
    """Leaves a model that is a dictionary, as the text of its file says."""

    path: Path
    patience: float = 30.0

    def limit(self, card):
        return self.patience

    def late(self, limit):
        return f"The fake did not finish within {limit:g} s."

    def run(self, bench, progress):
        text = self.path.read_text()
        if text == "crash":
            os._exit(9)
        if text == "refuse":
            raise LoadError("This file is not a model.")
        while text == "endless":
            time.sleep(0.05)
        while text == "gate" and not self.path.with_name("gate").exists():
            progress(0, 1)
            time.sleep(0.05)
        bench.kept["model"] = {"text": text, "calls": 0}
        return Result(notes=(text,))


@task
class Echo(Fake):
    """Counts the calls of the worker's model."""

    returns = Said

    x: NDArray[np.float64] | None = None

    def run(self, bench, progress):
        model = bench.kept["model"]
        model["calls"] += 1
        arrays = {} if self.x is None else {"x": self.x}
        return Said(pid=os.getpid(), calls=model["calls"], arrays=arrays)


@task
class Steps(Fake):
    """Makes steps that show a map and an array, until it is told to stop."""

    commands = ("pause", "go on", "step", "stop")

    steps: int
    pause: float = 0.02
    patience: float = 60.0

    def limit(self, card):
        return self.patience

    def shows(self, card):
        return {"partial": Shape("<f4", (4, 5)), "epoch": Shape("<i4", ("",), most=100)}

    def run(self, bench, progress):
        made = 0
        for step in range(self.steps):
            made = step + 1
            shown = {"epoch": np.arange(step % 10, dtype=np.int32)}
            progress(step, self.steps, np.full((4, 5), step, np.float32), shown)
            if progress.stopping:
                break
            time.sleep(self.pause)
        return Result(scalars={"steps": made})


@task
class Boom(Fake):
    """Fails as a library does."""

    def run(self, bench, progress):
        raise ValueError("seven is not eight")


@task
class Needy(Fake):
    """Needs what the model of the tests has not."""

    needs = (RunsFrom,)


@task
class Environment(Fake):
    """Tells its environment."""

    returns = Said

    def run(self, bench, progress):
        return Said(words=tuple(f"{name}={value}" for name, value in os.environ.items()))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Outcomes(Result):
    outcomes: tuple[str, ...]


@task
class Probe(Fake):
    """Tries all that a hostile model would."""

    returns = Outcomes

    given: str

    def run(self, bench, progress):
        import json

        made = probe.attempt(json.loads(self.given))
        return Outcomes(outcomes=tuple(f"{name}: {result}" for name, result in made.items()))


@task
class Spend(Fake):
    """Uses what a worker must be able to use: threads, its scratch folder, our own files."""

    returns = Said

    def run(self, bench, progress):
        seen = []
        thread = threading.Thread(target=lambda: seen.append(threading.get_native_id()))
        thread.start()
        thread.join()
        (bench.folder / "note.txt").write_text("mine")
        source = Path(__file__).read_text()
        return Said(
            words=(
                str(seen[0] != os.getpid()),
                (bench.folder / "note.txt").read_text(),
                source.split("\n", 1)[0],
            )
        )


@task
class Files(Fake):
    """Leaves a file to serve."""

    files = MappingProxyType({"film": 1 << 10})
    size: int = 10

    def run(self, bench, progress):
        (bench.folder / "film.gif").write_bytes(b"x" * self.size)
        return Result(files={"film": Path("film.gif")})
