"""The one door of the loaders: a path and what the person asked, into a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from loaders.formats import framework_of
from loaders.preprocessing import Options
from loaders.sanity import doubts
from xai_core.card import Wanted
from xai_core.errors import LoadError, UnsupportedModel
from xai_core.model import Predicts, lacks

if TYPE_CHECKING:
    from loaders.boxed import BoxedDetector
    from loaders.keras.model import KerasModel
    from loaders.onnx.model import OnnxModel
    from loaders.torch.detector import TorchDetector
    from loaders.torch.model import TorchModel

    AnyModel = KerasModel | TorchModel | OnnxModel
    AnyDetector = TorchDetector | BoxedDetector

__all__ = ["framework_of", "load"]

_TITLES = {"torch": "a PyTorch", "keras": "a TensorFlow", "onnx": "an ONNX"}


DETECTS = "The page Object detection asks why it put a box where it did: send it there."
CLASSIFIES = "The page Offering asks what it looked at: send it there, or bring a detector."
"""Where a model of the other kind is explained."""


@overload
def load(
    path: Path, options: Options, *, name: str, wanted: Literal["classification"] = ...
) -> AnyModel: ...


@overload
def load(path: Path, options: Options, *, name: str, wanted: Wanted) -> AnyModel | AnyDetector: ...


def load(
    path: Path, options: Options, *, name: str, wanted: Wanted = "classification"
) -> AnyModel | AnyDetector:
    """Load a classifier, or a detector where that is wanted, chosen by the file's content.

    Raises LoadError where the file is refused, UnsupportedModel where it is no model of that kind
    and ParamError for an option that does not fit it.
    """
    framework = framework_of(path)
    if options.framework not in ("auto", framework):
        chosen = _TITLES[options.framework].split(" ", 1)[1]
        raise LoadError(
            f"This is {_TITLES[framework]} file, and {chosen} was chosen. Choose 'detect it' or "
            "the other framework."
        )
    model: AnyModel | AnyDetector = _ADAPTERS[framework](path, options, name, wanted)
    what = f" ({model.architecture})" if model.architecture else ""
    if lacks(model, Predicts):
        if wanted == "classification":
            raise UnsupportedModel(
                f"This file holds an object detector{what}, which gives a photo no class. {DETECTS}"
            )
        return model
    if wanted == "detection":
        raise UnsupportedModel(
            f"This file holds a classifier of photos{what}, which finds no objects. {CLASSIFIES}"
        )
    model.findings = (*model.findings, *doubts(model))
    return model


def prepare() -> None:
    """Import what each opening would import for itself; whoever forks workers does it once."""
    from PIL import Image

    from loaders import recognise

    Image.preinit()
    recognise.table()


def _torch(path: Path, options: Options, name: str, wanted: Wanted) -> Any:
    from loaders.torch import file

    return file.load(path, options, name=name, wanted=wanted)


def _keras(path: Path, options: Options, name: str, wanted: Wanted) -> Any:
    from loaders.keras import file

    return file.load(path, options, name=name)


def _onnx(path: Path, options: Options, name: str, wanted: Wanted) -> Any:
    from loaders.onnx import file

    return file.load(path, options, name=name, wanted=wanted)


_ADAPTERS = {"torch": _torch, "keras": _keras, "onnx": _onnx}
