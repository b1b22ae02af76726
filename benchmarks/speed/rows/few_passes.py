"""Few passes: what Adaptive masks cost by themselves, and what docs/few-passes.md has measured."""

from __future__ import annotations

import json

from benchmarks import few_passes, settling
from benchmarks.speed import networks
from benchmarks.speed.row import Case, Size, row
from benchmarks.speed.rows.rise import explains

GOAL = 150


@row(what="Adaptive masks, 150 passes, ResNet-50 in PyTorch", goal="1.05")
def few_adaptive(size: Size) -> Case:
    """Count over the passes."""
    model, passes = networks.torch_model(), size.count(GOAL)
    return Case(
        sides={"ours": explains(model, "ours", {"passes": passes}, few_passes.OURS)},
        passes=passes,
        floors=networks.torch_floors(model.native().body),
        said=networks.started(model),
    )


@row(what="black-box map at 150 and at 300 passes, insertion less deletion over 20 photos of each "
     "of two networks", goal="above AISE at its own count", memory=False)  # fmt: skip
def few_quality(size: Size) -> Case:
    """Say what docs/few-passes.md has."""
    kept = [few_passes.read(row) for row in json.loads(few_passes.DATA.read_text())["rows"]]
    said: dict[str, str] = {}
    for budget in few_passes.BUDGETS:
        means = {(row.network, row.way): row.less.mean() for row in kept if row.budget == budget}
        said[f"{budget}:"] = ", ".join(
            f"{means[network, few_passes.OURS]:.2f} (AISE {means[network, few_passes.PEER]:.2f})"
            for network in few_passes.NETWORKS
        ).replace("-", "\u2212")
    return Case(said=said)


@row(what="RISE at the agreement of 1,024 plain masks: masks that a line needs, and their part",
     goal="0.55 of its passes", memory=False)  # fmt: skip
def few_rise(size: Size) -> Case:
    """Say what docs/few-passes.md has."""
    kept = [settling.read(row) for row in json.loads(settling.DATA.read_text())["rows"]]
    rise = [row for row in kept if row.way == "rise"]
    return Case(said={f"over {len(rise)} photos": settling.share(settling.needed(rise))})
