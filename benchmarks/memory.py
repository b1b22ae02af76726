"""What the two largest runs hold above their model, in the worker that does them.

`python -m benchmarks.memory`: RISE with 20,000 masks on a grid of 13, and occlusion with a patch of
12 and a stride of 4, at 299 pixels, in PyTorch and in Keras, through the wall as a page's runs.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from loaders.preprocessing import Options

SIDE = 299
RUNS: dict[str, dict[str, Any]] = {
    "rise": {"masks": 20_000, "grid": 13, "keep": 0.5},
    "occlusion": {"patch_height": 12, "patch_width": 12, "stride_height": 4, "stride_width": 4},
}
MOST = 300.0
"""MB that a run may hold above its model."""
EVERY = 0.05
"""Seconds from one look at the worker's memory to the next."""
PHOTO = np.random.default_rng(0).integers(0, 256, (300, 320, 3), dtype=np.uint8)


@dataclasses.dataclass
class Told:
    """What a run showed: its passes, how often its progress and its map changed, its memory in MB.

    `before` is what the worker held once the model had answered, `peak` the most in the run.
    """

    state: str
    passes: int
    of: int
    seconds: float
    steps: int
    maps: int
    before: float
    peak: float

    @property
    def above(self) -> float:
        """What the run held above the model."""
        return self.peak - self.before


def held(pid: int) -> float:
    """Return the memory that is a process's own, in MB: without what it shares with its mother."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rows = {line.split(":")[0]: line.split()[1] for line in text.splitlines()[1:]}
    return sum(int(rows[name]) for name in ("Private_Dirty", "Private_Clean")) / 1024


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """Look at a process's memory again and again while this is open."""
    seen, over = [held(pid)], threading.Event()

    def look() -> None:
        while not over.wait(EVERY):
            try:
                seen.append(held(pid))
            except OSError:  # a cancelled worker that did not listen in time is gone
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def network(framework: str, folder: Path) -> tuple[Path, Options]:
    """Return the file of a small network that takes 299 pixels, and how it is opened."""
    from loaders import catalogue

    if framework == "torch":
        entry = next(entry for entry in catalogue.models() if entry.framework == framework)
        return entry.path, Options(classes=entry.classes, size=(SIDE, SIDE))
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(0)
    made = keras.Sequential(
        [
            layers.Input((SIDE, SIDE, 3)),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Conv2D(64, 3, strides=2, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    made.save(folder / "small.keras")
    return folder / "small.keras", Options()


def run(handle: Any, method: str, values: dict[str, Any], stop_at: int = 0) -> Told:
    """Have a model's worker explain the photo, and look at what it holds meanwhile.

    With `stop_at` the run is cancelled once its map has changed that often.
    """
    from xai_core.question import Question
    from xai_core.target import ClassTarget

    handle.predict(PHOTO).result(600)
    pid = handle._own._worker.pid
    before, start = held(pid), time.perf_counter()
    done, maps, total = {0}, set[int](), 0
    with watched(pid) as seen:
        job = handle.explain(PHOTO, Question(method=method, target=ClassTarget(0), values=values))
        while not job.over:
            now = job.snapshot()
            done.add(now.done)
            total = max(total, now.total)
            if now.partial is not None:
                maps.add(hash(now.partial.tobytes()))
            if stop_at and len(maps) >= stop_at:
                job.cancel()
            time.sleep(EVERY)
    state = job.snapshot().state
    if state == "failed":
        job.result(0)
    took = time.perf_counter() - start
    return Told(state, max(done), total, took, len(done), len(maps), before, max(seen))


def main() -> None:
    """Print a row for each framework and run."""
    from workers.client import Wall

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--framework", action="append", choices=["torch", "keras"])
    asked = parser.parse_args().framework or ["torch", "keras"]
    with tempfile.TemporaryDirectory() as folder:
        wall = Wall(cores=1, spool=Path(folder) / "spool")
        try:
            for framework in asked:
                path, options = network(framework, Path(folder))
                session = wall.session(framework)
                handle = session.open(path, options, name=path.stem, trusted_path=True)
                handle.loading.result(600)
                for method, values in RUNS.items():
                    told = run(handle, method, values)
                    print(
                        f"{path.name:18} {method:10} {told.of:6,} passes in {told.seconds:4.0f}"
                        f" s: {told.steps} steps and {told.maps} maps seen, {told.before:.0f} MB "
                        f"before and {told.above:.0f} MB above it at the most",
                        flush=True,
                    )
                    if told.above > MOST:
                        raise SystemExit(f"{method} holds more than {MOST:.0f} MB above the model")
                session.close()
        finally:
            wall.close()


if __name__ == "__main__":
    main()
