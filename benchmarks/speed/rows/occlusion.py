"""Occlusion, each patch through the whole network, beside Xplique's and captum's."""

from __future__ import annotations

from typing import Any

from benchmarks.speed import networks
from benchmarks.speed.row import Case, Size, Work, row
from benchmarks.speed.rows.rise import explains

PATCH, STRIDE = 32, 16


def values(size: Size) -> dict[str, Any]:
    """Return the parameters: the goal's, or every other patch of them."""
    stride = STRIDE if size.full else 2 * STRIDE - 8
    return {
        "patch_height": PATCH, "patch_width": PATCH, "stride_height": stride, "stride_width": stride
    }  # fmt: skip


def captum(model: Any, size: Size) -> Work:
    """Return captum's occlusion of the same patches, its batches as large as ours."""
    import torch
    from captum.attr import Occlusion

    stride = values(size)["stride_height"]
    view = torch.from_numpy(networks.view()).permute(2, 0, 1)[None].contiguous()
    made = Occlusion(model.native())
    return lambda: made.attribute(
        view,
        strides=(3, stride, stride),
        sliding_window_shapes=(3, PATCH, PATCH),
        target=0,
        perturbations_per_eval=networks.BATCH,
    )


@row(what="occlusion 32/16, brute force, ResNet-50 in PyTorch", goal="1.05, 100 MB",
     before="1.57, 187 MB")  # fmt: skip
def occlusion_torch(size: Size) -> Case:
    """Count over the passes of our run."""
    from loaders.torch import occluding
    from xai_core.explainer import make

    occluding.FEWEST = 1 << 30  # whole passes here; what a patch can reach has rows of its own
    model, given = networks.torch_model(), values(size)
    ours = make("occlusion", given, size=model.input_size)
    return Case(
        sides={
            "ours": explains(model, "ours", given, "occlusion"),
            "Xplique": explains(model, "xplique", given, "occlusion"),
            "captum": captum(model, size),
        },
        passes=ours.cost(model).passes,
        floors=networks.torch_floors(model.native().body),
        said=networks.started(model),
    )


@row(what="occlusion 32/16, brute force, ResNet-50 in Keras", goal="1.05, 100 MB")
def occlusion_keras(size: Size) -> Case:
    """Count over the passes of our run."""
    from xai_core.explainer import make

    model, given = networks.keras_model(), values(size)
    return Case(
        sides={
            "ours": explains(model, "ours", given, "occlusion"),
            "Xplique": explains(model, "xplique", given, "occlusion"),
        },
        passes=make("occlusion", given, size=model.input_size).cost(model).passes,
        floors=networks.keras_floors(model._network.model),
        said=networks.started(model),
    )
