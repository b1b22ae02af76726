"""Slopes of long runs, and integrated gradients, over what a pass there and back takes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.speed import networks
from benchmarks.speed.row import Case, Size, Work, row
from benchmarks.speed.rows.parity import SMALL, TORCH, always, told
from benchmarks.speed.rows.rise import explains

STEPS = 50


@row(what="slopes of 8 photos, MobileNetV2 in PyTorch, over the network as it is",
     goal="", memory=False)  # fmt: skip
def gradients_torch(size: Size) -> Case:
    """Count over the run whose steps are not joined."""
    from xai_core.target import ClassTarget

    plain, joined = (networks.torch_model("mobilenet_v2") for _ in range(2))
    joined.expects(50)
    views = np.random.default_rng(0).random((8, 224, 224, 3), np.float32)
    target = ClassTarget(0)
    return Case(
        sides={
            "ours": lambda: joined.gradients(views, target),
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
    start = time.process_time()
    model.expects(STEPS)
    took = f"{time.process_time() - start:.1f} s"
    joined = model._forward._lighter is not None
    return Case(
        sides={"ours": ours, **({"captum": captum(model)} if peers else {})},
        passes=STEPS,
        floors=networks.torch_slopes(model.native().body),
        said={"by": "joined steps", "which took once": took} if joined else {"by": "its own steps"},
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


def slopes_apart(name: str, steps: int = 8) -> float | None:
    """Return how far a network's map by joined steps lies from the one by its own, or None.

    Integrated gradients, as a part of the largest value; None where steps are not joined.
    """
    from xai_core.explainer import make
    from xai_core.target import ClassTarget

    model = networks.torch_model(name, SMALL)
    method = make("integrated-gradients", {"steps": steps}, size=model.input_size)
    view, target = networks.view(SMALL), ClassTarget(0)
    own = method.explain(model, view, target).attribution
    model.expects(STEPS)
    if model._forward._lighter is None:
        return None
    found = method.explain(model, view, target).attribution
    return float(np.abs(found - own).max() / np.abs(own).max())


@row(what="integrated gradients by joined steps and by the network's own, families of torchvision",
     goal="1e-4", memory=False)  # fmt: skip
def parity_slopes(size: Size) -> Case:
    """Say the largest difference of the maps, as a part of the largest value, and who is left."""
    always()
    every = {name: slopes_apart(name) for name in TORCH}
    said = {name: apart for name, apart in every.items() if apart is not None}
    left = [name for name, apart in every.items() if apart is None]
    return Case(said={**told(said), "as they are": ", ".join(left) or "none"})
