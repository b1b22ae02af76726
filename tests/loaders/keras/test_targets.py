"""What is read of a Keras network: a unit of a layer as the score, and what it lacks."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pytest
import torchvision  # noqa: F401 - before TensorFlow: the other order aborts the process

pytest.importorskip("tensorflow")

import keras

from tests.loaders.keras.nets import (
    KINDS,
    LIBRARIES,
    SIZE,
    made,
    residual,
    sequential,
    views,
    wrapped,
)
from xai_core.errors import ParamError
from xai_core.model import (
    Differentiates,
    HasLayers,
    HasNative,
    MasksFast,
    Predicts,
    ShowsLayers,
    lacks,
)
from xai_core.perturb import Dense
from xai_core.target import BoxTarget, ClassTarget, UnitTarget

both = pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)


@pytest.fixture(autouse=True)
def seeds() -> None:
    for library in LIBRARIES.values():
        library.utils.set_random_seed(3)


def unit(model: Any, at: tuple[int, int] | None = None, last: int = -2) -> UnitTarget:
    row = model.layers()[last]
    return UnitTarget(row.name, row.channels - 1, at)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", [None, (1, 2)])
def test_the_gradient_of_a_unit_is_that_of_finite_differences(kind: str, at: Any) -> None:
    model = made(kind)
    target = unit(model, at)
    target.check(model)
    images = views()
    gradient = model.gradients(images, target)
    assert gradient.shape == images.shape
    some = np.random.default_rng(2).random(images.shape) < 0.5
    step = (5e-3 * np.sign(gradient) * some).astype(np.float32)
    ahead, behind = (
        target.score(model.activations(images + sign * step, target.layer), model.head)
        for sign in (1, -1)
    )
    np.testing.assert_allclose((ahead - behind) / 2, (gradient * step).sum((1, 2, 3)), rtol=0.02)


@both
def test_the_gradient_of_a_later_unit_at_a_layer(library: Any) -> None:
    """A mean over maps that a max-pooling halves: each window passes it to its largest."""
    model = wrapped(sequential(library))
    target = UnitTarget("halved", 2)
    maps, gradients = model.activation_gradients(views(), "second", target)
    windows = maps.reshape(2, 7, 2, 7, 2, 5)
    largest = windows == windows.max((2, 4), keepdims=True)
    expected = (largest / 49).reshape(maps.shape) * (np.arange(5) == 2)
    np.testing.assert_allclose(gradients, expected, atol=1e-6)
    own = UnitTarget("second", 2, (3, 4))
    gradients = model.activation_gradients(views(), "second", own)[1]
    np.testing.assert_array_equal(gradients[1], own.weights((14, 14, 5)))
    assert not model.activation_gradients(views(), "second", UnitTarget("first", 0))[1].any()


@both
def test_masked_scores_of_units_and_classes_together(library: Any) -> None:
    model = wrapped(residual(library))
    image, behind = views()
    masks = np.random.default_rng(5).random((19, *SIZE), np.float32)
    targets = [UnitTarget("sum", 1), ClassTarget(1), UnitTarget("last", 0, (2, 2)), ClassTarget(0)]
    mixed = (masks[..., None] * image + (1 - masks[..., None]) * behind).astype(np.float32)
    logits = model.logits(mixed)
    expected = np.stack(
        [
            model.activations(mixed, "sum")[..., 1].mean((1, 2)),
            logits[:, 1],
            model.activations(mixed, "last")[:, 2, 2, 0],
            logits[:, 0],
        ],
        1,
    )
    for some in (slice(0, 4), slice(2, 3), slice(1, 2)):
        got = model.masked_scores(image, Dense(masks), behind, targets[some])
        scores = np.concatenate([part for _, part in got])
        np.testing.assert_allclose(scores, expected[:, some], atol=1e-5)


def test_a_target_that_reads_objects_is_refused() -> None:
    model = wrapped(sequential(keras))
    box = BoxTarget((0, 0, 4, 4), 0)
    with pytest.raises(ParamError, match="this one reads objects"):
        model.gradients(views(), box)
    with pytest.raises(ParamError, match="this one reads objects"):
        list(model.masked_scores(views()[0], Dense(np.ones((1, *SIZE))), views()[1], [box]))
    with pytest.raises(ParamError, match="'nowhere'"):
        model.gradients(views(), UnitTarget("nowhere", 0))


class Strange(Protocol):
    """A capability of somebody else's, which cannot be looked for."""

    def sings(self) -> None: ...


class MoreLayers(HasLayers, Protocol):
    """A capability of somebody else's that reads layers."""


def test_what_a_network_lacks_is_said_by_instance() -> None:
    model = wrapped(sequential(keras))
    for need in (Predicts, MasksFast, Differentiates, ShowsLayers, HasLayers, HasNative):
        assert lacks(model, need) is None
    for need in (Strange, int, dict[str, int].__origin__):
        assert str(lacks(model, need)).startswith("This needs ")
    dense = keras.Sequential(
        [keras.Input((*SIZE, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    model = wrapped(dense)
    for need in (ShowsLayers, HasLayers, MoreLayers):
        assert "made of dense layers only" in str(model.lacks(need))
    assert model.lacks(Differentiates) is None
