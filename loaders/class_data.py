"""Class names in lists and dicts: which of the numbers counts, and what to do where two could."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

_BY_NUMBER = (
    "id2label", "id_to_label", "idx2label", "idx_to_label", "index_to_label", "idx_to_class",
    "idx2class", "index_to_class", "id2class", "id_to_class", "id2name", "id_to_name",
    "idx_to_name", "idx2name", "index_to_name", "i2c", "int_to_label", "int2label",
)  # fmt: skip
_BY_TEXT = (
    "label2id", "label_to_id", "label2idx", "label_to_idx", "label_to_index", "class_to_idx",
    "class2idx", "class_to_index", "class_to_id", "class2id", "name_to_id", "name2id",
    "name_to_idx", "name2idx", "name_to_index", "class_indices", "c2i", "label_map", "labelmap",
)  # fmt: skip
_EITHER = (
    "classes", "class_names", "class_name", "classnames", "names", "labels", "label_names",
    "labelnames", "categories", "class_labels", "target_names", "class_list", "label_list",
)  # fmt: skip
NAMED = frozenset((*_BY_NUMBER, *_BY_TEXT, *_EITHER))
"""Keys under which names are kept, in the small letters that they are compared in."""

NUMBERS = frozenset((
    "id", "idx", "index", "no", "nr", "num", "number", "class_id", "classid", "class_idx",
    "class_index", "label_id", "labelid", "label_idx", "label_index", "category_id", "target",
    "encoded", "encoding", "numeric_label", "code", "value", "key", "int", "#", "",
))  # fmt: skip
TITLES = frozenset((
    "name", "names", "class_name", "classname", "label_name", "labelname", "category_name",
    "category", "class", "label", "title", "display_name", "displayname", "description",
    "species", "text", "string",
))  # fmt: skip
"""Headings of a table, and keys of an object, that say what stands under them."""


class Ambiguous(ValueError):
    """Why a file is refused whose names could be taken in two orders: `--classes must ...`."""


def names_in(data: Any) -> list[str] | None:
    """Return the names that plain data holds, in the order of the classes; None if it has none.

    Raises Ambiguous.
    """
    if isinstance(data, list):
        return _in_list(data)
    if not isinstance(data, Mapping):
        return None
    return _under_a_name(data) or _in_mapping(data, "")


def _under_a_name(data: Mapping[Any, Any], depth: int = 0) -> list[str] | None:
    found: dict[str, list[str]] = {}
    for key, value in data.items():
        known = str(key).lower().replace("-", "_").replace(" ", "_")
        if known not in NAMED or not isinstance(value, (list, dict)):
            continue
        names = _in_list(value) if isinstance(value, list) else _in_mapping(value, known)
        if names:
            found[str(key)] = names
    if len({tuple(names) for names in found.values()}) > 1:
        keys = " and ".join(f"{key[:40]!r}" for key in list(found)[:2])
        raise Ambiguous(f"say one order; its {keys} name the classes differently")
    if found or depth > 1:
        return next(iter(found.values()), None)
    inner = (_under_a_name(each, depth + 1) for each in data.values() if isinstance(each, dict))
    return next((names for names in inner if names), None)


def _in_list(data: Sequence[Any]) -> list[str] | None:
    if all(isinstance(each, str) for each in data):
        return list(data)
    if all(_is_number(each) for each in data):
        return [str(each) for each in data]  # classes that are called by numbers, such as years
    if all(isinstance(each, Mapping) for each in data):
        return _in_records(data)
    if all(isinstance(each, list) and len(each) == 2 for each in data):
        return _in_pairs([(first, second) for first, second in data])
    return None


def _in_records(records: Sequence[Mapping[Any, Any]]) -> list[str] | None:
    """Return the names of `[{"id": 1, "name": "cat"}, ...]`."""
    keys = [{str(key).lower(): key for key in record} for record in records]
    common = set(keys[0]).intersection(*keys[1:])
    titles = [
        key
        for key in keys[0]
        if key in common & TITLES
        and all(
            isinstance(record[own[key]], str) for record, own in zip(records, keys, strict=True)
        )
    ]
    if not titles:
        return None
    title = min(titles, key=lambda key: ("name" not in key, titles.index(key)))
    names = [record[own[title]] for record, own in zip(records, keys, strict=True)]
    # "label" may be the number beside the name
    for number in (key for key in keys[0] if key in common & (NUMBERS | TITLES) and key != title):
        values = [whole(record[own[number]]) for record, own in zip(records, keys, strict=True)]
        rows = [
            (value, name) for value, name in zip(values, names, strict=True) if value is not None
        ]
        if len(rows) == len(names):
            return in_order(rows)
    return names


def _in_pairs(pairs: Iterable[tuple[Any, Any]]) -> list[str] | None:
    return _in_mapping_rows(list(pairs), "")


def _in_mapping(data: Mapping[Any, Any], known: str) -> list[str] | None:
    if not data:
        return None
    return _in_mapping_rows(list(data.items()), known)


def _in_mapping_rows(rows: list[tuple[Any, Any]], known: str) -> list[str] | None:
    by_number = _rows(rows, lambda key, value: (whole(key), _title(value)))
    by_text = _rows(rows, lambda key, value: (_count(value), str(key)))
    if known in _BY_TEXT or known in _BY_NUMBER:
        by_number, by_text = (by_number, None) if known in _BY_NUMBER else (None, by_text)
    # {'0': 0, '10': 1}: a text is a name where numbers are beside it, as Python writes them
    elif by_number and by_text and any(_is_number(key) for key, _ in rows):
        by_text = None
    if by_number is None or by_text is None:
        chosen = by_number or by_text
        return None if chosen is None else in_order(chosen)
    return either(by_number, by_text)


def _rows(
    pairs: list[tuple[Any, Any]], read: Callable[[Any, Any], tuple[int | None, str | None]]
) -> list[tuple[int, str]] | None:
    rows = []
    for key, value in pairs:
        number, name = read(key, value)
        if number is None or name is None:
            return None
        rows.append((number, name))
    return rows


def _title(value: Any) -> str | None:
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return str(value[-1])  # Keras's imagenet_class_index.json: [synset, name]
    if isinstance(value, Mapping):
        own = {str(key).lower(): each for key, each in value.items()}
        titles = [
            own[key] for key in ("name", *own) if key in TITLES and isinstance(own.get(key), str)
        ]
        return str(titles[0]) if titles else None
    return str(value) if isinstance(value, str) or _is_number(value) else None


def _count(value: Any) -> int | None:
    if isinstance(value, Mapping):
        own = {str(key).lower(): each for key, each in value.items()}
        return next((whole(own[key]) for key in own if key in NUMBERS), None)
    return whole(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def whole(value: Any) -> int | None:
    """Return the whole number that a value is or spells, or None."""
    if _is_number(value):
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**9:
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\s{0,9}\d{1,9}\s{0,9}", value, re.ASCII):
        return int(value)
    return None


def counts(numbers: Iterable[int]) -> bool:
    """Tell whether numbers count from 0 or from 1, each once, in any order."""
    held = sorted(numbers)
    return bool(held) and held[0] in (0, 1) and held == list(range(held[0], held[0] + len(held)))


def either(first: list[tuple[int, str]], second: list[tuple[int, str]]) -> list[str]:
    """Return the names by whichever of two readings counts the classes. Raises Ambiguous."""
    good = [in_order(rows) for rows in (first, second) if counts(number for number, _ in rows)]
    if len(good) == 2 and good[0] != good[1]:
        raise Ambiguous(
            "say which numbers are names; both sides of it count the classes, in two orders"
        )
    return good[0] if good else in_order(first)


def in_order(pairs: Sequence[tuple[int, str]]) -> list[str]:
    """Return the names by their numbers, which count from 0 or from 1. Raises Ambiguous."""
    names: dict[int, str] = {}
    for index, name in pairs:
        if index in names:
            raise Ambiguous(
                f"name each class once; class {index} is {names[index][:60]!r} and {name[:60]!r}"
            )
        names[index] = name
    start = 0 if 0 in names else 1
    missing = next((at for at in range(start, start + len(names)) if at not in names), None)
    if missing is not None:
        raise Ambiguous(
            f"count its {len(names)} classes from 0 to {len(names) - 1}, or from 1; "
            f"{0 if 1 not in names and start else missing} is missing"
        )
    return [names[index] for index in range(start, start + len(names))]
