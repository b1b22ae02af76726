"""The built-in models' network, in torch and in Keras: six small convolutions, one dense layer.

Every convolution is 3x3 with padding 1, followed by batch normalisation and ReLU; the first three
are halved by max pooling, so the last maps are 16x16 and the class scores are linear in their mean.
Input: 128x128 RGB, "symmetric" (-1..1). The two frameworks give the same numbers.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import nn

INPUT_SIZE: Final = (128, 128)
PREPROCESSING: Final = "symmetric"
WIDTHS: Final = (16, 32, 64, 128, 128, 160)
POOLED: Final = 3  # this many of the convolutions are followed by 2x2 max pooling
BN_EPSILON: Final = 1e-5
DROPOUT: Final = 0.2


def body() -> dict[str, tuple[int, ...]]:
    """Return the shapes of the torch network's tensors, without its head and its counters."""
    shapes: dict[str, tuple[int, ...]] = {}
    position, channels = 0, 3
    for index, width in enumerate(WIDTHS):
        shapes[f"features.{position}.weight"] = (width, channels, 3, 3)
        for name in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"features.{position + 1}.{name}"] = (width,)
        position, channels = position + (4 if index < POOLED else 3), width
    return shapes


def build(classes: int) -> "nn.Module":
    """Return the network in torch, untrained: float32 [N, 3, 128, 128], -1..1, to logits.

    The state dict's keys are `features.0.weight` ... `classifier.bias`; the last maps come out of
    `features`, float32 [N, 160, 16, 16].
    """
    from torch import nn

    layers: list[nn.Module] = []
    channels = 3
    for index, width in enumerate(WIDTHS):
        layers += [
            nn.Conv2d(channels, width, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(width, eps=BN_EPSILON),
            nn.ReLU(),
        ]
        if index < POOLED:
            layers.append(nn.MaxPool2d(2))
        channels = width
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(*layers),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            dropout=nn.Dropout(DROPOUT),
            classifier=nn.Linear(channels, classes),
        )
    )


def build_keras(classes: int) -> Any:
    """Return the network in Keras, functional: float32 [N, 128, 128, 3], -1..1, to probabilities.

    It ends in a softmax activation on its one dense layer, as most Keras classifiers do.
    """
    import keras

    image = keras.Input((*INPUT_SIZE, 3), name="image")
    maps = image
    for index, width in enumerate(WIDTHS, start=1):
        maps = keras.layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"conv_{index}")(
            maps
        )
        maps = keras.layers.BatchNormalization(epsilon=BN_EPSILON, name=f"norm_{index}")(maps)
        maps = keras.layers.ReLU(name=f"relu_{index}")(maps)
        if index <= POOLED:
            maps = keras.layers.MaxPooling2D(name=f"pool_{index}")(maps)
    mean = keras.layers.GlobalAveragePooling2D(name="mean")(maps)
    mean = keras.layers.Dropout(DROPOUT, name="dropout")(mean)
    scores = keras.layers.Dense(classes, activation="softmax", name="classifier")(mean)
    return keras.Model(image, scores, name="vitrine_net")


def copy_to_keras(state: Mapping[str, npt.NDArray[np.float32]], model: Any) -> None:
    """Put a torch state dict's arrays into a model from `build_keras`."""
    position = 0
    for index in range(1, len(WIDTHS) + 1):
        kernel = state[f"features.{position}.weight"]  # float32 [out, in, 3, 3]
        model.get_layer(f"conv_{index}").set_weights([kernel.transpose(2, 3, 1, 0)])
        norm = f"features.{position + 1}"
        names = ("weight", "bias", "running_mean", "running_var")  # Keras keeps this order too
        model.get_layer(f"norm_{index}").set_weights([state[f"{norm}.{name}"] for name in names])
        position += 4 if index <= POOLED else 3
    weight, bias = state["classifier.weight"], state["classifier.bias"]
    model.get_layer("classifier").set_weights([weight.T, bias])
