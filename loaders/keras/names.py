"""Class names that a Keras file holds: in its lookup layers, its settings and its attributes.

What is found is a stranger's: it is measured here and read by `loaders.labels`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import Any

from loaders.keras.audit import layers
from loaders.labels import Inside
from loaders.texts import NotText, decode_text

_KEYS = (
    *("class_names", "classes", "labels", "label_names", "class_labels", "id2label"),
    *("class_to_idx", "idx_to_class", "class_indices", "label_map", "categories"),
)
_MAX_ENTRIES = 100_000
_MAX_TEXT = 1 << 20
_UNKNOWN = "[UNK]"


def in_config(config: dict[str, Any]) -> Iterator[Inside]:
    """Yield the names in a model's configuration, those of lookup layers first."""
    for kind, settings in layers(config):
        if kind == "StringLookup":
            yield from _looked_up(settings)
    for _, settings in [("", config), *layers(config)]:
        for key in _KEYS:
            if _is_names(value := settings.get(key)):
                yield f"its configuration's {key!r}", value


def _looked_up(settings: dict[str, Any]) -> Iterator[Inside]:
    words = settings.get("vocabulary")
    if not _is_names(words) or not isinstance(words, list):
        return
    where = f"its lookup layer {str(settings.get('name', ''))[:60]!r}"
    yield where, words
    unknown = settings.get("num_oov_indices")
    if isinstance(unknown, int) and 0 < unknown < 10:
        # what is in no list has the first numbers
        yield where, [str(settings.get("oov_token") or _UNKNOWN)] * unknown + words


def in_attributes(attributes: Any) -> Iterator[Inside]:
    """Yield the names among an HDF5 file's attributes."""
    for key in _KEYS:
        if key not in attributes:
            continue
        value = attributes[key]
        if hasattr(value, "tolist"):
            value = value.tolist()
        if isinstance(value, list):
            value = [_text(each) for each in value[: _MAX_ENTRIES + 1]]
        elif isinstance(value, (bytes, str)):
            value = _text(value)
        if _is_names(value):
            yield f"the file's attribute {key!r}", value


def in_archive(archive: zipfile.ZipFile) -> Iterator[Inside]:
    """Yield the vocabularies that Keras puts beside its configuration."""
    for member in archive.infolist():
        name = member.filename
        if not name.startswith("assets/") or not name.endswith("/vocabulary.txt"):
            continue
        if "string_lookup" not in name or member.file_size > _MAX_TEXT:
            continue
        try:
            words = decode_text(archive.read(member)).splitlines()
        except NotText:
            continue
        yield f"its lookup layer's {name[:60]!r}", words
        yield f"its lookup layer's {name[:60]!r}", [_UNKNOWN, *words]


def _is_names(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= _MAX_TEXT
    if not isinstance(value, (list, dict)) or not 1 < len(value) <= _MAX_ENTRIES:
        return False
    texts = [*value, *value.values()] if isinstance(value, dict) else value
    return any(isinstance(each, str) for each in texts)


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
