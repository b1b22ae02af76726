"""What a Keras model is, told by its own layers' names: its application, and what it eats.

Takes the model object and imports no framework: Keras 3 and tf_keras name their parts alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from loaders import vitrine_net
from loaders.preprocessing import Preprocessing, for_imagenet, preset


class Application(NamedTuple):
    """One of keras.applications: its title, how its photos are prepared, and its usual side.

    `own` says that the network holds its pre-processing, unless it was left out when it was built.
    """

    title: str
    recipe: str
    side: int = 224
    own: bool = False


_NAMES: tuple[tuple[str, Application], ...] = (
    (r"mobilenet_[\d.]+_\w+", Application("MobileNet", "symmetric")),
    (r"mobilenetv2_[\d.]+_\w+", Application("MobileNetV2", "symmetric")),
    (r"mobilenetv3.*", Application("MobileNetV3", "symmetric", own=True)),
    (r"resnet(50|101|152)v2", Application("ResNetV2", "symmetric")),
    (r"resnet(50|101|152)", Application("ResNet", "caffe")),
    (r"vgg(16|19)", Application("VGG", "caffe")),
    (r"densenet(121|169|201)?", Application("DenseNet", "imagenet")),
    (r"inception_v3", Application("InceptionV3", "symmetric", 299)),
    (r"inception_resnet_v2", Application("InceptionResNetV2", "symmetric", 299)),
    (r"xception", Application("Xception", "symmetric", 299)),
    (r"nasnet_?large", Application("NASNetLarge", "symmetric", 331)),
    (r"nasnet(_?mobile)?", Application("NASNet", "symmetric")),
    *(
        (f"efficientnetb{number}", Application(f"EfficientNetB{number}", "imagenet", side, True))
        for number, side in enumerate((224, 240, 260, 300, 380, 456, 528, 600))
    ),
    *(
        (f"efficientnetv2-{name}", Application(f"EfficientNetV2{name.upper()}", "symmetric", *row))
        for name, row in {
            "b0": (224, True),
            "b1": (240, True),
            "b2": (260, True),
            "b3": (300, True),
            "s": (384, True),
            "m": (480, True),
            "l": (480, True),
        }.items()
    ),
    (r"convnext_\w+", Application("ConvNeXt", "imagenet", own=True)),
)
# Keras numbers a second model of one name: resnet50_1
_PATTERNS = tuple((re.compile(f"{name}(_\\d+)?", re.I), known) for name, known in _NAMES)
_PASSED = ("InputLayer", "Random", "Resizing", "CenterCrop", "ZeroPadding", "Cropping", "Dropout")
_ARITHMETIC = ("TrueDivide", "Divide", "Multiply", "Subtract", "Add", "GetItem", "Cast")


def application(model: Any) -> Application | None:
    """Return the application that the model is, or that one of its submodels is."""
    for name in _names(model):
        for pattern, known in _PATTERNS:
            if pattern.fullmatch(name):
                return known
    return None


def preprocessing(
    model: Any, known: Application | None, size: tuple[int, int], channels: int
) -> Preprocessing | None:
    """Return how the model's photos are prepared where its layers say so, or None."""
    if getattr(model, "name", "") == "vitrine_net":
        return preset(vitrine_net.PREPROCESSING, size, why="as the built-in models were trained")
    if front := scaling(model):
        name, why = front
        if known is not None and channels == 3:
            return for_imagenet(name, size, why=why)
        return preset(name, size, channels=channels, why=why)
    if known is None or channels != 3:
        return None
    left_out = " without the pre-processing layers that it can hold" if known.own else ""
    why = f"assumed from the architecture, {known.title}{left_out}, and not said by the file"
    return for_imagenet(known.recipe, size, why=why)


def scaling(model: Any) -> tuple[str, str] | None:
    """Return what the network's own first layers expect ('raw' or 'unit') and which they are."""
    for operation in _first(model):
        kind = type(operation).__name__
        if kind == "Rescaling":
            why = "the network begins with a Rescaling layer"
            return ("raw" if _largest(operation.scale) < 0.1 else "unit"), why
        if kind == "Normalization":
            why = "the network begins with a Normalization layer"
            mean = operation.input_mean if operation.input_mean is not None else operation.mean
            return ("raw" if _largest(mean) > 2 else "unit"), why
        if kind in _ARITHMETIC or kind in ("TFOpLambda", "SlicingOpLambda"):
            constants = [abs(value) for value in _constants(operation)]
            if any(value > 2 or 0 < value < 0.1 for value in constants):
                return "raw", "the network scales its input itself"
            continue
        return None
    return None


def _names(model: Any) -> Iterator[str]:
    yield str(getattr(model, "name", ""))
    for layer in getattr(model, "layers", ()):
        if hasattr(layer, "layers"):
            yield from _names(layer)


def _first(model: Any) -> Iterator[Any]:
    """Yield the model's operations in their order, nested ones included, as far as a photo goes."""
    operations: list[Any] = getattr(model, "operations", None) or getattr(model, "layers", [])
    for operation in operations:
        if hasattr(operation, "layers"):
            yield from _first(operation)
        elif not type(operation).__name__.startswith(_PASSED):
            yield operation


def _largest(value: Any) -> float:
    import numpy as np

    return float(np.max(np.abs(np.asarray(value, np.float64))))


def _constants(operation: Any) -> Iterator[float]:
    """Yield the plain numbers that an operation was called with."""
    import numpy as np

    for node in operation._inbound_nodes:
        arguments = getattr(node, "arguments", node)  # Keras 3 keeps them in an object of their own
        for name in ("args", "kwargs", "call_args", "call_kwargs"):
            given = getattr(arguments, name, ())
            for value in given.values() if isinstance(given, dict) else given:
                if isinstance(value, (int, float, np.ndarray, list)):
                    try:
                        yield from np.ravel(np.asarray(value, np.float64)).tolist()
                    except (TypeError, ValueError):
                        continue
