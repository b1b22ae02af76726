"""What the first batch normalisation remembers, against Keras's own training."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from loaders.keras.model import KerasModel
from loaders.sanity import preparation


@pytest.fixture(scope="module")
def photos():
    coarse = np.random.default_rng(0).random((8, 4, 4, 3), np.float32)
    return np.kron(coarse, np.ones((1, 8, 8, 1), np.float32))


def trained(photos, steps):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(photos.shape[1:]),
            layers.Conv2D(8, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )
    step = tf.function(lambda: model(photos, training=True))
    for _ in range(steps):  # as a training moves the statistics, step by step
        step()
    return model


@pytest.mark.parametrize("steps", [1, 40, 200, 1000])
def test_few_steps_of_training_are_no_doubt(photos, steps):
    model = KerasModel(trained(photos, steps))
    assert 0.3 < model.first_spread(photos) < 2
    assert preparation(model, photos[:2], model.logits(photos[:2])) is None


def test_other_numbers_than_in_training_are_still_seen(photos):
    model = KerasModel(trained(255 * photos, 600))
    assert model.first_spread(photos) < 0.02
