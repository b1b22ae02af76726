"""Which versions made a result: Vitrine's own, and those of what it stands on."""

from __future__ import annotations

import functools
import platform
from collections.abc import Mapping
from importlib import metadata
from types import MappingProxyType

VITRINE = "0.1.0"

ALWAYS = ("numpy", "pillow")
FRAMEWORKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "torch": ("torch", "torchvision"),
        "keras": ("tensorflow", "tensorflow-cpu", "keras"),
        "tf_keras": ("tensorflow", "tensorflow-cpu", "tf-keras"),
        "onnx": ("onnx", "onnxruntime"),
    }
)
"""What a model of each framework may run on, as the packages are called."""


def versions(framework: str, engine: str = "") -> dict[str, str]:
    """Return versions by name, of what is installed; an engine is called as its package is.

    Nothing is imported: workers run out of the same installation.
    """
    named = (*ALWAYS, *FRAMEWORKS.get(framework, ()), engine)
    found = {name: _installed(name) for name in named if name}
    return {"vitrine": VITRINE, "python": platform.python_version()} | {
        name: version for name, version in found.items() if version
    }


@functools.cache
def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
