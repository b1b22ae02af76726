"""Grad-CAM beside pytorch-grad-cam's."""

from __future__ import annotations

from benchmarks.speed import networks
from benchmarks.speed.row import Case, Size, row
from benchmarks.speed.rows.rise import explains


@row(what="Grad-CAM, ResNet-50 in PyTorch", goal="1.3 forwards", before="1.86", rounds=9)
def grad_cam_torch(size: Size) -> Case:
    """Count over one pass."""
    model = networks.torch_model()
    return Case(
        sides={
            "ours": explains(model, "ours", {}, "grad-cam"),
            "pytorch-grad-cam": explains(model, "grad-cam", {}, "grad-cam"),
        },
        passes=1,
        floors=networks.torch_floors(model.native().body),
    )
