"""Files that come together: a model, and what says more of it. Told apart by content, not name.

A model file may bring the source of its class (Python), the architecture of a Keras network whose
weights it holds (JSON), and the names of its classes; an ONNX file also the files that its weights
lie in, which stay files. Only what is text is read, and none of it is run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loaders import formats, text_files, texts
from loaders.class_names import read_classes
from loaders.onnx.graph import holds_graph
from loaders.options import MAX_ARCHITECTURE, MAX_SOURCE
from loaders.other_files import UNKNOWN
from xai_core.errors import LoadError, ParamError

_HEAD = 4096
_TEXTS = (".py", ".json", ".txt", ".csv", ".tsv", ".names", ".yaml", ".yml", ".md", "")
_TITLES = {
    "source": "source of a class",
    "architecture": "network's JSON",
    "classes": "list of class names",
}


@dataclasses.dataclass(frozen=True)
class Bundle:
    """What came together: the model, what the others say as options, and files of weights.

    `beside` holds the names and places of what an ONNX file's weights lie in.
    """

    model: Path
    options: Mapping[str, Any]
    beside: Sequence[tuple[str, Path]] = ()


def safe_name(name: str) -> str:
    """Return a file name out of whatever a browser sent: no folders, no odd characters."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", last).lstrip(".-")[-100:].lstrip(".-")
    return plain or "file"


def sort(files: Sequence[tuple[str, Path]]) -> Bundle:
    """Tell the model among `files`, each with the name to show, from what comes with it.

    Raises LoadError for two models or none, two companions of one kind, and text that is neither
    Python, a Keras network's JSON nor class names.
    """
    models: list[tuple[str, Path]] = []
    options: dict[str, Any] = {}
    onnx = len(files) > 2 and any(holds_graph(path) for _, path in files)
    for name, path in files:
        # A tensor may be made of letters by chance, and its file is named for it.
        numbers = onnx and Path(name).suffix.lower() not in _TEXTS
        said = None if numbers else alone(name, path)
        if said is None:
            models.append((name, path))
            continue
        kind, value = said
        if kind in options:
            raise LoadError(
                f"More than one of these files is a {_TITLES[kind]}. Send one with the model."
            )
        options[kind] = value
    beside: list[tuple[str, Path]] = []
    if len(models) > 1:
        models, beside = _with_weights(models)
    if len(models) > 1:
        raise LoadError(
            f"{_quoted(models[0][0])} and {_quoted(models[1][0])} are both models, and one opens "
            "at a time. Send one, with what belongs to it."
        )
    if not models:
        raise LoadError(
            f"None of these {len(files)} files is a model. Send the file that torch.save, "
            "model.save or save_weights wrote with them."
        )
    return Bundle(models[0][1], options, beside)


def _with_weights(
    files: Sequence[tuple[str, Path]],
) -> tuple[list[tuple[str, Path]], list[tuple[str, Path]]]:
    """Tell models from files of numbers, which only an ONNX file brings."""
    models: list[tuple[str, Path]] = []
    numbers: list[tuple[str, Path]] = []
    for row in files:
        (numbers if _is_unknown(row[1]) else models).append(row)
    if len(models) == 1 and holds_graph(models[0][1]):
        return models, numbers
    return list(files), []


def _is_unknown(path: Path) -> bool:
    """Say whether a file begins as no model does; one of numbers may do so by chance."""
    with path.open("rb") as file:
        if file.read(4) == b"PK\x03\x04":
            return False
    kind = formats.sniff(path)
    plain = kind is UNKNOWN or kind is text_files.TEXT
    return plain or (kind.framework == "onnx" and not holds_graph(path))


def alone(name: str, path: Path) -> tuple[str, Any] | None:
    """Return what `read` says of a file, or None for one that is no text. Raises LoadError."""
    text = _text(path, name)
    return None if text is None else read(text, name)


def read(text: str, name: str) -> tuple[str, Any]:
    """Return the option that a text is for, by its name in `Options`, and its value.

    Raises LoadError for what is none of them.
    """
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if start != "{" and (kind := text_files.named(text)):
        raise LoadError(f"{_quoted(name)} is none of these: {kind.sentence}")
    if start in ("{", "["):
        return _read_json(text, name)
    if text_files.is_code(text):
        _check_length(text, MAX_SOURCE, name)
        return "source", text.removeprefix("\ufeff")
    try:
        return "classes", read_classes(text)
    except ParamError as error:
        raise LoadError(
            f"{_quoted(name)} is neither a model nor anything that belongs to one: a class's "
            "source, a Keras network's JSON, or class names, one a line."
        ) from error


def _read_json(text: str, name: str) -> tuple[str, Any]:
    try:
        data = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        with contextlib.suppress(ParamError):
            return "classes", read_classes(text)  # as Python prints a list or a dict
        raise LoadError(
            f"{_quoted(name)} begins as JSON and cannot be read as JSON. Write it again with "
            "model.to_json()."
        ) from None
    if isinstance(data, dict) and {"class_name", "config"} <= data.keys():
        _check_length(text, MAX_ARCHITECTURE, name)
        return "architecture", text
    try:
        return "classes", read_classes(text)
    except ParamError as error:
        raise LoadError(
            f"The JSON {_quoted(name)} is neither a Keras network (model.to_json()) nor a list of "
            "class names."
        ) from error


def _text(path: Path, name: str) -> str | None:
    """Return what a file says, or None for one that is no text."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        # A model's file begins with bytes that no text has.
        if not texts.is_text(head, whole=len(head) < _HEAD):
            return None
        _check_length(range(path.stat().st_size), MAX_ARCHITECTURE, name)
        rest = head + file.read(MAX_ARCHITECTURE)
    try:
        return texts.decode_text(rest)
    except texts.NotText as error:
        if not texts.is_text(rest, whole=True):
            return None
        raise LoadError(f"The text {_quoted(name)} cannot be read: {error}.") from None


def _check_length(text: str | range, limit: int, name: str) -> None:
    if len(text) > limit:
        raise LoadError(
            f"{_quoted(name)} is longer than {limit:,} characters, which no such text needs."
        )


def _quoted(name: str) -> str:
    return f"'{''.join(letter for letter in name[:60] if letter.isprintable())}'"
