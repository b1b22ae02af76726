"""What the wall adds to one call: the same task on a warm worker, and in this process."""

from __future__ import annotations

import functools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.row import Case, Size, row

ROUNDS = 15


def spent(pid: int) -> float:
    """Return the milliseconds of processor time of this process and of another."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    other = sum(int(each.read_text().split()[0]) for each in tasks)
    return 1000 * time.process_time() + other / 1e6


def medians(works: dict[str, Callable[[], Any]], pid: int) -> dict[str, tuple[float, float]]:
    """Return the milliseconds of each, run in turn: the processors' median, the clock's least.

    The clock counts what else the machine does, too, before which a worker stands back.
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            start, before = time.perf_counter(), spent(pid)
            work()
            taken[name].append((spent(pid) - before, 1000 * (time.perf_counter() - start)))
    return {
        name: (statistics.median(cpu for cpu, _ in each), min(clock for _, clock in each))
        for name, each in taken.items()
    }


@row(what="a predict and a Grad-CAM of a built-in model, on a warm worker less in-process",
     goal="30 ms", memory=False, alone=True)  # fmt: skip
def wall_cost(size: Size) -> Case:
    """Say the milliseconds that the wall adds to each."""
    from loaders import catalogue
    from workers.client import Wall
    from workers.tasks.explain import Explain
    from workers.tasks.load import Load
    from workers.tasks.predict import Predict
    from xai_core.question import Question
    from xai_core.target import ClassTarget
    from xai_core.task import Bench, silent

    entry = next(entry for entry in catalogue.models() if entry.framework == "torch")
    photo = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    tasks = {
        "predict": Predict(pixels=photo),
        "Grad-CAM": Explain(
            pixels=photo, question=Question(method="grad-cam", target=ClassTarget(0))
        ),
    }
    bench, said = Bench(), {}
    Load(path=entry.path, options=entry.options, called="x").run(bench, silent)
    with tempfile.TemporaryDirectory() as folder:
        wall = Wall(cores=1, spool=Path(folder) / "spool")
        try:
            session = wall.session("x")
            handle = session.open(entry.path, entry.options, name="x", trusted_path=True)
            handle.loading.result(600)
            for name, task in tasks.items():
                handle.run(task).result(600)
                task.run(bench, silent)
                works: dict[str, Callable[[], Any]] = {
                    "behind": functools.partial(_through, handle, task),
                    "here": functools.partial(task.run, bench, silent),
                }
                worker: Any = handle._own._worker
                found = medians(works, worker.pid)
                cpu, clock = (found["behind"][at] - found["here"][at] for at in (0, 1))
                said[name] = (
                    f"{cpu:.0f} ms of processor time, {clock:.0f} ms by the clock at its quickest, "
                    f"on {found['here'][0]:.0f}"
                )
            session.close()
        finally:
            wall.close()
    return Case(said=said)


def _through(handle: Any, task: Any) -> Any:
    return handle.run(task).result(600)
