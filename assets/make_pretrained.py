"""Write what is known of the published models: where they lie, how large and good they are.

Run after an update of torchvision or Keras: `python -m assets.make_pretrained`. It downloads
nothing. `pretrained.json` lists the classifiers of torchvision, by their default weights, those of
keras.applications, and torchvision's detectors; `coco_classes.txt` names what these find.
`keras_applications.json` holds a digest of each Keras body, by which its weights are recognised.
What no source says is null.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any
from unittest import mock

from loaders.catalogue import ASSETS, PRETRAINED
from loaders.keras.weights import TABLE, body_digest, without_head

COCO = ASSETS / "coco_classes.txt"
MIB = 1 << 20
"""Both libraries give sizes in MB and mean these."""

KERAS_FIGURES: dict[str, tuple[float | None, float]] = {
    "Xception": (88, 79.0),
    "VGG16": (528, 71.3),
    "VGG19": (549, 71.3),
    "ResNet50": (98, 74.9),
    "ResNet50V2": (98, 76.0),
    "ResNet101": (171, 76.4),
    "ResNet101V2": (171, 77.2),
    "ResNet152": (232, 76.6),
    "ResNet152V2": (232, 78.0),
    "InceptionV3": (92, 77.9),
    "InceptionResNetV2": (215, 80.3),
    "MobileNet": (16, 70.4),
    "MobileNetV2": (14, 71.3),
    "DenseNet121": (33, 75.0),
    "DenseNet169": (57, 76.2),
    "DenseNet201": (80, 77.3),
    "NASNetMobile": (23, 74.4),
    "NASNetLarge": (343, 82.5),
    "EfficientNetB0": (29, 77.1),
    "EfficientNetB1": (31, 79.1),
    "EfficientNetB2": (36, 80.1),
    "EfficientNetB3": (48, 81.6),
    "EfficientNetB4": (75, 82.9),
    "EfficientNetB5": (118, 83.6),
    "EfficientNetB6": (166, 84.0),
    "EfficientNetB7": (256, 84.3),
    "EfficientNetV2B0": (29, 78.7),
    "EfficientNetV2B1": (34, 79.8),
    "EfficientNetV2B2": (42, 80.5),
    "EfficientNetV2B3": (59, 82.0),
    "EfficientNetV2S": (88, 83.9),
    "EfficientNetV2M": (220, 85.3),
    "EfficientNetV2L": (479, 85.7),
    "ConvNeXtTiny": (109.42, 81.3),
    "ConvNeXtSmall": (192.29, 82.3),
    "ConvNeXtBase": (338.58, 85.3),
    "ConvNeXtLarge": (755.07, 86.3),
    "ConvNeXtXLarge": (1310, 86.7),
    "MobileNetV3Large": (None, 75.6),
    "MobileNetV3Small": (None, 68.1),
}
"""File size in MiB and top-1 accuracy in percent, which the package does not hold: from the table
of keras.io/api/applications, and for MobileNetV3 from its functions' docstrings."""


