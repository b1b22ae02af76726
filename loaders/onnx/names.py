"""Class names inside an ONNX file: in its metadata, and at the end of its graph."""

from __future__ import annotations

import ast
import json
import warnings
from typing import Any

from loaders.labels import Inside, fitting
from loaders.onnx.graph import Graph

_KEYS = (
    "names", "id2label", "idx_to_class", "class_names", "classes", "labels", "class_labels",
    "class_to_idx", "label2id", "categories", "label_names", "classnames", "label_map",
    "class_map", "class_name", "class_list", "label_list",
)  # fmt: skip
"""What exporters call the class names, in lower case."""

_INSIDE = ("config", "model_config", "metadata", "info")
"""Entries that may be JSON with the names inside."""

MAX_LITERAL = 1_000_000
"""The longest text that is read as a Python literal, in characters."""


def named(graph: Graph, classes: int) -> dict[str, Any]:
    """Return the `inside` and `where` of `labels_for`: what the file says of its classes."""
    found: list[Inside] = []
    metadata = {key.strip().lower(): value for key, value in graph.metadata.items()}
    for key in _KEYS:
        if value := metadata.get(key, "").strip():
            found.append((f"the file's metadata '{key}'", _read(value)))
    for key in _INSIDE:
        inner = _read(metadata.get(key, ""))
        if isinstance(inner, dict):
            lower = {str(name).lower(): value for name, value in inner.items()}
            found += [(f"the file's metadata '{key}'", lower[k]) for k in _KEYS if k in lower]
    for node in graph.nodes:
        if node.classes:
            found.append((f"the graph's {node.operator}", node.classes))
    return fitting(found, classes)


def _read(text: str) -> object:
    """Return what a text says: JSON, a Python literal, names with commas, or the text itself."""
    text = text.strip()
    if text[:1] in ("{", "[", "("):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass
        if len(text) <= MAX_LITERAL:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    return ast.literal_eval(text)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                pass
    if "\n" not in text:
        for mark in (";", "|", ","):
            if mark in text:
                return [part.strip() for part in text.split(mark)]
    return text
