"""What one photo's pass leaves for the next question, in Keras."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from loaders import backend
from loaders.keras import shared, tail
from loaders.keras.tail import Tail
from tests.fakes import tiny
from tests.loaders.keras.nets import KINDS, SIZE, head, made, views, wrapped
from xai_core.errors import UnsupportedModel
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


@pytest.mark.usefixtures("tried")
def test_a_layer_whose_graphs_made_room_for_others_answers_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tail, "MOST", 2)
    image = keras.Input((*SIZE, 3))
    maps = image
    for at in range(3):
        maps = keras.layers.Conv2D(2, 3, activation="tanh", name=f"at_{at}")(maps)
    model = wrapped(keras.Model(image, head(keras, maps)))
    photo = views(1)
    own = {}
    for row in model.layers():
        own[row.name] = model.activation_gradients(photo, row.name, ClassTarget(1))[1]
    assert model._shared._trusted == dict.fromkeys(own, True)
    again = model.activation_gradients(1 - photo, "at_0", ClassTarget(1))[1]
    assert not np.array_equal(again, own["at_0"])
    again = model.activation_gradients(photo, "at_0", ClassTarget(1))[1]
    np.testing.assert_allclose(again, own["at_0"], rtol=0, atol=2e-5 * np.abs(again).max())


def unlike() -> Any:
    return views(2) * np.reshape(np.float32([1, 0.3]), (2, 1, 1, 1))


class Tells(keras.layers.Layer):
    """Tells another layer how bright its maps are, and gives them on."""

    def call(self, inputs: Any) -> Any:
        self.told = tf.reduce_mean(inputs)
        return inputs


class Fails(keras.layers.Layer):
    """Gives twice what it takes, and in a graph something else, or nothing once that runs."""

    how = "other"

    def call(self, inputs: Any) -> Any:
        if tf.executing_eagerly():
            return inputs * 2.0
        if self.how == "other":
            return inputs * 3.0
        found = tf.numpy_function(lambda _: 1 // 0, [inputs], tf.float32)
        return tf.ensure_shape(found, (None, *inputs.shape[1:]))


def with_shortcut(first: Any, last: Callable[[Any], Any] = lambda maps: maps) -> Any:
    """Return a model whose layer `first` is before `middle`, beside it, and followed by `last`."""
    image = keras.Input((*SIZE, 3))
    maps = first(keras.layers.Conv2D(4, 3, padding="same")(image))
    middle = keras.layers.Conv2D(4, 3, padding="same", name="middle")(maps)
    return wrapped(
        keras.Model(image, head(keras, last(keras.layers.Add(name="sum")([middle, maps]))))
    )


def told(first: Tells) -> Any:
    class Hears(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs * (1 + first.told)

    return Hears(name="hears")


@pytest.mark.usefixtures("tried")
def test_what_layers_tell_each_other_in_secret_is_no_photos_constant() -> None:
    first = Tells()
    model, photos = with_shortcut(first, told(first)), unlike()
    for photo in photos:
        found = model.activation_gradients(photo[None], "middle", ClassTarget(1))[1]
        model._shared._kept = None
        model._shared._random = True
        own = model.activation_gradients(photo[None], "middle", ClassTarget(1))[1]
        model._shared._random = False
        np.testing.assert_array_equal(found, own)
    assert model._shared._trusted == {"middle": False}
    # from the layer on, the first photo is served, and another one is refused each time
    maps = np.zeros((3, *SIZE, 4), np.float32)
    model.run_from("middle", maps, photos[0])
    for _ in range(2):
        with pytest.raises(UnsupportedModel, match="own activations do not come to the scores"):
            model.run_from("middle", maps, photos[1])
    model.run_from("middle", maps, photos[0])


@pytest.mark.usefixtures("tried")
@pytest.mark.parametrize("how", ["other", "raises"])
def test_a_graph_that_is_refused_leaves_nothing_behind(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fails, "how", how)
    photos = unlike()
    maps = np.ones((2, *SIZE, 4), np.float32)
    model, plain = (with_shortcut(Fails(name="fails")) for _ in range(2))
    for one, other in zip(model._network.model.weights, plain._network.model.weights, strict=True):
        other.assign(one)
    model.activation_gradients(photos[:1], "middle", ClassTarget(1))
    assert model._shared._trusted == {"middle": False}
    for photo in photos:
        found = model.run_from("middle", maps, photo)
        np.testing.assert_array_equal(found, plain.run_from("middle", maps, photo))
