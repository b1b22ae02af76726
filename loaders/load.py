"""The one door of the loaders: a path and what the person asked, into a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from loaders.formats import framework_of
from loaders.preprocessing import Options
from xai_core.errors import LoadError

if TYPE_CHECKING:
    from loaders.keras_model import KerasModel
    from loaders.torch_model import TorchModel

__all__ = ["framework_of", "load"]

_TITLES = {"torch": "PyTorch", "keras": "TensorFlow"}


def load(path: Path, options: Options, *, name: str) -> TorchModel | KerasModel:
    """Load a classifier, chosen by the file's content.

    Raises LoadError where the file is refused, UnsupportedModel where it is no image classifier
    and ParamError for an option that does not fit it.
    """
    framework = framework_of(path)
    if options.framework not in ("auto", framework):
        raise LoadError(
            f"This is a {_TITLES[framework]} file, and {_TITLES[options.framework]} was chosen. "
            "Choose 'detect it' or the other framework."
        )
    if framework == "torch":
        from loaders import torch_file

        return torch_file.load(path, options, name=name)
    from loaders import keras_file

    return keras_file.load(path, options, name=name)
