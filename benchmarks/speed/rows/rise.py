"""RISE beside Xplique's, in PyTorch and in Keras."""

from __future__ import annotations

from typing import Any

from benchmarks.speed import networks
from benchmarks.speed.row import Case, Size, Work, row

GOAL = 1000


def explains(model: Any, engine: str, values: dict[str, Any], method: str = "rise") -> Work:
    """Return what explains the view once."""
    from xai_core.explainer import make
    from xai_core.target import ClassTarget

    made, view = make(method, values, engine=engine, size=model.input_size), networks.view()
    return lambda: made.explain(model, view, ClassTarget(0))


def sides(model: Any, masks: int) -> dict[str, Work]:
    """Return ours and Xplique's."""
    values = {"masks": masks, "grid": 7}
    return {
        "ours": explains(model, "ours", values),
        "Xplique": explains(model, "xplique", values),
    }


@row(what="RISE, 1,000 masks, ResNet-50 in PyTorch", goal="1.05")
def rise_torch(size: Size) -> Case:
    """Count over the passes."""
    model, masks = networks.torch_model(), size.count(GOAL)
    return Case(
        sides=sides(model, masks),
        passes=masks,
        floors=networks.torch_floors(model.native().body),
        said=networks.started(model),
    )


@row(what="RISE, 1,000 masks, ResNet-50 in Keras", goal="1.05")
def rise_keras(size: Size) -> Case:
    """Count over the passes."""
    model, masks = networks.keras_model(), size.count(GOAL, 100)
    return Case(
        sides=sides(model, masks),
        passes=masks,
        floors=networks.keras_floors(model._network.model),
        said=networks.started(model),
    )


@row(what="RISE, 200 masks, MobileNetV2 in PyTorch, ours alone", goal="1.05", memory=False)
def rise_small(size: Size) -> Case:
    """Count over the passes."""
    model = networks.torch_model("mobilenet_v2")
    return Case(
        sides={"ours": explains(model, "ours", {"masks": 200, "grid": 7})},
        passes=200,
        floors=networks.torch_floors(model.native().body),
        said=networks.started(model),
    )
