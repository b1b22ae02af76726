"""What a Keras model is, told by its layers' names, and how its photos are prepared.

Takes the model object and imports no framework: Keras 3 and tf_keras name their parts alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from loaders import vitrine_net
from loaders.keras import teachable
from loaders.keras.front import Front
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


# by the layers that it alone has: a head is often joined to the layers, and the name is lost
_LAYERS: tuple[tuple[frozenset[str], Application], ...] = tuple(
    (frozenset(names.split()), known)
    for names, known in (
        ("conv1 conv_dw_1 conv_pw_1 conv_dw_13 conv_pw_13", Application("MobileNet", "symmetric")),
        ("Conv1 expanded_conv_project Conv_1 out_relu", Application("MobileNetV2", "symmetric")),
        (
            "expanded_conv_project expanded_conv_1_expand expanded_conv_2_depthwise",
            Application("MobileNetV3", "symmetric", own=True),
        ),
        ("conv1_conv conv2_block1_preact_bn post_bn", Application("ResNetV2", "symmetric")),
        ("conv1_conv conv1_bn conv2_block1_0_conv", Application("ResNet", "caffe")),
        ("bn_conv1 res2a_branch2a res5c_branch2c", Application("ResNet", "caffe")),
        ("conv2_block1_0_bn pool2_conv pool4_conv", Application("DenseNet", "imagenet")),
        ("block1_conv1 block1_conv2 block3_conv3 block5_conv3", Application("VGG", "caffe")),
        (
            "block1_conv1 block2_sepconv1 block14_sepconv2",
            Application("Xception", "symmetric", 299),
        ),
        ("mixed0 mixed5 mixed9_0 mixed10", Application("InceptionV3", "symmetric", 299)),
        ("mixed_5b mixed_7a conv_7b", Application("InceptionResNetV2", "symmetric", 299)),
        (
            "stem_conv block1a_dwconv block7a_project_conv top_conv",
            Application("EfficientNet", "imagenet", own=True),
        ),
        (
            "stem_conv block1a_project_conv block6a_dwconv2 top_conv",
            Application("EfficientNetV2", "symmetric", own=True),
        ),
    )
)


def application(model: Any) -> Application | None:
    """Return the application that the model is, or that one of its submodels is."""
    for name in _names(model):
        for pattern, known in _PATTERNS:
            if pattern.fullmatch(name):
                return known
    layers = {str(layer.name).replace("/", "_") for layer in _layers(model)}
    return next((known for names, known in _LAYERS if names <= layers), None)


def preprocessing(
    model: Any, known: Application | None, size: tuple[int, int], channels: int, own: Front | None
) -> Preprocessing | None:
    """Return how the model's photos are prepared where it says so, or None.

    `own` is what the scaling inside the network is made for. A network with the thousand classes
    that its application was published with is shown a crop, as it was tested; one with a head of
    its own was trained on whole photos.
    """
    if getattr(model, "name", "") == "vitrine_net":
        return preset(vitrine_net.PREPROCESSING, size, why="as the built-in models were trained")
    if own is None and (made := teachable.preprocessing(model)):
        return made
    if own is None and (known is None or channels != 3):
        return None
    name, why = own if own else (known.recipe, "") if known else ("unit", "")
    if own is None and known is not None:
        left_out = " without the pre-processing layers that it can hold" if known.own else ""
        why = f"assumed from the architecture, {known.title}{left_out}, and not said by the file"
    if known is not None and channels == 3 and published(model):
        return for_imagenet(name, size, why=why)
    return preset(name, size, channels=channels, why=why)


def published(model: Any) -> bool:
    """Say whether a network has the thousand classes that keras.applications publishes."""
    outputs: Any = getattr(model, "outputs", None)
    return bool(outputs) and len(outputs) == 1 and tuple(outputs[0].shape)[-1] == 1000


def _layers(model: Any) -> Iterator[Any]:
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _layers(layer)


def _names(model: Any) -> Iterator[str]:
    yield str(getattr(model, "name", ""))
    for layer in getattr(model, "layers", ()):
        if hasattr(layer, "layers"):
            yield from _names(layer)
