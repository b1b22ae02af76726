"""Settings in a Keras archive that a later Keras does not know, and that change no answer.

Keras 3.0 to 3.5 write `value_range` for RandomRotation and its like. Their layers do nothing
outside training, so that what they do not know is left out.
"""

from __future__ import annotations

import copy
import inspect
import io
import json
import zipfile
from typing import Any, BinaryIO

from loaders.keras.archive import CONFIG
from loaders.keras.audit import layers

_AT_REST = frozenset(
    {
        *("RandomBrightness", "RandomContrast", "RandomFlip", "RandomHeight", "RandomRotation"),
        *("RandomShear", "RandomTranslation", "RandomWidth", "RandomZoom"),
    }
)
_OF_ANY_LAYER = frozenset(("name", "trainable", "dtype", "batch_input_shape", "data_format"))


def repaired(config: dict[str, Any]) -> dict[str, Any] | None:
    """Return the configuration without what this Keras does not know, or None for the same."""
    import keras

    changed = copy.deepcopy(config)
    dropped = False
    for name, settings in layers(changed):
        if name not in _AT_REST or not hasattr(keras.layers, name):
            continue
        known = inspect.signature(getattr(keras.layers, name).__init__).parameters
        for key in set(settings) - set(known) - _OF_ANY_LAYER:
            del settings[key]
            dropped = True
    return changed if dropped else None


def rewritten(file: BinaryIO, config: dict[str, Any]) -> BinaryIO:
    """Return an archive with another configuration, in memory."""
    made = io.BytesIO()
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(made, "w") as target:
        for member in source.infolist():
            data = json.dumps(config) if member.filename == CONFIG else source.read(member)
            target.writestr(member.filename, data)
    made.seek(0)
    return made
