"""Slopes of long runs, and integrated gradients, over what a pass there and back takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.speed import networks
from benchmarks.speed.row import Case, Size, Work, row
from benchmarks.speed.rows.rise import explains

STEPS = 50


@row(what="slopes of 8 photos, MobileNetV2 in PyTorch, over the network as it is",
     goal="", memory=False)  # fmt: skip
def gradients_torch(size: Size) -> Case:
    """Count over the run without the fold."""
    from xai_core.target import ClassTarget

    plain, folded = (networks.torch_model("mobilenet_v2") for _ in range(2))
    folded.expects(50)
    views = np.random.default_rng(0).random((8, 224, 224, 3), np.float32)
    target = ClassTarget(0)
    return Case(
        sides={
            "ours": lambda: folded.gradients(views, target),
            "as it is": lambda: plain.gradients(views, target),
        },
        over="as it is",
    )


def captum(model: Any) -> Work:
    """Return captum's integrated gradients of as many steps, with what it takes by itself."""
    import torch
    from captum.attr import IntegratedGradients

    view = torch.from_numpy(networks.view()).permute(2, 0, 1)[None].contiguous()
    made = IntegratedGradients(model.native())
    return lambda: made.attribute(view, target=0, n_steps=STEPS)


def integrated(name: str, peers: bool) -> Case:
    """Count over as many passes there and back as there are steps."""
    model = networks.torch_model(name)
    ours = explains(model, "ours", {"steps": STEPS}, "integrated-gradients")
    model.expects(STEPS)
    lighter = model._forward._lighter is not None
    return Case(
        sides={"ours": ours, **({"captum": captum(model)} if peers else {})},
        passes=STEPS,
        floors=networks.torch_slopes(model.native().body),
        said={"batch normalisations": "folded" if lighter else "as they are"},
    )


@row(what="integrated gradients, 50 steps, ResNet-50 in PyTorch, over passes there and back",
     goal="1.05, 300 MB", before="captum 1.89, 3.8 GB")  # fmt: skip
def ig_torch(size: Size) -> Case:
    """Count over the frozen, folded pass; captum, which takes gigabytes, only in a full run."""
    return integrated("resnet50", peers=size.full)


@row(what="integrated gradients, 50 steps, MobileNetV2 in PyTorch, over passes there and back",
     goal="1.05, 300 MB")  # fmt: skip
def ig_torch_small(size: Size) -> Case:
    """Count over the frozen, folded pass."""
    return integrated("mobilenet_v2", peers=False)
