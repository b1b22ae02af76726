"""Occlusion by what each patch can reach, over whole passes of the same network in PyTorch."""

from __future__ import annotations

from typing import Any

from benchmarks.speed import networks
from benchmarks.speed.row import Case, Size, Work, row
from benchmarks.speed.rows.occlusion import values


def reached(name: str, size: Size) -> Case:
    """Count over whole passes through torch itself."""
    import numpy as np

    from loaders.torch import occluding
    from xai_core.explainer import make
    from xai_core.target import ClassTarget

    model, view = networks.torch_model(name), networks.view()
    made = make("occlusion", values(size), size=model.input_size)
    taken: dict[str, Any] = {}

    def run(fewest: int, said: str) -> Work:
        def work() -> None:
            occluding.FEWEST = fewest
            model._forward.logits._settled = True  # the same backend on both sides
            taken[said] = made.explain(model, view, ClassTarget(0))

        return work

    ours, whole = run(1, "ours"), run(1 << 30, "whole passes")
    ours()
    whole()
    far = float(np.abs(taken["ours"].attribution - taken["whole passes"].attribution).max())
    most = float(np.abs(taken["whole passes"].attribution).max())
    said = {
        "the maps differ by": f"{far / most:.0e} of the largest value",
        "ours": taken["ours"].way,
    }
    return Case(sides={"ours": ours, "whole passes": whole}, over="whole passes", said=said)


@row(what="occlusion 32/16, exact, by what a patch reaches, ResNet-50", goal="0.60 of whole passes")
def reach_resnet(size: Size) -> Case:
    """Count over whole passes."""
    return reached("resnet50", size)


@row(what="occlusion 32/16, exact, by what a patch reaches, VGG16", goal="0.30 of whole passes")
def reach_vgg(size: Size) -> Case:
    """Count over whole passes."""
    return reached("vgg16", size)
