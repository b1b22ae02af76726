"""Names of a model's classes, read from the files that people have."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Sequence

from xai_core.errors import ParamError

MAX_NAMES, MAX_LENGTH, MAX_TEXT = 100_000, 200, 16_000_000
FORMS = (
    'one name a line, a JSON list, a JSON object as {"0": "cat"} or {"cat": 0}, '
    "or CSV lines as 0,cat"
)


def read_classes(text: str) -> tuple[str, ...]:
    """Return the names in the order of the network's outputs.

    Takes one name a line; a JSON list; a JSON object `{"0": "cat"}`, `{"cat": 0}` or Keras's
    `{"0": ["n02123045", "cat"]}`; CSV lines `0,cat` with or without a heading. Numbers count from
    0 and leave none out; names that stand twice get their number behind them. Raises ParamError
    for anything else and for an empty name.
    """
    if len(text) > MAX_TEXT:
        raise ParamError(f"--classes must be a file of at most {MAX_TEXT // 1_000_000} MB of text")
    text = text.removeprefix("\ufeff").strip()
    if not text:
        raise ParamError(f"--classes must be a file with {FORMS}; it is empty")
    if text[0] in "[{":
        names = _from_json(text)
    else:
        lines = text.splitlines()
        names = _from_csv(lines) or [line.strip() for line in lines]
    found = tuple(" ".join(name.split()) for name in names)
    check_classes(found)
    return distinct(found)


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names with their number behind those that stand twice.

    Real lists have some: ImageNet's has two cranes, a bird and a machine.
    """
    counts = Counter(names)
    return tuple(
        f"{name} ({index})" if counts[name] > 1 else name for index, name in enumerate(names)
    )


def check_classes(names: Sequence[object]) -> None:
    """Raise ParamError unless `names` are texts that can be shown."""
    if not 1 <= len(names) <= MAX_NAMES:
        raise ParamError(f"--classes must have from 1 to {MAX_NAMES} names, got {len(names)}")
    for index, name in enumerate(names):
        if not isinstance(name, str):
            raise ParamError(f"--classes must hold names, got {name!r:.60} for class {index}")
        if not name.strip():
            raise ParamError(f"--classes must name every class; the name of class {index} is empty")
        if len(name) > MAX_LENGTH or not name.isprintable():
            raise ParamError(
                f"--classes must hold names of at most {MAX_LENGTH} printable characters, "
                f"got {name[:40]!r} for class {index}"
            )


def _from_json(text: str) -> list[str]:
    try:
        data = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise ParamError(
            f"--classes must be a file with {FORMS}; it starts as JSON and cannot be read as JSON"
        ) from None
    if isinstance(data, list) and all(isinstance(name, str) for name in data):
        return data
    if isinstance(data, dict) and data:
        pairs = [_pair(key, value) for key, value in data.items()]
        if all(pair is not None for pair in pairs):
            return _in_order([pair for pair in pairs if pair is not None])
    raise ParamError(f"--classes must be a file with {FORMS}; this JSON is something else")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Keep what JSON would quietly overwrite: the same key twice."""
    data: dict[str, object] = {}
    for key, value in pairs:
        if key in data:
            raise ParamError(f"--classes must name each class once; {key[:60]!r} is there twice")
        data[key] = value
    return data


def _pair(key: str, value: object) -> tuple[int, str] | None:
    """Return (index, name) of one entry of a JSON object, or None."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value, key
    if isinstance(value, list) and value and isinstance(value[-1], str):
        value = value[-1]  # Keras's imagenet_class_index.json: [synset, name]
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}", key, re.ASCII):
        return int(key), value
    return None


def _from_csv(lines: list[str]) -> list[str]:
    """Return the names of CSV lines `index,name`, or nothing where the lines are not that."""
    number = re.compile(r"\s*\d{1,9}\s*,", re.ASCII)
    body = [line for line in lines if line.strip()]
    if not number.match(body[0]) and re.match(r"[^\d,]+,", body[0]):
        body = body[1:]  # a heading
    if not body or not all(number.match(line) for line in body):
        return []
    try:
        rows = list(csv.reader(body, skipinitialspace=True, strict=True))
    except csv.Error:
        raise ParamError(f"--classes must be a file with {FORMS}; a quote is not closed") from None
    return _in_order([(int(row[0]), ", ".join(part.strip() for part in row[1:])) for row in rows])


def _in_order(pairs: list[tuple[int, str]]) -> list[str]:
    names: dict[int, str] = {}
    for index, name in pairs:
        if index in names:
            raise ParamError(
                f"--classes must name each class once; class {index} is "
                f"{names[index][:60]!r} and {name[:60]!r}"
            )
        names[index] = name
    missing = next((index for index in range(len(names)) if index not in names), None)
    if missing is not None:
        raise ParamError(
            f"--classes must count its {len(names)} classes from 0 to {len(names) - 1}; "
            f"{missing} is missing"
        )
    return [names[index] for index in range(len(names))]
