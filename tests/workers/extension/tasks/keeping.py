"""Tasks that leave a live object in their worker, and that look at what is there."""

import sys

import numpy as np
from numpy.typing import NDArray

from tests.workers.extension.tasks.honest import Fake, Said
from xai_core.result import Result
from xai_core.task import Shape, Wants, task


@task
class Keep(Fake):
    """Leaves a function, which no wire could carry."""

    by: int

    def run(self, bench, progress):
        bench.kept["times"] = lambda x: x * self.by
        return Result()


@task
class Use(Fake):
    """Calls what was kept, if it is there."""

    x: float

    def run(self, bench, progress):
        kept = bench.kept.get("times")
        return Result(scalars={} if kept is None else {"y": kept(self.x)})


@task
class Modules(Fake):
    """Tells which modules its worker has imported, wherever that is."""

    returns = Said
    text = 1 << 20

    where: Wants = "plain"

    def wants(self):
        return self.where

    def run(self, bench, progress):
        return Said(words=tuple(sys.modules))


@task
class Parcel(Fake):
    """Is as large as wanted, and gives it back."""

    x: NDArray[np.float64]
    patience: float = 600.0

    def limit(self, card):
        return self.patience

    def run(self, bench, progress):
        return Result(arrays={"x": self.x})


@task
class Show(Fake):
    """Shows what it is asked to, whether that is declared or not."""

    what: str

    def shows(self, card):
        return {
            "partial": Shape("<f4", (4, 5)),
            "epoch": Shape("<i4", ("",), most=100),
            "layer.*": Shape("<f4", ("", 2), most=1 << 16),
        }

    def run(self, bench, progress):
        made = {
            "good": {"epoch": np.arange(7, dtype=np.int32)},
            "name": {"secret": np.zeros(3, np.float32)},
            "type": {"epoch": np.arange(7.0)},
            "rank": {"epoch": np.zeros((2, 2), np.int32)},
            "sides": {"layer.0": np.zeros((2, 3), np.float32)},
            "too many": {"epoch": np.zeros(101, np.int32)},
            "words": {f"layer.{n:080}": np.zeros((1, 2), np.float32) for n in range(60)},
            "layers": {f"layer.{n}": np.full((1, 2), n, np.float32) for n in range(60)},
        }[self.what]
        progress(1, 2, np.zeros((4, 5), np.float32), made)
        return Result()
