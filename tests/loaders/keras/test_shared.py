"""What one photo's pass leaves for the next question, in Keras."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from loaders import backend
from loaders.keras import shared
from loaders.keras.tail import Tail
from tests.fakes import tiny
from tests.loaders.keras.nets import KINDS, made, views
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


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let graphs be tried at a layer's first pass, whatever they gain."""
    monkeypatch.setattr(shared, "REPAYS", 0.0)
    monkeypatch.setattr(backend, "QUICKER", 0.0)


def answers(model: Any, view: Any, layer: str) -> list[Any]:
    """Return what passes to a layer give: maps, slopes of two classes, and those of the rest."""
    maps = model.activations(view, layer)
    found = [model.activation_gradients(view, layer, ClassTarget(at)) for at in (0, 2)]
    rest = model.run_from(layer, np.concatenate([maps, maps * 0.5]), view[0])
    return [maps, *(each for pair in found for each in pair), rest]


@pytest.mark.usefixtures("tried")
@pytest.mark.parametrize("kind", KINDS)
def test_graphs_give_what_the_network_gives(kind: str) -> None:
    model, photos = made(kind), views(3)
    rows = model.layers()
    for row in dict.fromkeys((rows[0], rows[len(rows) // 2], rows[-1])):
        model._shared._random = True  # nothing is tried, and nothing kept
        own = [answers(model, photo[None], row.name) for photo in photos]
        model._shared._random = False
        for photo, each in zip(photos, own, strict=True):
            pairs = zip(answers(model, photo[None], row.name), each, strict=True)
            for found, wanted in pairs:
                atol = 2e-5 * np.abs(wanted).max()
                np.testing.assert_allclose(found, wanted, rtol=0, atol=atol)
        follows = kind != "subclassed of tf_keras"  # its code goes by what is in a photo
        assert model._shared._trusted[row.name] == follows
    assert ("run as graphs" in model.backend.words()) == follows


@pytest.mark.usefixtures("tried")
def test_graphs_that_give_something_else_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Tail.pull
    monkeypatch.setattr(Tail, "pull", lambda *args: own(*args) * 1.001)
    model, plain = tiny.keras_model(), tiny.keras_model()
    plain._shared._random = True
    view, layer = tiny.view()[None], model.layers()[-1].name
    for _ in range(2):
        found = model.activation_gradients(view, layer, ClassTarget(1))[1]
        np.testing.assert_array_equal(
            found, plain.activation_gradients(view, layer, ClassTarget(1))[1]
        )
        model._shared._kept = None
    assert model._shared._trusted == {layer: False}
    assert "as the network does" in model.backend.words()
