"""RISE in two streams of one thread on two cores: alone, and beside a process that never rests."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.speed import networks
from benchmarks.speed.row import Case, Size, Work, row
from benchmarks.speed.rows.rise import explains
from xai_core.report.numbers import percent

GOAL, ROUNDS = 1000, 3
STREAMS = 2
BUSY = "print(flush=True)\nwhile True: pass"


def taken(work: Work) -> tuple[float, float]:
    """Return the seconds that `work` takes by the clock, and of the processors."""
    start, before = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - before


@contextlib.contextmanager
def neighbour() -> Iterator[None]:
    """Keep a process busy beside this one, on the same cores."""
    command = [sys.executable, "-c", BUSY]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own words
        try:
            if process.stdout:
                process.stdout.readline()  # it is at it
            yield
        finally:
            process.kill()


def quickest(work: Work, rounds: int = ROUNDS) -> list[tuple[float, float]]:
    """Return what the quickest of that many runs took: alone, and, in turn with it, beside one.

    The clock counts what else the machine does, of which the quickest run has least.
    """
    alone, beside = [], []
    for _ in range(rounds):
        alone.append(taken(work))
        with neighbour():
            beside.append(taken(work))
    return [min(alone), min(beside)]


@row(
    what="RISE, ResNet-50 in PyTorch, two streams on two cores beside one competing process",
    goal="0.6 of its undisturbed speed (the fair share is 0.67)",
    memory=False,
    alone=True,
)
def streams_two(size: Size) -> Case:
    """Say its speed beside the process, as a part of its speed alone."""
    return beside_one(size, "resnet50")


@row(
    what="RISE, MobileNetV2 where OpenVINO does not serve, two streams of PyTorch beside one "
    "competing process",
    goal="0.6 of its undisturbed speed (the fair share is 0.67)",
    memory=False,
    alone=True,
)
def streams_own(size: Size) -> Case:
    """Say the same of a network that stays in its framework."""
    return beside_one(size, "mobilenet_v2", compiled=False)


def beside_one(size: Size, name: str, *, compiled: bool = True) -> Case:
    """Measure RISE on a network alone, and beside one competing process."""
    import torch

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:STREAMS])
    os.environ["OMP_NUM_THREADS"] = str(STREAMS)  # what a backend goes by
    torch.set_num_threads(STREAMS)
    model = networks.torch_model(name)
    if not compiled:
        passes = model._forward.logits
        passes._ways = passes._ways[1:]  # OpenVINO comes first
    said = networks.started(model)
    work = explains(model, "ours", {"masks": size.count(GOAL, 100), "grid": 7})
    work()
    (alone, busy), (beside, _) = quickest(work)
    return Case(
        said={
            "speed": f"{alone / beside:.2f}",
            "by the clock": f"{alone:.1f} s alone and {beside:.1f} s beside it, each the quickest "
            f"of {ROUNDS}",
            "that it had alone": f"{percent(busy / (STREAMS * alone))} of the two processors",
            **said,
        }
    )
