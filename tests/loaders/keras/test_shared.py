"""What one photo's pass leaves for the next question, in Keras."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from loaders.keras import shared
from tests.fakes import tiny
from xai_core.target import ClassTarget


@pytest.fixture(scope="module")
def models() -> tuple[Any, Any]:
    return tiny.keras_model(), tiny.keras_model()


def counted(model: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return what says how many passes ran since it was asked last."""
    own, ran = model._network.forward, [0]

    def forward(*args: Any, **more: Any) -> Any:
        ran[0] += 1
        return own(*args, **more)

    monkeypatch.setattr(model._network, "forward", forward)

    def asked() -> int:
        found, ran[0] = ran[0], 0
        return found

    return asked


def test_other_questions_about_a_photo_cost_no_pass_and_change_nothing(
    models: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, fresh = models
    view, passes = tiny.view()[None], counted(model, monkeypatch)
    targets = [ClassTarget(0), ClassTarget(1, against=2), ClassTarget(2, of="probability")]
    layer = model.layers()[-1].name
    model._shared._kept = None
    for place, target in enumerate(targets):
        found = model.activation_gradients(view, layer, target)
        assert passes() == (1 if place == 0 else 0)
        fresh._shared._kept = None
        wanted = fresh.activation_gradients(view, layer, target)
        assert wanted[1].any()
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(model.activations(view, layer), found[0])
    almost = view.copy()
    almost[0, 3, 4, 1] += 1e-4
    model.activation_gradients(almost, layer, targets[0])
    assert passes() == 1


def test_it_is_bounded(models: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    model, view = models[0], tiny.view(5)[None]
    layer = model.layers()[0].name
    first = model.activation_gradients(view, layer, ClassTarget(0))
    most = model._shared._bytes(model._shared._kept)
    assert 0 < most < shared.MOST
    monkeypatch.setattr(shared, "MOST", most - 1)
    model._shared._kept = None
    again = model.activation_gradients(view, layer, ClassTarget(0))
    assert model._shared._kept is None
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    monkeypatch.setattr(shared, "MOST", most)
    monkeypatch.setattr(model._shared, "_random", True)
    model.activation_gradients(view, layer, ClassTarget(0))
    assert model._shared._kept is None
