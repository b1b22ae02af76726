"""How the cost of a run grows: with its passes, with the photo's pixels and with the network.

`python -m benchmarks.growth` measures RISE in a fresh process each, on one thread, keeps it in
docs/growth.json and draws docs/images/growth.png and docs/growth.md; `--draw` only draws again.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}

import argparse
import dataclasses
import datetime
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

DOCS = Path(__file__).resolve().parents[1] / "docs"
DATA, PAGE, PLOT = DOCS / "growth.json", DOCS / "growth.md", DOCS / "images" / "growth.png"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"

SMALLEST = "squeezenet1_1"
SERIES: dict[str, tuple[tuple[str, int, int], ...]] = {
    "passes": tuple((SMALLEST, 96, n) for n in (250, 500, 1000, 2000, 4000, 8000, 16_000)),
    "pixels": tuple((SMALLEST, side, 100) for side in (96, 160, 224, 320, 448, 640)),
    "network": tuple(
        (name, 224, 100)
        for name in (SMALLEST, "mobilenet_v2", "resnet18", "resnet50", "vgg16")
    ),
}  # fmt: skip
"""What grows, and the runs: network, side of the view in pixels, passes."""
AXES = {
    "passes": ("passes", "CPU seconds of the run"),
    "pixels": ("pixels of a view", "CPU milliseconds of a pass"),
    "network": ("multiplications of a pass, in millions", "CPU milliseconds of a pass"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Point:
    """One run: CPU `seconds`, `memory` in MB above a short run's, `work` in multiplications a pass.

    `by` is what ran the passes.
    """

    model: str
    side: int
    passes: int
    seconds: float
    memory: float
    work: float
    by: str

    def at(self, series: str) -> tuple[float, float]:
        """Return where the point lies in a series' plot."""
        if series == "passes":
            return self.passes, self.seconds
        each = 1000 * self.seconds / self.passes
        return (self.side**2, each) if series == "pixels" else (self.work / 1e6, each)


def multiplications(module: Any, side: int) -> float:
    """Return how often a network's convolutions and dense layers multiply in one pass."""
    import torch

    total = 0.0

    def convolved(part: Any, _: Any, out: Any) -> None:
        nonlocal total
        total += out[0].numel() * part.weight[0].numel()

    kinds = (torch.nn.Conv2d, torch.nn.Linear)
    hooks = [
        part.register_forward_hook(convolved)
        for part in module.modules()
        if isinstance(part, kinds)
    ]
    with torch.inference_mode():
        module(torch.zeros(1, 3, side, side))
    for hook in hooks:
        hook.remove()
    return total


def one(name: str, side: int, passes: int) -> Point:
    """Measure a run in this process: its backend is settled and warm before it begins."""
    import torch

    from benchmarks.speed import networks
    from benchmarks.speed.one import added, cpu_seconds
    from xai_core.explainer import make
    from xai_core.target import ClassTarget

    torch.set_num_threads(1)
    model, view = networks.torch_model(name, side), networks.view(side)
    by = model.settled().name

    def explained(masks: int) -> None:
        method = make("rise", {"masks": masks, "grid": 7}, size=model.input_size)
        method.explain(model, view, ClassTarget(0))

    explained(50)
    taken: list[float] = []
    memory = added(lambda: taken.append(cpu_seconds(lambda: explained(passes - 1))))
    return Point(
        model=name,
        side=side,
        passes=passes,
        seconds=taken[0],
        memory=memory,
        work=multiplications(model.native().body, side),
        by=by,
    )


def measured() -> list[Point]:
    """Return every run, each in a process of its own."""
    found: dict[tuple[str, int, int], Point] = {}
    for name, side, passes in dict.fromkeys(run for runs in SERIES.values() for run in runs):
        told = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-W", "ignore", "-m", "benchmarks.growth", "--one", name, str(side),
             str(passes)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        point = Point(**json.loads(told.stdout.strip().splitlines()[-1]))
        found[name, side, passes] = point
        print(point, flush=True)
    return list(found.values())


def of(points: Sequence[Point], series: str) -> list[Point]:
    """Return the runs of a series, in its order."""
    known = {(point.model, point.side, point.passes): point for point in points}
    return [known[run] for run in SERIES[series]]


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """Return the power of x by which y grows: the slope of a line through their logarithms."""
    x, y = np.log(np.asarray(points, np.float64)).T
    return float(np.polyfit(x, y, 1)[0])


