"""Methods that run the rest of a network from a layer: ReciproCAM and AblationCAM."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.speed import networks
from benchmarks.speed.row import Case, Size, row
from benchmarks.speed.rows.grad_cam import followed, fresh
from benchmarks.speed.rows.rise import explains


@row(what="ReciproCAM, ResNet-50's last maps (49 cells)", goal="1.3 forwards", before="(new)",
     rounds=9)  # fmt: skip
def reciprocam_torch(size: Size) -> Case:
    """Count over one pass."""
    model = networks.torch_model()
    floors = networks.torch_floors(model.native().body)
    said = followed(model)
    return Case(
        sides={"ours": fresh(model, "ours", "reciprocam")}, passes=1, floors=floors, said=said
    )


@row(what="AblationCAM, ResNet-50's last maps (2,048 channels), over ours",
     goal="pytorch-grad-cam 50 or more, map equal to 1e-4")  # fmt: skip
def ablationcam_torch(size: Size) -> Case:
    """Count over ours. pytorch-grad-cam leaves out a 25th of the channels where it is short."""
    model = networks.torch_model()
    ratio = 1.0 if size.full else 0.02  # it takes that share of its first channels and of its last
    theirs = explains(model, "grad-cam", {"ratio": ratio}, "ablationcam")
    said = followed(model)
    return Case(
        sides={"ours": fresh(model, "ours", "ablationcam"), "pytorch-grad-cam": theirs},
        over="ours",
        times={} if size.full else {"pytorch-grad-cam": 1 / (2 * ratio)},
        said={**said, "from leaving each channel out": f"{from_each(model):.0e} of the largest"},
    )


def from_each(model: Any) -> float:
    """Return how far the map lies from one for which each channel is left out in turn.

    As a part of the largest value.
    """
    from xai_core.explainer import make
    from xai_core.explainers import ablationcam
    from xai_core.target import ClassTarget

    method = make("ablationcam", {"relu": False}, size=model.input_size)
    enough, found = ablationcam.ENOUGH, []
    for ablationcam.ENOUGH in (enough, 1 << 30):  # none has more channels than that
        found.append(method.explain(model, networks.view(), ClassTarget(0)).attribution)
    ablationcam.ENOUGH = enough
    quick, slow = found
    return float(np.abs(quick - slow).max() / np.abs(slow).max())
