"""What a Keras network did in a pass, in the words in which any network is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loaders.keras import layers
from xai_core.stages import Ran

_PLAIN = {
    "BatchNormalization": "batch normalisation", "LayerNormalization": "layer normalisation",
    "GroupNormalization": "group normalisation", "UnitNormalization": "normalisation",
    "LeakyReLU": "leaky ReLU", "PReLU": "leaky ReLU", "ELU": "ELU", "Softmax": "softmax",
    "MaxPooling2D": "max pooling", "AveragePooling2D": "average pooling",
    "GlobalAveragePooling2D": "global average pooling",
    "GlobalAveragePooling1D": "global average pooling",
    "GlobalMaxPooling2D": "global max pooling", "MultiHeadAttention": "attention",
    "Attention": "attention", "Add": "sum", "Concatenate": "joining", "Multiply": "gate",
    "UpSampling2D": "enlarging", "Rescaling": "rescaling", "Normalization": "rescaling",
}  # fmt: skip
_FILTERS = {
    "Conv2D": "convolution", "DepthwiseConv2D": "depthwise convolution",
    "SeparableConv2D": "separable convolution", "Conv2DTranspose": "transposed convolution",
}  # fmt: skip
_BENDS = {
    "relu": "ReLU", "relu6": "ReLU6", "leaky_relu": "leaky ReLU", "gelu": "GELU", "silu": "SiLU",
    "swish": "SiLU", "hard_swish": "hard swish", "hard_silu": "hard swish", "elu": "ELU",
    "selu": "ELU", "tanh": "tanh", "sigmoid": "sigmoid", "hard_sigmoid": "sigmoid",
    "softmax": "softmax",
}  # fmt: skip

Noted = tuple[Any, tuple[int, ...]]
"""A layer, and the shape of what it gave."""


def ran(noted: Sequence[Noted], count: int) -> tuple[Ran, ...]:
    """Return the layers of a pass of `count` photos, in their order, their activations apart."""
    found = []
    for layer, shape in noted:
        size, channels = _given(shape, count)
        found += [Ran(part, size, channels) for part in _parts(layer, shape) if part]
    return tuple(found)


def _given(shape: tuple[int, ...], count: int) -> tuple[tuple[int, int] | None, int]:
    measured = layers.map_shape(shape, count)
    if measured is not None:
        return (measured[0], measured[1]), measured[2]
    if len(shape) == 2 or (len(shape) == 4 and shape[1:3] == (1, 1)):
        return (1, 1), shape[-1]
    return None, 0


def _parts(layer: Any, shape: tuple[int, ...]) -> list[str]:
    kind = type(layer).__name__
    if kind == "ReLU":
        ceiling = getattr(layer, "max_value", None)
        return ["ReLU6" if ceiling == 6 else "ReLU"]
    if kind == "Activation":
        return [_bend(layer)]
    if kind in _FILTERS:
        called = _FILTERS[kind]
        if kind == "Conv2D" and getattr(layer, "groups", 1) > 1:
            called = "grouped convolution"
        height, width = layer.kernel_size
        return [f"{height} x {width} {called}", _bend(layer)]
    if kind == "Dense":
        return ["dense layer" if len(shape) == 2 else "dense layer at each place", _bend(layer)]
    return [_PLAIN.get(kind, "")]


def _bend(layer: Any) -> str:
    """Return what a layer's own activation is called."""
    own = getattr(layer, "activation", None)
    if type(own).__name__ == "ReLU":
        return "ReLU6" if getattr(own, "max_value", None) == 6 else "ReLU"
    return _BENDS.get(getattr(own, "__name__", ""), "")
