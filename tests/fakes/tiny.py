"""A small convolutional network with random weights, the same in torch and in Keras."""

from typing import Any

import numpy as np

from loaders.preprocessing import Options, preset

CLASSES = ("one", "two", "three")
SIZE = (24, 28)


def weights(seed: int = 3) -> dict[str, Any]:
    """Return random weights: convolutions [out, in, 3, 3], a dense layer [classes, channels]."""
    rng = np.random.default_rng(seed)
    return {
        "a": rng.normal(0, 0.5, (6, 3, 3, 3)).astype(np.float32),
        "b": rng.normal(0, 0.4, (8, 6, 3, 3)).astype(np.float32),
        "dense": rng.normal(0, 0.3, (3, 8)).astype(np.float32),
    }


def torch_model() -> Any:
    """Return the network behind TorchModel."""
    import torch
    from torch import nn

    from loaders.torch.model import TorchModel

    values = {name: torch.from_numpy(array) for name, array in weights().items()}
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 3, bias=False),
    )
    with torch.no_grad():
        module[0].weight.copy_(values["a"])
        module[3].weight.copy_(values["b"])
        module[7].weight.copy_(values["dense"])
    return TorchModel(
        module,
        name="tiny",
        kind="test",
        architecture="tiny",
        preprocessing=preset("symmetric", SIZE),
        labels=CLASSES,
    )


def keras_model() -> Any:
    """Return the network behind KerasModel, with a softmax at its end."""
    import keras

    from loaders.keras.model import KerasModel

    values = weights()
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((*SIZE, 3)),
            layers.Conv2D(6, 3, padding="same", use_bias=False, activation="relu", name="a"),
            layers.MaxPooling2D(2),
            layers.Conv2D(8, 3, padding="same", use_bias=False, activation="relu", name="b"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, use_bias=False, activation="softmax", name="dense"),
        ]
    )
    model.get_layer("a").set_weights([values["a"].transpose(2, 3, 1, 0)])
    model.get_layer("b").set_weights([values["b"].transpose(2, 3, 1, 0)])
    model.get_layer("dense").set_weights([values["dense"].T])
    return KerasModel(
        model,
        Options(classes=CLASSES),
        name="tiny",
        preprocessing=preset("symmetric", SIZE),
    )


def view(seed: int = 0) -> Any:
    """Return a random view, float32 [h, w, 3]."""
    return np.random.default_rng(seed).random((*SIZE, 3), np.float32)
