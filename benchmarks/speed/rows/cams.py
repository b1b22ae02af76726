"""Methods that run the rest of a network from a layer: ReciproCAM and AblationCAM."""

from __future__ import annotations

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


@row(what="AblationCAM, ResNet-50's last maps", goal="a 50th of pytorch-grad-cam")
def ablationcam_torch(size: Size) -> Case:
    """Count over pytorch-grad-cam's, which leaves out a tenth of the channels where it is short."""
    model = networks.torch_model()
    ratio = 1.0 if size.full else 0.02  # it takes that share of its first channels and of its last
    theirs = explains(model, "grad-cam", {"ratio": ratio}, "ablationcam")
    return Case(
        sides={"ours": fresh(model, "ours", "ablationcam"), "pytorch-grad-cam": theirs},
        over="pytorch-grad-cam",
        times={} if size.full else {"pytorch-grad-cam": 1 / (2 * ratio)},
    )
