"""Occlusion: our engine and Xplique's on one model, as multiples of the bare forward passes.

`python -m benchmarks.occlusion`: one thread, CPU time, medians of alternating rounds, and the
memory that each adds at its peak. The network is torchvision's mobilenet_v2 with random weights.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
os.environ |= {"TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}

import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

ROUNDS = 3
PATCH = {"patch_height": 32, "patch_width": 32, "stride_height": 24, "stride_width": 24}


def cpu_seconds(work: Callable[[], Any]) -> float:
    """Return the CPU time that `work` takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def peak() -> float:
    """Return the most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print one row an engine."""
    import torch
    from torchvision import models

    from loaders.preprocessing import preset
    from loaders.torch.model import BATCH, TorchModel
    from xai_core.explainer import make
    from xai_core.target import ClassTarget

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = TorchModel(
        models.mobilenet_v2(weights=None, num_classes=10),
        name="mobilenet_v2",
        kind="random weights",
        architecture="mobilenet_v2",
        preprocessing=preset("imagenet", (224, 224)),
        labels=tuple(map(str, range(10))),
    )
    view = np.random.default_rng(0).random((224, 224, 3), np.float32)
    ours = make("occlusion", PATCH | {"overlap": "sum"})
    theirs = make("occlusion", PATCH, engine="xplique")
    passes = ours.cost(model).passes
    batch = np.repeat(view[None], BATCH, 0)

    def forward() -> None:
        for _ in range(passes // BATCH):
            model.logits(batch)

    works: dict[str, Callable[[], Any]] = {
        "bare forward passes": forward,
        "ours": lambda: ours.explain(model, view, ClassTarget(0)),
        "xplique": lambda: theirs.explain(model, view, ClassTarget(0)),
    }
    added: dict[str, float] = {}
    for name, work in works.items():
        before = peak()
        work()
        added[name] = peak() - before
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            times[name].append(cpu_seconds(work))
    bare = statistics.median(times["bare forward passes"]) / (passes // BATCH * BATCH) * passes
    print(f"Occlusion of a 224 px view, {passes} passes, torch mobilenet_v2, one thread")
    for name in works:
        ratio = statistics.median(times[name]) / bare
        print(f"{name:22} {ratio:5.2f} x the bare passes   {added[name]:6.0f} MB more at the peak")


if __name__ == "__main__":
    main()
