"""Scores and gradients of a layer's unit, against plain torch; what a network says it lacks."""

import dataclasses
from typing import Any, ClassVar, Protocol

import numpy as np
import pytest
import torch
from torch import nn

from tests.fakes.tiny import torch_model
from tests.loaders.torch.nets import (
    SIZE,
    Inception,
    Residual,
    network,
    photos,
    put,
    scripted,
    served,
    views,
)
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import (
    GIVEN,
    Detects,
    Differentiates,
    HasLayers,
    HasNative,
    MasksFast,
    Predicts,
    Rewrites,
    RunsFrom,
    ShowsLayers,
    lacks,
)
from xai_core.perturb import Dense
from xai_core.target import BoxTarget, ClassTarget, UnitTarget

KINDS = ("eager", "traced", "scripted")
LAYER = "layer2.conv2"  # its output is written over by its block, after its normalisation
UNITS = (UnitTarget(LAYER, 3), UnitTarget(LAYER, 5, at=(2, 7)))


def model_of(kind: str) -> Any:
    net = network(Residual)
    return served(net if kind == "eager" else scripted(net, traced=kind == "traced"))


def wanted(target: UnitTarget, given: Any, leaf: str = "") -> tuple[Any, Any, Any]:
    """Return a unit's scores, their gradient by the photos, and by another layer's output."""
    net = network(Residual)
    kept: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Any:
        def make(output: torch.Tensor) -> torch.Tensor:
            if name == leaf:
                output = output.detach().requires_grad_()
            kept[name] = output
            return output * 1

        return make

    handles = [put(net, name, keep(name)) for name in {leaf, target.layer} - {""}]
    source = photos(given).requires_grad_()
    net(source)
    for handle in handles:
        handle.remove()
    maps = kept[target.layer][:, target.channel]
    scores = maps.mean((1, 2)) if target.at is None else maps[:, target.at[0], target.at[1]]
    (slope,) = torch.autograd.grad(scores.sum(), kept[leaf] if leaf else source)
    return scores.detach().numpy(), slope.permute(0, 2, 3, 1).numpy(), kept.get(leaf)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", UNITS)
def test_a_unit_as_the_score(kind: str, target: UnitTarget) -> None:
    model = model_of(kind)
    view, hidden = views()[0], np.zeros((*SIZE, 3), np.float32)
    masks = np.random.default_rng(2).random((11, *SIZE)).astype(np.float32)
    masked = masks[..., None] * view
    other = UnitTarget("layer1.conv1", 1)
    three = (target, ClassTarget(0, against=2, of="probability"), other)
    found = np.concatenate([s for _, s in model.masked_scores(view, Dense(masks), hidden, three)])
    scores, slope, _ = wanted(target, masked)
    np.testing.assert_allclose(found[:, 0], scores, atol=1e-5)
    chances = model.head.probabilities(model.logits(masked))
    np.testing.assert_allclose(found[:, 1], chances[:, 0] - chances[:, 2], atol=1e-5)
    np.testing.assert_allclose(found[:, 2], wanted(other, masked)[0], atol=1e-5)
    alone = np.concatenate(
        [s for _, s in model.masked_scores(view, Dense(masks), hidden, (target,))]
    )
    np.testing.assert_allclose(alone[:, 0], scores, atol=1e-5)
    np.testing.assert_allclose(model.gradients(masked, target), slope, atol=1e-5)
    np.testing.assert_allclose(
        target.score(model.activations(masked, LAYER), model.head), scores, atol=1e-5
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_by_another_layer(kind: str) -> None:
    model, view = model_of(kind), views(2)
    for target in UNITS:
        _, slope, leaf = wanted(target, view, "layer1.bn1")
        maps, slopes = model.activation_gradients(view, "layer1.bn1", target)
        np.testing.assert_allclose(maps, leaf.detach().permute(0, 2, 3, 1).numpy(), atol=1e-5)
        np.testing.assert_allclose(slopes, slope, atol=1e-5)
        maps, slopes = model.activation_gradients(view, LAYER, target)
        expected = np.broadcast_to(target.weights(maps.shape[1:]), maps.shape)
        np.testing.assert_allclose(slopes, expected, atol=1e-7)
        maps, slopes = model.activation_gradients(view, "layer2.bn2", target)
        np.testing.assert_allclose(maps, model.activations(view, "layer2.bn2"), atol=1e-6)
        assert not slopes.any()


def test_the_pass_ends_where_the_unit_is_known() -> None:
    net = network(Residual)
    model, runs = served(net), []
    net.fc.register_forward_hook(lambda *_: runs.append(1))
    model.gradients(views(), UNITS[0])
    model.activations(views(), LAYER)
    assert not runs
    model.logits(views())
    assert runs


def test_a_layers_maps_are_those_before_they_are_written_over() -> None:
    net = network(Residual)
    model, kept = served(net), []
    handle = put(net, "layer2.bn2", lambda output: kept.append(output.clone()) or output)
    net(photos(views()))
    handle.remove()
    ours = model.activations(views(), "layer2.bn2")
    np.testing.assert_allclose(ours, kept[0].permute(0, 2, 3, 1).numpy(), atol=1e-5)


@dataclasses.dataclass(frozen=True)
class Odd(ClassTarget):
    kind: ClassVar[str] = "odd"
    reads: ClassVar[Any] = "smells"


@pytest.mark.parametrize(
    "target",
    [
        ClassTarget(3),
        UnitTarget("nowhere", 0),
        UnitTarget(LAYER, 8),
        UnitTarget(LAYER, 0, at=(0, 12)),
        BoxTarget((0, 0, 4, 4), 1),
        Odd(1),
    ],
)
def test_targets_that_it_does_not_give(target: Any) -> None:
    model, view = model_of("eager"), views()
    masks = Dense(np.ones((2, *SIZE), np.float32))
    with pytest.raises(ParamError):
        model.gradients(view, target)
    with pytest.raises(ParamError):
        model.activation_gradients(view, "layer1.conv1", target)
    with pytest.raises(ParamError):
        list(model.masked_scores(view[0], masks, view[0], (target,)))


class Unknown(Protocol):
    """A capability of somebody else's that cannot be checked."""

    def smell(self) -> str: ...


def test_what_is_lacking() -> None:
    model = torch_model()
    for need in (
        *(Predicts, MasksFast, Differentiates, ShowsLayers, HasLayers, RunsFrom, Rewrites),
        HasNative,
    ):
        assert lacks(model, need) is None
    assert GIVEN[Detects] in str(lacks(model, Detects))
    for need in (Unknown, int, type("Other", (), {})):
        assert isinstance(lacks(model, need), str)


def test_dense_layers_alone() -> None:
    model = served(nn.Sequential(nn.Flatten(), nn.Linear(SIZE[0] * SIZE[1] * 3, 3)))
    for need in (ShowsLayers, HasLayers, RunsFrom):
        assert "dense layers only" in str(model.lacks(need))
    assert model.lacks(Rewrites) is None


def test_a_script() -> None:
    model = served(scripted(network(Inception), traced=True))
    assert model.lacks(RunsFrom) is None
    assert "cannot be rewritten" in str(model.lacks(Rewrites))
    assert "hooks" in str(model.lacks(HasNative))
    with pytest.raises(UnsupportedModel, match="hooks"):
        model.native_layer(model.layers()[0].name)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(SIZE[0] * SIZE[1] * 3, 3))
    model = served(scripted(flat, traced=False))
    assert "no layer that gives a map" in str(model.lacks(HasLayers))
