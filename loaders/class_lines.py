"""Class names in lines of text: bare, numbered before or behind, in a table, in YAML's blocks."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from loaders import class_data
from loaders.class_data import NAMED, NUMBERS, TITLES, Ambiguous, counts, either, in_order, whole
from loaders.literals import Unreadable, read

_HEADINGS = frozenset(
    ("name", "names", "class_name", "class_names", "classname", "label_name", "labels", "classes")
)
_FIRST = re.compile(
    r"\s{0,9}(?:(?i:class|label|index|idx|id)\s{0,3}[:=#]?\s{0,3})?(?:\[\s{0,3}(\d{1,9})\s{0,3}\]|\((\d{1,9})\)|(\d{1,9}))"
    r"(\s{0,3}(?:[,;:|=\t)]|\.(?=\s)|->|=>|-(?=\s))\s{0,9}|\s{1,9})(\S.*)",
    re.ASCII,
)
_BETWEEN = re.compile(r"(\s{0,3}(?:[,;:|=\t(\[]|->|=>)\s{0,9}|\s{1,9})$")
_TITLE = re.compile(r"^(?:name|label|class)\s{0,3}[:=]\s{0,3}(?=\S)", re.I)
_SPACE = re.compile(r"\s+", re.ASCII)
_YAML_KEY = re.compile(r"([A-Za-z_][\w-]{0,40})\s{0,3}:(?=\s|$)\s{0,9}(.*)")
_YAML_PAIR = re.compile(r"""("[^"\n]{1,400}"|'[^'\n]{1,400}'|[^\s:"'][^:\n]{0,400}):(?:\s(.*)|$)""")
_ITEM = re.compile(
    r"\b(id|name|display_name)\s{0,3}:\s{0,3}"
    r"""(?:(\d{1,9})|"([^"]{0,400})"|'([^']{0,400})')"""
)


def names_in(lines: Sequence[str]) -> list[str]:
    """Return the names of a text's lines in the order of the classes. Raises Ambiguous."""
    body = [line for line in lines if line.strip()]
    if len(body) > 1 and all(line.rstrip().endswith((",", ";")) for line in body[:-1]):
        body = [line.rstrip().rstrip(",;") for line in body]
        lines = body
    elif len(body) > 1 and body[0].lstrip().startswith("#") and all(map(is_numbered, body[1:])):
        body = body[1:]  # a comment stands before the list
    for delimiter in (",", "\t", ";", "|"):
        names = _from_table(body, delimiter)
        if names is not None:
            return names
    names = numbered(body)
    if names is not None:
        return names
    if len(body) == 1:  # no network has one class: the names stand side by side
        parts = next((body[0].split(each) for each in (",", ";", "\t") if each in body[0]), body)
        return [_unquoted(part) for part in parts if part.strip()]
    if body[0].strip().lower() in _HEADINGS:
        body, lines = body[1:], [*lines][1:]
    if all(line.lstrip().startswith(("- ", "* ")) for line in body):
        return [_unquoted(line.strip()[2:]) for line in body]
    if any(line.lstrip().startswith(("{", "[", "<")) for line in body):
        raise Ambiguous("hold names alone, or one list or dict; a line of it begins with a bracket")
    return [_unquoted(line) for line in lines]


def is_numbered(line: str) -> bool:
    """Tell whether a line is a number and a name."""
    return _FIRST.match(line[:500]) is not None


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


# Numbers before or behind the names ---------------------------------------------------------------


def numbered(body: Sequence[str]) -> list[str] | None:
    """Return the names of lines that all begin or end with a number, in its order."""
    before, marked = _before(body)
    behind, marked_behind = _behind(body)
    if before and behind:
        good = [counts(number for number, _ in rows) for rows in (before, behind)]
        if all(good):
            return either(before, behind)
        # a mark, as a comma, says more than a space does
        if good[1] or (marked_behind and not marked and not good[0]):
            before = None
        else:
            behind = None
    rows, certain = (before, marked) if before else (behind, marked_behind)
    return None if rows is None else _by_number(rows, certain, body)


def _by_number(rows: list[tuple[int, str]], certain: bool, body: Sequence[str]) -> list[str] | None:
    """Return the names by their numbers, or None where the numbers are parts of the names."""
    numbers = [number for number, _ in rows]
    if certain:
        return in_order(rows)
    if len({name for _, name in rows}) < len(rows):
        return None  # "grade 0", "grade 1": the numbers tell the names apart
    if counts(numbers) and (min(numbers) == 0 or _FIRST.match(body[0])):
        return in_order(rows)
    if len(set(numbers)) == len(numbers) and numbers == sorted(numbers):
        return None  # either way it is the order of the lines
    if len(set(numbers)) == len(numbers) and max(numbers) <= 2 * len(numbers):
        raise Ambiguous(
            "count its classes from 0 and leave none out, or hold names alone; the numbers of its "
            "lines could be their order or parts of their names"
        )
    return None