def torchvision_row(name: str) -> dict[str, Any]:
    """Describe the default weights of one torchvision classifier, from their own metadata."""
    from torchvision import models

    weights = models.get_model_weights(name).DEFAULT
    transforms = weights.transforms()
    prefix = re.search(r"-([0-9a-f]{8,})\.pth$", weights.url)
    return {
        "name": f"torchvision/{name}",
        "title": type(weights).__name__.removesuffix("_Weights"),
        "library": "torchvision",
        "framework": "torch",
        "url": weights.url,
        "checksum": f"sha256:{prefix.group(1)}" if prefix else None,
        "bytes": round(weights.meta["_file_size"] * MIB),
        "parameters": weights.meta["num_params"],
        "top1": weights.meta["_metrics"]["ImageNet-1K"]["acc@1"],
        "frame": {
            "size": transforms.crop_size * (2 // len(transforms.crop_size)),
            "resize": transforms.resize_size[0],
            "interpolation": transforms.interpolation.value,
        },
    }


def torchvision_rows() -> list[dict[str, Any]]:
    """Describe all of torchvision's classifiers."""
    from torchvision import models

    return [torchvision_row(name) for name in models.list_models(module=models)]


def detector_rows() -> list[dict[str, Any]]:
    """Describe the default weights of torchvision's object detectors, from their own metadata.

    Keypoint R-CNN is left out: it finds people's joints.
    """
    from torchvision import models

    listed = models.list_models(module=models.detection)
    return [detector_row(name) for name in listed if not name.startswith("keypoint")]


def detector_row(name: str) -> dict[str, Any]:
    """Describe the default weights of one torchvision detector."""
    from torchvision import models

    weights = models.get_model_weights(name).DEFAULT
    return {
        "name": f"torchvision/{name}",
        "title": type(weights).__name__.removesuffix("_Weights"),
        "library": "torchvision",
        "framework": "torch",
        "url": weights.url,
        "checksum": f"sha256:{weights.url.rsplit('-', 1)[-1].removesuffix('.pth')}",
        "bytes": round(weights.meta["_file_size"] * MIB),
        "parameters": weights.meta["num_params"],
        "top1": None,
        "box_map": weights.meta["_metrics"]["COCO-val2017"]["box_map"],
        "frame": {"size": [320, 320]} if name.endswith("_320_fpn") else {},
        "task": "detection",
        "trained_on": "COCO's 80 kinds of objects",
    }


def coco_names() -> list[str]:
    """Return COCO's names by torchvision's numbers, less the background; unused ones say so."""
    from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights

    names = FasterRCNN_ResNet50_FPN_Weights.DEFAULT.meta["categories"][1:]
    return [f"unused {number}" if name == "N/A" else name for number, name in enumerate(names, 1)]


def keras_names() -> list[str]:
    """List the functions of keras.applications."""
    import keras

    return sorted(name for name in dir(keras.applications) if name[0].isupper())


def keras_row(name: str) -> tuple[dict[str, Any], str]:
    """Describe one of keras.applications, and digest its body. Builds it, and loads nothing."""
    import keras

    with _downloads_seen() as seen:
        model = getattr(keras.applications, name)(weights="imagenet")
    url, digest = seen[-1]
    size, top1 = KERAS_FIGURES.get(name, (None, None))
    kind = "sha256" if digest and len(digest) == 64 else "md5"
    row = {
        "name": f"keras/{name}",
        "title": name,
        "library": "Keras",
        "framework": "keras",
        "url": url,
        "checksum": f"{kind}:{digest}" if digest else None,
        "bytes": None if size is None else round(size * MIB),
        "parameters": model.count_params(),
        "top1": top1,
        "frame": {},
    }
    shapes = [tuple(weight.shape) for weight in model.weights if len(weight.shape)]
    return row, next(body_digest(body) for body in _bodies(shapes))


def _bodies(shapes: list[tuple[int, ...]]) -> Iterator[list[tuple[int, ...]]]:
    return (body for body, classes in without_head(shapes) if classes == 1000)


@contextlib.contextmanager
def _downloads_seen() -> Iterator[list[tuple[str, str | None]]]:
    """Note the address and checksum of what Keras would download, and let it load nothing."""
    import keras
    from keras.src.utils import file_utils

    seen: list[tuple[str, str | None]] = []

    def get_file(fname: Any = None, origin: str = "", **given: Any) -> str:
        seen.append((origin, given.get("file_hash")))
        return ""

    with (
        mock.patch.object(file_utils, "get_file", get_file),
        mock.patch.object(keras.Model, "load_weights"),
        mock.patch("keras.src.initializers.GlorotUniform.__call__", _zeros),
    ):
        yield seen


def _zeros(self: Any, shape: Any, dtype: Any = None, **given: Any) -> Any:
    """Stand in for random weights, which take minutes to draw."""
    import keras

    return keras.ops.zeros(shape, dtype)


def main() -> None:
    """Write the tables and say how many models they hold."""
    rows = torchvision_rows()  # first: a TensorFlow that is imported before torch aborts
    digests = {}
    for name in keras_names():
        row, digests[name] = keras_row(name)
        rows.append(row)
    rows += detector_rows()
    files = [row["url"].rsplit("/", 1)[-1] for row in rows]
    if len(set(files)) < len(files) or len(set(digests.values())) < len(digests):
        raise SystemExit("Two models share a file's name or a digest.")
    PRETRAINED.write_text("[\n" + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n]\n")
    COCO.write_text("".join(f"{name}\n" for name in coco_names()))
    TABLE.write_text(json.dumps(digests, indent=2) + "\n")
    print(f"{len(rows)} models, {len(digests)} of keras.applications")


if __name__ == "__main__":
    main()