def said(told: dict[str, Any]) -> list[str]:
    """Return what was measured, in sentences and a table."""
    points = [Point(**each) for each in told["points"]]
    power = {
        series: exponent([point.at(series) for point in of(points, series)]) for series in SERIES
    }
    runs = {series: of(points, series) for series in SERIES}
    held = {
        series: f"{min(p.memory for p in own):.0f} to {max(p.memory for p in own):.0f} MB"
        for series, own in runs.items()
    }
    first, last = runs["passes"][0], runs["passes"][-1]
    small, large = runs["pixels"][0], runs["pixels"][-1]
    ends = " to ".join(point.model for point in (runs["network"][0], runs["network"][-1]))
    lines = [
        f"CPU time grows as the passes to the power {power['passes']:.2f} (from "
        f"{first.passes:,} to {last.passes:,}), as the pixels to the power "
        f"{power['pixels']:.2f} (from {small.side} to {large.side} px a side), and as the "
        "multiplications of a pass to the power "
        f"{power['network']:.2f} (from {ends}); 1.00 is a straight line through the origin. "
        "Above what it held after a short run of 50 masks, whose buffers serve on, a run held "
        f"{held['passes']} more however many its passes, {held['pixels']} over the sizes of the "
        f"view, and {held['network']} over the networks.",
        "",
        "| network | px | passes | CPU ms a pass | MB more | by |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for point in points:
        lines.append(
            f"| {point.model} | {point.side} | {point.passes:,} "
            f"| {1000 * point.seconds / point.passes:.2f} | {point.memory:.0f} | {point.by} |"
        )
    return [*lines, "", f"Measured {told['date']} on {told['machine']}."]


def drawn(page: str, told: dict[str, Any]) -> str:
    """Return the page with what was measured in its place."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + "\n".join(said(told)) + "\n" + END + rest.partition(END)[2]


def plotted(told: dict[str, Any], path: Path) -> None:
    """Draw the plot: above the time, below the memory, both over what grows."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    points = [Point(**each) for each in told["points"]]
    figure, axes = plt.subplots(
        2, len(SERIES), figsize=(10, 4.6), height_ratios=(2, 1), sharex="col", layout="constrained"
    )
    for column, series in enumerate(SERIES):
        own = of(points, series)
        x, y = np.array([point.at(series) for point in own]).T
        power = exponent(list(zip(x, y, strict=True)))
        line = np.exp(np.mean(np.log(y)) + power * (np.log(x) - np.mean(np.log(x))))
        above, below = axes[:, column]
        above.loglog(x, line, color="#999999", linewidth=1, label=f"power {power:.2f}")
        above.loglog(x, y, "o", color="#14786f")
        above.set_ylabel(AXES[series][1])
        above.legend(frameon=False)
        if series == "network":
            for at, up, point in zip(x, y, own, strict=True):
                above.annotate(point.model, (at, up), (4, -9), textcoords="offset points", size=7)
        below.semilogx(x, [point.memory for point in own], "o-", color="#14786f", linewidth=1)
        below.set_ylim(0, 1.3 * max(point.memory for point in points))
        below.set_xlabel(AXES[series][0])
        below.set_ylabel("MB more")
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100, metadata={"Software": None})


def main() -> None:
    """Measure, keep and draw; or print one run as JSON."""
    from benchmarks.speed import page

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=3, metavar=("MODEL", "SIDE", "PASSES"))
    parser.add_argument("--draw", action="store_true", help="only draw the page and the plot again")
    asked = parser.parse_args()
    if asked.one:
        name, side, passes = asked.one
        print(json.dumps(dataclasses.asdict(one(name, int(side), int(passes)))))
        return
    if not asked.draw:
        told = {
            "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
            "machine": page.machine(),
            "points": [dataclasses.asdict(point) for point in measured()],
        }
        DATA.write_text(json.dumps(told, indent=1) + "\n")
    told = json.loads(DATA.read_text())
    PAGE.write_text(drawn(PAGE.read_text(), told))
    plotted(told, PLOT)
    print("\n".join(said(told)))


if __name__ == "__main__":
    main()
