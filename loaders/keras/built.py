"""A Keras file's own layers, for those who read weights alone: it passes the same checks first."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def built(path: Path) -> Any:
    """Return the model of a file. Raises LoadError and UnsupportedModel, as a model of photos."""
    from loaders.keras import archive
    from loaders.keras.audit import audit

    held = archive.read(path)
    audit(held.config)
    from loaders.keras.read import read

    model, _ = read(path, held, {})
    return model
