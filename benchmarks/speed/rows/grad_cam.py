"""Grad-CAM beside pytorch-grad-cam's, and several CAMs of one photo."""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np

from benchmarks.speed import networks
from benchmarks.speed.row import Case, Size, Work, row
from benchmarks.speed.rows.parity import TORCH, always, told

AGAIN = ("grad-cam", "hirescam", "layercam", "grad-cam++")
SMALL = 96
"""Pixels of the networks whose maps are compared."""


def fresh(model: Any, engine: str, *methods: str) -> Work:
    """Return what explains a photo by some methods: never the photo that was seen last."""
    from xai_core.explainer import make
    from xai_core.target import ClassTarget

    made = [make(name, {}, engine=engine, size=model.input_size) for name in methods]
    view = networks.view()
    photos = itertools.cycle([view, np.ascontiguousarray(view[::-1])])

    def work() -> None:
        photo = next(photos)
        for method in made:
            method.explain(model, photo, ClassTarget(0))

    return work


def followed(model: Any) -> dict[str, str]:
    """Let a model follow its network to the layers, and say what that took: it is in no ratio."""
    start = time.process_time()
    model._forward.shared.settle()
    fresh(model, "ours", "grad-cam")()  # at its first use a layer is tried both ways
    took = time.process_time() - start
    trusted = any(model._forward.shared._trusted.values())
    by = "oneDNN's packed convolutions" if trusted else "the network as it is"
    return {"by": by, "which took once": f"{took:.1f} s"}


@row(what="Grad-CAM, ResNet-50 in PyTorch", goal="1.3 forwards", before="1.86", rounds=9)
def grad_cam_torch(size: Size) -> Case:
    """Count over one pass."""
    model = networks.torch_model()
    floors = networks.torch_floors(model.native().body)
    return Case(
        sides={
            "ours": fresh(model, "ours", "grad-cam"),
            "pytorch-grad-cam": fresh(model, "grad-cam", "grad-cam"),
        },
        passes=1,
        floors=floors,
        said=followed(model),
    )


@row(what="Grad-CAM, ResNet-50 in PyTorch, the first of a model", goal="", rounds=9, memory=False)
def grad_cam_plain(size: Size) -> Case:
    """Count over one pass, before the network is followed."""
    from loaders.torch import shared

    shared.REPAYS = 1e9
    model = networks.torch_model()
    return Case(
        sides={"ours": fresh(model, "ours", "grad-cam")},
        passes=1,
        floors=networks.torch_floors(model.native().body),
    )


@row(what=f"{len(AGAIN)} CAMs of one photo, ResNet-50 in PyTorch", goal="one forward", rounds=9)
def grad_cam_shared(size: Size) -> Case:
    """Count over one pass."""
    model = networks.torch_model()
    floors = networks.torch_floors(model.native().body)
    said = followed(model)
    return Case(sides={"ours": fresh(model, "ours", *AGAIN)}, passes=1, floors=floors, said=said)


@row(what="Grad-CAM by the network's two halves and by itself, families of torchvision",
     goal="1e-4", memory=False)  # fmt: skip
def parity_cams(size: Size) -> Case:
    """Say the largest difference of the maps, as a part of the largest value, and who is left."""
    always()
    said: dict[str, float] = {}
    left = []
    for name in TORCH:
        apart = difference(name)
        if apart is None:
            left.append(name)
        else:
            said[name] = apart
    return Case(said={**told(said), "as they are": ", ".join(left) or "none"})


def difference(name: str) -> float | None:
    """Return how far a network's Grad-CAM by its halves lies from the one by itself, or None.

    As a part of the largest value; None where the halves are not taken.
    """
    from xai_core.explainer import make
    from xai_core.target import ClassTarget

    model = networks.torch_model(name, SMALL)
    method, target = make("grad-cam", {"relu": False}, size=model.input_size), ClassTarget(0)
    photo = networks.view(SMALL)
    plain = method.explain(model, photo, target).attribution
    shared = model._forward.shared
    shared.settle()
    method.explain(model, np.ascontiguousarray(photo[::-1]), target)  # tries them
    if not any(shared._trusted.values()):
        return None
    quick = method.explain(model, photo, target).attribution
    return float(np.abs(quick - plain).max() / np.abs(plain).max())
