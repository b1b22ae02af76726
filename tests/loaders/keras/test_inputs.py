"""How a photo fills what a network takes: rows of numbers, planes and maps."""

import keras
import numpy as np
import pytest
import tf_keras

from loaders.keras.model import KerasModel
from loaders.preprocessing import LUMINANCE, Options
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import HasLayers
from xai_core.target import ClassTarget

LIBRARIES = {"keras": keras, "tf_keras": tf_keras}
both = pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)


def network(library, shape, units=3):
    layers = library.layers
    view = library.Input(shape)
    wide = library.initializers.RandomNormal(stddev=0.2, seed=1)
    row = view if len(shape) == 1 else layers.Flatten()(view)
    return library.Model(view, layers.Dense(units, "softmax", kernel_initializer=wide)(row))


def views(size):
    return np.random.default_rng(0).random((2, *size, 3), np.float32)


def about(model, name):
    return [each for each in model.findings if each.about == name]


@both
@pytest.mark.parametrize(
    ("shape", "size", "channels", "said"),
    [
        ((784,), (28, 28), 1, "size"),
        ((3072,), (32, 32), 3, "size"),
        ((12288,), (64, 64), 3, "size"),
        ((28, 28), (28, 28), 1, "channels"),
        ((28, 28, 1), (28, 28), 1, ""),
    ],
)
def test_a_dense_network_is_filled_with_the_photo(library, shape, size, channels, said):
    net = network(library, shape)
    model = KerasModel(net, Options(preprocessing="unit"))
    assert (model.input_size, model.channels) == (size, channels)
    photos = views(size)
    given = photos if channels == 3 else photos @ np.array(LUMINANCE, np.float32)[:, None]
    expected = np.asarray(net(given.reshape(2, *shape)))
    assert np.ptp(expected) > 0.01
    found = model.head.probabilities(model.logits(photos))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    for name in ("size", "channels"):
        assert [each.level for each in about(model, name)] == ["warning"] * (said == name)
    assert isinstance(model, HasLayers)
    assert model.layers() == ()
    gradient = model.gradients(photos, ClassTarget(0))
    weights = np.asarray(model._network.model.layers[-1].kernel)[:, 0]
    by_pixel = weights.reshape(*size, channels)
    if channels == 1:
        by_pixel = by_pixel * np.array(LUMINANCE, np.float32)
    np.testing.assert_allclose(gradient[0], by_pixel, atol=1e-5)


def test_what_the_number_leaves_open_is_asked():
    net = network(keras, (20 * 32 * 3,))
    with pytest.raises(UnsupportedModel, match=r"say their height, width and channels \(--size"):
        KerasModel(net)
    model = KerasModel(net, Options(size=(20, 32), preprocessing="unit"))
    assert (model.input_size, model.channels) == ((20, 32), 3)
    photos = views((20, 32))
    expected = np.asarray(net(photos.reshape(2, -1)))
    found = model.head.probabilities(model.logits(photos))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    blue = KerasModel(net, Options(size=(20, 32), channels="bgr", preprocessing="unit"))
    expected = np.asarray(net(photos[..., ::-1].reshape(2, -1)))
    found = blue.head.probabilities(blue.logits(photos))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(ParamError, match="must make the 1,920 numbers"):
        KerasModel(net, Options(size=(30, 30)))


@pytest.mark.parametrize("count", [4, 13, 30, 60])
def test_rows_of_a_table_are_no_photos(count):
    with pytest.raises(UnsupportedModel, match=rf"rows of {count} numbers, as of a table: too few"):
        KerasModel(network(keras, (count,)))


def test_what_is_no_photo_is_named():
    for shape, why in (
        ((16, 16, 4), "takes 4 channels"),
        ((100, 3), r"inputs of shape \[N, 100, 3\]"),
        ((8, 16, 16, 3), "height x width x channels"),
    ):
        with pytest.raises(UnsupportedModel, match=why):
            KerasModel(network(keras, shape))
    one, two = keras.Input((16, 16, 3)), keras.Input((5,))
    joined = keras.layers.Concatenate()([keras.layers.Flatten()(one), two])
    with pytest.raises(UnsupportedModel, match=r"2 inputs \(\[N, 16, 16, 3\], \[N, 5\]\)"):
        KerasModel(keras.Model([one, two], keras.layers.Dense(2)(joined)))


def test_a_recurrent_network_tells_nothing_of_its_scaling():
    net = keras.Sequential([keras.Input((28, 28)), keras.layers.LSTM(4), keras.layers.Dense(3)])
    model = KerasModel(net)
    assert "nothing in the file" in model.preprocessing.why


def test_a_network_that_reads_words_is_named():
    layers = keras.layers
    words = [layers.Embedding(50, 4), layers.GlobalAveragePooling1D(), layers.Dense(2)]
    with pytest.raises(UnsupportedModel, match="reads texts"):
        KerasModel(keras.Sequential([keras.Input((100,)), *words]))
