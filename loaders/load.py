"""The one door of the loaders: a path and what the person asked, into a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from loaders.formats import framework_of
from loaders.preprocessing import Options
from loaders.sanity import doubts
from xai_core.errors import LoadError

if TYPE_CHECKING:
    from loaders.keras.model import KerasModel
    from loaders.onnx.model import OnnxModel
    from loaders.torch.model import TorchModel

    AnyModel = KerasModel | TorchModel | OnnxModel

__all__ = ["framework_of", "load"]

_TITLES = {"torch": "a PyTorch", "keras": "a TensorFlow", "onnx": "an ONNX"}


def load(path: Path, options: Options, *, name: str) -> AnyModel:
    """Load a classifier, chosen by the file's content.

    Raises LoadError where the file is refused, UnsupportedModel where it is no image classifier
    and ParamError for an option that does not fit it.
    """
    framework = framework_of(path)
    if options.framework not in ("auto", framework):
        chosen = _TITLES[options.framework].split(" ", 1)[1]
        raise LoadError(
            f"This is {_TITLES[framework]} file, and {chosen} was chosen. Choose 'detect it' or "
            "the other framework."
        )
    model = _ADAPTERS[framework](path, options, name)
    model.findings = (*model.findings, *doubts(model))
    return model


def _torch(path: Path, options: Options, name: str) -> AnyModel:
    from loaders.torch import file

    return file.load(path, options, name=name)


def _keras(path: Path, options: Options, name: str) -> AnyModel:
    from loaders.keras import file

    return file.load(path, options, name=name)


def _onnx(path: Path, options: Options, name: str) -> AnyModel:
    from loaders.onnx import file

    return file.load(path, options, name=name)


_ADAPTERS = {"torch": _torch, "keras": _keras, "onnx": _onnx}
