"""Occlusion by what each patch can reach, over whole passes of the same network in PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.speed import networks
from benchmarks.speed.row import Case, Size, Work, row
from benchmarks.speed.rows.occlusion import values


def reached(name: str, size: Size) -> Case:
    """Count over whole passes through torch itself."""
    from loaders.torch import occluding
    from xai_core.explainer import make
    from xai_core.target import ClassTarget

    model, view = networks.torch_model(name), networks.view()
    made = make("occlusion", values(size), size=model.input_size)
    taken: dict[str, Any] = {}
    said: dict[str, str] = {}  # complete once both sides have run, as they have before it is read

    def run(fewest: int, side: str) -> Work:
        def work() -> None:
            occluding.FEWEST = fewest
            model._forward.logits._settled = True  # the same backend on both sides
            taken[side] = made.explain(model, view, ClassTarget(0))
            if len(taken) == 2:
                said.update(_said(taken["ours"], taken["whole passes"]))

        return work

    return Case(
        sides={"ours": run(1, "ours"), "whole passes": run(1 << 30, "whole passes")},
        over="whole passes",
        said=said,
    )


def _said(ours: Any, whole: Any) -> dict[str, str]:
    """Return by how much the maps differ, and which way ours went."""
    far = float(np.abs(ours.attribution - whole.attribution).max())
    most = float(np.abs(whole.attribution).max())
    return {
        "the maps differ by": f"{far / most:.0e} of the largest value",
        "the answer says:": ours.way,
    }


@row(what="occlusion 32/16, exact, by what a patch reaches, ResNet-50", goal="0.60 of whole passes")
def reach_resnet(size: Size) -> Case:
    """Count over whole passes."""
    return reached("resnet50", size)


@row(what="occlusion 32/16, exact, by what a patch reaches, VGG16", goal="0.30 of whole passes")
def reach_vgg(size: Size) -> Case:
    """Count over whole passes."""
    return reached("vgg16", size)