def _before(body: Sequence[str]) -> tuple[list[tuple[int, str]] | None, bool]:
    """Return (number, name) of lines that begin with a number, and whether all have a mark."""
    rows, marked = [], True
    for line in body:
        found = _FIRST.match(line)
        if not found:
            return None, False
        number = next(group for group in found.groups()[:3] if group)
        marked = marked and bool(found[4].strip() or "\t" in found[4] or not found[3])
        rows.append((int(number), _unquoted(_TITLE.sub("", found[5], count=1))))
    return rows, marked


def _behind(body: Sequence[str]) -> tuple[list[tuple[int, str]] | None, bool]:
    """Return (number, name) of lines that end with a number, and whether all have a mark."""
    rows, marked = [], True
    for line in body:
        # the end alone is searched: a line may be long
        bare = line.rstrip().rstrip(")],;").rstrip()
        digits = len(bare) - len(bare.rstrip("0123456789"))
        rest = bare[: len(bare) - digits]
        between = _BETWEEN.search(rest, max(0, len(rest) - 16))
        if not 0 < digits < 10 or not between or not rest[: between.start()].strip():
            return None, False
        marked = marked and bool(between[1].strip() or "\t" in between[1])
        rows.append((int(bare[-digits:]), _unquoted(rest[: between.start()])))
    return rows, marked


# Tables -------------------------------------------------------------------------------------------


def _from_table(body: Sequence[str], delimiter: str) -> list[str] | None:
    """Return the names of a table, or None where the lines are none."""
    if delimiter not in body[0] or len(body) < 2:
        return None
    head = [_key(cell) for cell in _cells(body[:1], delimiter)[0]]
    headed = bool(set(head) & ((NUMBERS | TITLES) - {""})) and not any(
        whole(cell) is not None for cell in head
    )
    if not headed and not all(delimiter in line for line in body):
        return None
    rows = _cells(body[1:] if headed else body, delimiter)
    if headed:
        return _headed(head, rows)
    if whole(rows[0][0]) is None and whole(rows[0][-1]) is None:
        # an unknown heading, where the rest counts
        if len(rows) > 2 and all(_has_number(row) for row in rows[1:]):
            rows = rows[1:]
        else:
            return None
    return _plain(rows, delimiter)


def _has_number(row: Sequence[str]) -> bool:
    return whole(row[0]) is not None or whole(row[-1]) is not None


