"""Names of a model's classes, read from the files that people have."""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from collections.abc import Sequence

from loaders import class_data, class_lines
from loaders.class_data import NAMED, Ambiguous
from loaders.literals import Twice, Unreadable, read
from xai_core.errors import ParamError

MAX_NAMES, MAX_LENGTH, MAX_TEXT = 100_000, 200, 4_000_000
FORMS = (
    'one name a line, a JSON list, a JSON object as {"0": "cat"} or {"cat": 0}, '
    "or CSV lines as 0,cat"
)
_MAX_LINE = 4 * MAX_LENGTH
_ASSIGNED = re.compile(
    r"[ \t]{0,40}(?:(?:export|const|let|var|default)[ \t]{1,9}){0,3}"
    r"(?P<name>[\w.]{1,80})[ \t]{0,9}(?::[^\n=]{1,80})?=[ \t]{0,9}(?=[\[({a-zA-Z])"
)
_TEXT = r"""(?:'[^'\n]{1,400}'|"[^"\n]{1,400}")"""
_PAIRS = re.compile(
    rf"[ \t]{{0,40}}{_TEXT}[ \t]{{0,9}}:[ \t]{{0,9}}(?:{_TEXT}|\d{{1,9}})[ \t]{{0,9}},?[ \t]*"
)
"""A line of a dict without its brackets, as it is copied out of a program."""

_CALLED = re.compile(r"(?:np\.|numpy\.)?(?:array|OrderedDict|dict|list|tuple)\(")


def read_classes(text: str) -> tuple[str, ...]:
    """Return the names in the order of the network's outputs.

    Takes one name a line, with or without a number before or behind it; lists and dicts of JSON,
    Python and YAML, from numbers to names or the other way; tables with a heading or without; and
    the label maps of detectors. Numbers count from 0, or from 1, and leave none out; names that
    stand twice get their number behind them. Raises ParamError for anything else, for an empty
    name, and where two orders would be as good.
    """
    if len(text) > MAX_TEXT:
        raise ParamError(f"--classes must be a file of at most {MAX_TEXT // 1_000_000} MB of text")
    text = text.removeprefix("\ufeff").strip(" \r\n\f\v")
    if not text.strip():
        raise ParamError(f"--classes must be a file with {FORMS}; it is empty")
    try:
        names = _names(text)
    except Ambiguous as reason:
        raise ParamError(f"--classes must {reason}") from None
    for index, name in enumerate(names):
        _check_length(name, index)  # before it is split
    found = tuple(" ".join(name.split()) for name in names)
    check_classes(found)
    return distinct(found)


def write_classes(names: Sequence[str]) -> str:
    """Return names as a text that `read_classes` reads as the same: one a line where it can be.

    Names that would be read as something else, as a list of numbers would, are numbered or quoted.
    """
    numbered = {str(index): name for index, name in enumerate(names)}
    forms = (
        "".join(f"{name}\n" for name in names),
        "".join(f"{index}\t{name}\n" for index, name in enumerate(names)),
    )
    for text in forms:
        with contextlib.suppress(ParamError):
            if tuple(read_classes(text)) == tuple(names):
                return text
    return json.dumps(numbered, ensure_ascii=False, indent=0) + "\n"


def _names(text: str) -> Sequence[str]:
    lines = text.splitlines()
    code = [at for at, line in enumerate(lines[:50]) if not line.startswith(("#", "//"))]
    start = "\n".join(lines[code[0] :]).lstrip() if code and code[0] else text
    if _CALLED.match(start) or (start[0] in "[{(" and not class_lines.is_numbered(lines[0])):
        return _from_data(start, FORMS)
    assigned = _ASSIGNED.match(start)
    if assigned and (start[assigned.end()] in "[{(" or _CALLED.match(start, assigned.end())):
        return _from_data(start[assigned.end() :].rstrip("; \n"), FORMS, assigned["name"])
    if all(map(_PAIRS.fullmatch, filter(str.strip, lines))):
        return _from_data("{" + "\n".join(_closed(line) for line in lines) + "}", FORMS)
    longest = max(map(len, lines))
    block = class_lines.yaml_block(lines) or class_lines.item_blocks(lines)
    if block is not None:
        return block
    if longest > _MAX_LINE and len(lines) > 1:
        raise ParamError(
            f"--classes must hold names of at most {MAX_LENGTH} printable characters, got a line "
            f"of {longest:,}"
        )
    if len(lines) > 2 * MAX_NAMES:
        raise ParamError(f"--classes must have from 1 to {MAX_NAMES} names, got {len(lines)} lines")
    return class_lines.names_in(lines)


def _closed(line: str) -> str:
    return line if not line.strip() or line.rstrip().endswith(",") else line + ","


def _from_data(text: str, forms: str, name: str = "") -> list[str]:
    try:
        data = read(text)
    except Twice as reason:
        raise ParamError(f"--classes must name each class once; {reason}") from None
    except Unreadable as reason:
        raise ParamError(
            f"--classes must be a file with {forms}; it starts as JSON and cannot be read as JSON "
            f"or as Python: {reason}"
        ) from None
    names = class_data.names_in({name: data} if name.lower() in NAMED else data)
    if names is None:
        raise ParamError(f"--classes must be a file with {forms}; this JSON is something else")
    if isinstance(data, list) and names and names == data:
        return class_lines.numbered(names) or names
    return names


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
        _check_length(name, index)


def _check_length(name: str, index: int) -> None:
    fits = len(name) <= _MAX_LINE and len(" ".join(name.split())) <= MAX_LENGTH
    if not fits or not all(letter.isprintable() or letter.isspace() for letter in name):
        raise ParamError(
            f"--classes must hold names of at most {MAX_LENGTH} printable characters, "
            f"got {name[:40]!r} for class {index}"
        )
