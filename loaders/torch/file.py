"""A PyTorch file into a model: weights of a known network, or one that the file brings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from loaders.boxed import either
from loaders.formats import EXPORTED, SAFETENSORS, TORCHSCRIPT, sniff
from loaders.preprocessing import Options
from loaders.torch import archives, boxes, contents
from loaders.torch.module import from_module
from loaders.torch.weights import from_sets
from xai_core.card import Wanted

if TYPE_CHECKING:
    from loaders.boxed import BoxedDetector
    from loaders.torch.detector import TorchDetector
    from loaders.torch.model import TorchModel


def load(
    path: Path, options: Options, *, name: str, wanted: Wanted = "classification"
) -> TorchModel | TorchDetector | BoxedDetector:
    """Load a classifier or a detector: weights of a known one, or a file with its network.

    An export that may be either is read as what is wanted first. Raises LoadError for a file that
    is damaged or unsafe, NeedsSource for one whose network is neither in it nor known, and
    UnsupportedModel for one that is neither an image classifier nor a detector that is read.
    """
    kind = sniff(path)
    if kind is TORCHSCRIPT:
        module = archives.read_script(path)
        seen = archives.traced_shape(path)[1:]  # the batch of a trace is free
        shape = (0, *seen) if seen else ()
        return either(
            lambda: from_module(module, options, name=name, kind=kind.title, shape=shape),
            lambda: boxes.script(module, options, name=name, kind=kind.title),
            wanted,
        )
    if kind is EXPORTED:
        module, shape = archives.read_exported(path)
        return from_module(module, options, name=name, kind=kind.title, shape=shape)
    content = contents.read(path, kind, options)
    if content.module is not None:
        return from_module(
            content.module,
            options,
            name=name,
            kind="PyTorch module",
            inside=content.inside,
            said=content.said,
            names=content.names,
        )
    title = "PyTorch state dict" if kind is not SAFETENSORS else "safetensors weights"
    return from_sets(
        content.sets, options, name=name, kind=title, names=content.names, said=content.said
    )