def _cells(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error:
        raise Ambiguous("be a table whose quotes are closed; one is not") from None
    return [[cell.strip() for cell in row] for row in rows if row]


def _key(cell: str) -> str:
    return _SPACE.sub("_", cell.strip().lower())


def _plain(rows: list[list[str]], delimiter: str) -> list[str] | None:
    """Return the names of rows without a heading: a number first or last."""
    first = [whole(row[0]) for row in rows]
    last = [whole(row[-1]) for row in rows]
    widths = {len(row) for row in rows}
    join = f"{delimiter} " if delimiter in ",;" else " "
    if None not in first:
        # behind the name may stand counts, in every row
        while (
            len(widths) == 1
            and len(rows[0]) > 2
            and all(whole(row[-1]) is not None for row in rows)
        ):
            rows = [row[:-1] for row in rows]
            widths = {len(row) for row in rows}
            last = [whole(row[-1]) for row in rows]
        by_first = [
            (number, join.join(row[1:]))
            for number, row in zip(first, rows, strict=True)
            if number is not None
        ]
        if widths == {2} and None not in last:
            return either(by_first, [(int(row[-1]), row[0]) for row in rows])
        return in_order(by_first)
    if None not in last:
        return in_order([(int(row[-1]), join.join(row[:-1])) for row in rows])
    return None


def _headed(head: list[str], rows: list[list[str]]) -> list[str] | None:
    """Return the names of a table whose heading says which column is which."""
    if not rows:
        return None
    width = len(head)
    rows = [_joined(row, head) for row in rows]
    if any(len(row) != width for row in rows):
        raise Ambiguous(
            f"have {width} columns in every row, as its heading has; one row has others"
        )
    columns = list(zip(*rows, strict=True))
    numbers = [[whole(cell) for cell in column] for column in columns]
    number = _number_column(head, numbers)
    titles = [at for at, cell in enumerate(head) if cell in TITLES and at != number]
    if not titles:
        titles = [at for at in range(width) if at != number and None in numbers[at]]
    if not titles and width == 2 and number is not None:
        titles = [1 - number]
    best = min(titles, key=lambda at: ("name" not in head[at], at), default=None)
    if best is None:
        return None
    if len(titles) > 1 and "name" not in head[best] and not set(head) & TITLES:
        raise Ambiguous("have a heading that says which column holds the names")
    if number is None:
        return list(columns[best])
    order = [each for each in numbers[number] if each is not None]
    return in_order(list(zip(order, columns[best], strict=True)))


def _number_column(head: list[str], numbers: list[list[int | None]]) -> int | None:
    """Return the column that numbers the classes, by its heading or by what it holds."""
    full = [at for at, column in enumerate(numbers) if None not in column]
    counting = [at for at in full if counts(each for each in numbers[at] if each is not None)]
    named = [at for at in full if head[at] in NUMBERS]
    for at in (*named, *counting):
        if at in counting and at in named:
            return at
    if named:
        return named[0]  # and what is wrong with it is said
    # "label" and "class" may head either column
    return next((at for at in counting if head[at] in TITLES), None)


def _joined(row: list[str], head: list[str]) -> list[str]:
    """Return a row in which a name with commas and without quotes is one cell again."""
    extra = len(row) - len(head)
    if extra <= 0 or len(head) != 2:
        return row
    if whole(row[0]) is not None:
        return [row[0], ", ".join(row[1:])]
    return [", ".join(row[:-1]), row[-1]] if whole(row[-1]) is not None else row


# Blocks -------------------------------------------------------------------------------------------


def yaml_block(lines: Sequence[str]) -> list[str] | None:
    """Return the names of YAML's `names:` with a list or a map below or beside it, or None."""
    for at, line in enumerate(lines):
        found = _YAML_KEY.match(line[:500])
        if not found or found[1].lower() not in NAMED:
            continue
        beside = line[found.start(2) :].strip()
        if beside.startswith(("[", "{")):
            return _yaml_flow(found[1], beside, lines[at + 1 :])
        if beside and not beside.startswith("#"):
            continue
        rows = []
        for row in lines[at + 1 :]:
            if row.strip() and not row.startswith((" ", "\t", "-")):
                break
            rows.append(row)
        return _yaml_rows(found[1], rows)
    return None


def _yaml_flow(key: str, beside: str, below: Sequence[str]) -> list[str] | None:
    """Read `[cat, dog]`, which may go on in the lines below until its bracket closes."""
    parts, depth = [], 0
    for row in (beside, *below):
        parts.append(row)
        depth += sum(row.count(each) for each in "[{") - sum(row.count(each) for each in "]}")
        if depth <= 0:
            break
    try:
        return class_data.names_in({key: read("\n".join(parts), bare=True)})
    except Unreadable as reason:
        raise Ambiguous(f"be YAML that can be read; of its {key!r} {reason}") from None


def _yaml_rows(key: str, rows: Sequence[str]) -> list[str] | None:
    listed: list[str] = []
    pairs: dict[str | int, str] = {}
    for row in rows:
        text = row.strip()
        if not text or text.startswith("#"):
            continue
        text = text.split(" #", 1)[0].rstrip()
        if text.startswith("- "):
            listed.append(_unquoted(text[2:]))
            continue
        found = _YAML_PAIR.match(text)
        if not found or len(text) > 800:
            raise Ambiguous(f"be YAML that can be read; its {key!r} holds {text[:40]!r}")
        name = _unquoted(found[1])
        number = whole(name) if name.isdigit() else None
        if (name if number is None else number) in pairs:
            raise Ambiguous(f"name each class once; {name[:60]!r} is there twice")
        pairs[name if number is None else number] = _unquoted(found[2] or "")
    if listed and not pairs:
        return listed
    return class_data.names_in({key: pairs}) if pairs and not listed else None


def item_blocks(lines: Sequence[str]) -> list[str] | None:
    """Return the names of a detector's label map, `item { id: 1 name: 'cat' }`, or None."""
    if not any(line.strip().startswith("item") and "{" in line for line in lines[:200]):
        return None
    rows: list[dict[str, str]] = []
    for line in lines:
        if line.strip().startswith("item"):
            rows.append({})
        for found in _ITEM.finditer(line[:500]) if rows else ():
            rows[-1][found[1]] = found[2] or found[3] or found[4] or ""
    titled = [(row.get("id", ""), row.get("display_name") or row.get("name", "")) for row in rows]
    if not all(number and name for number, name in titled):
        return None
    return in_order([(int(number), name) for number, name in titled])
