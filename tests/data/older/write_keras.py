"""Write what one Keras writes: `cd tests/data/older && OLD_PYTHON write_keras.py [tf]`.

Runs under Python 3.6 and Keras 1.2, and under every later one, on TensorFlow. With `tf` it is
TensorFlow's own Keras that writes, where Keras stands beside it.
"""

import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf
from common import SIDE, Archive, photo, weights

if sys.argv[1:] == ["tf"]:
    keras = tf.keras
else:
    import keras
NUMBER = getattr(keras, "__version__", tf.__version__)  # tf.keras 2.13 does not say its own
VERSION = tuple(int(part) for part in NUMBER.split("-")[0].split(".")[:2])
LAYERS = keras.layers


def convolution(width, stride=1):
    """Return a 3 x 3 convolution with ReLU, as this version spells it."""
    if VERSION[0] == 1:
        return LAYERS.Convolution2D(width, 3, 3, subsample=(stride, stride), activation="relu")
    return LAYERS.Conv2D(width, 3, strides=stride, activation="relu")


def functional():
    """Return a network of the parts of MobileNet."""
    image = LAYERS.Input((SIDE, SIDE, 3))
    maps = LAYERS.BatchNormalization()(convolution(8, 2)(image))
    if hasattr(LAYERS, "DepthwiseConv2D"):
        maps = LAYERS.DepthwiseConv2D(3, padding="same", use_bias=False)(maps)
    relu = LAYERS.ReLU(6.0) if hasattr(LAYERS, "ReLU") else LAYERS.Activation("relu")
    maps = relu(maps)
    maps = LAYERS.ZeroPadding2D()(convolution(6)(maps))
    mean = LAYERS.Dropout(0.2)(LAYERS.GlobalAveragePooling2D()(maps))
    scores = LAYERS.Dense(4, activation="softmax")(mean)
    return model(image, scores)


def model(image, scores):
    """Return a functional model; its arguments had other names before Keras 2."""
    made = keras.models.Model(image, scores)
    made.compile(loss="categorical_crossentropy", optimizer="adam")
    return made


def nested():
    """Return a Sequential of a body and a head, for grey photos of two classes."""
    body = keras.models.Sequential()
    if VERSION[0] < 3:
        body.add(LAYERS.MaxPooling2D(input_shape=(SIDE, SIDE, 1)))
    else:
        body.add(LAYERS.Input((SIDE, SIDE, 1)))
        body.add(LAYERS.MaxPooling2D())
    body.add(convolution(8, 2))
    body.add(convolution(6))
    made = keras.models.Sequential()
    made.add(body)
    made.add(LAYERS.GlobalAveragePooling2D())
    made.add(LAYERS.Dense(1, activation="sigmoid"))
    made.compile(loss="binary_crossentropy", optimizer="adam")
    return made


def augmented():
    """Return augmentation, the network's own scaling, a body within it and a head."""
    augmentation = keras.models.Sequential(
        [
            LAYERS.RandomFlip("horizontal"),
            LAYERS.RandomRotation(0.1),
            LAYERS.RandomZoom(0.1),
            LAYERS.RandomTranslation(0.1, 0.1),
            LAYERS.RandomContrast(0.1),
            LAYERS.RandomBrightness(0.1),
        ],
        name="augmentation",
    )
    inner = LAYERS.Input((SIDE, SIDE, 3))
    maps = LAYERS.BatchNormalization()(convolution(8, 2)(inner))
    maps = LAYERS.DepthwiseConv2D(3, padding="same", use_bias=False)(maps)
    body = keras.models.Model(inner, convolution(6)(LAYERS.ReLU(6.0)(maps)), name="body")
    image = LAYERS.Input((SIDE, SIDE, 3))
    scaled = LAYERS.Rescaling(1 / 127.5, offset=-1)(augmentation(image))
    mean = LAYERS.GlobalAveragePooling2D()(body(scaled, training=False))
    hidden = LAYERS.Dense(5, activation="relu")(LAYERS.Dropout(0.3)(mean))
    return model(image, LAYERS.Dense(4, activation="softmax")(hidden))


def answers(made, channels, scale=1):
    """Return scores and gradient for the photo; `scale` is the number of its white."""
    image = photo(channels)[None].astype(np.float32) / 255

    def difference(chances, log):
        if chances.shape[-1] == 1:
            return log(chances[:, 0]) - log(1 - chances[:, 0])
        return log(chances[:, 1]) - log(chances[:, 0])

    if hasattr(tf, "GradientTape") and tf.__version__[0] == "2":
        given = tf.constant(image)
        with tf.GradientTape() as tape:
            tape.watch(given)
            chances = made(scale * given, training=False)
            score = difference(chances, tf.math.log)
        chances, gradient = chances.numpy(), tape.gradient(score, given).numpy()
    else:
        k = keras.backend
        slope = k.gradients(difference(made.output, tf.log), [made.input])[0]
        run = k.function([made.input, k.learning_phase()], [made.output, slope])
        chances, gradient = run([image, 0])
    if chances.shape[1] == 1:
        lead = np.log(chances / (1 - chances))
        return np.concatenate([-lead / 2, lead / 2], 1), gradient[0]
    return np.log(chances), gradient[0]


def fill(made):
    """Give a network its weights; the counters of random layers stay."""
    held = made.get_weights()
    plain = [index for index, value in enumerate(held) if value.dtype == np.float32]
    for place, value in enumerate(weights([held[index].shape for index in plain])):
        held[plain[place]] = value
    made.set_weights(held)


def main():
    """Write the archive of this version."""
    warnings.simplefilter("ignore")
    if sys.argv[1:] == ["tf"]:
        archive = Archive("TensorFlow " + tf.__version__)
    else:
        archive = Archive("Keras " + keras.__version__)
    endings = [".h5"] if VERSION < (2, 12) else [".h5", ".keras"]
    networks = (
        ("functional", "functional", functional, 3),
        ("nested", "nested, grey, one unit", nested, 1),
    )
    if VERSION >= (2, 13):
        networks += (("augmented", "augmentation, own scaling", augmented, 3),)
    for name, holds, build, channels in networks:
        made = build()
        fill(made)
        said = answers(made, channels, 255 if "own scaling" in holds else 1)
        for ending in endings:
            path = str(Path(tempfile.mkdtemp()) / (name + ending))
            try:
                made.save(path)
            except (ValueError, TypeError):
                # Keras 3 and HDF5: a network within a network, the seeds of random layers
                continue
            kind = "Keras " + ending
            archive.add(name + ending, path, kind, holds, *said)
    archive.close()


if __name__ == "__main__":
    main()
