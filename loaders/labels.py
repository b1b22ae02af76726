"""What a model's classes are called: as a person says, as its file says, or numbered.

One place for every framework. What a file says is a stranger's text: it is measured before it is
read, and what does not fit the number of classes is left and said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from loaders.catalogue import imagenet_labels
from loaders.class_names import MAX_LENGTH, MAX_NAMES, MAX_TEXT, distinct, read_classes
from loaders.options import Options
from xai_core.errors import LoadError, ParamError
from xai_core.model import Finding

Inside = tuple[str, object]
"""Where names were found, as "the checkpoint's 'class_to_idx'", and what was found there."""


class Unfit(Exception):
    """Why a thing is no list of the model's class names, as the end of a sentence."""


def labels_for(
    options: Options,
    classes: int,
    *,
    imagenet: bool,
    inside: object = None,
    where: str = "",
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Return as many class names as the model has classes, and what to say of them.

    `inside` is what the file holds of names, or None: a sequence of names, a mapping from names
    to numbers or from numbers to names, or a text as `--classes` takes it; `where` says where it
    was. What a person gave goes before it. `imagenet` says whether a model of 1000 classes may be
    taken to name ImageNet's. Raises LoadError where the names given are not as many as the
    classes.
    """
    if options.classes is not None:
        if len(options.classes) != classes:
            raise LoadError(
                f"{len(options.classes)} class names were given and the model has {classes} "
                "classes. Give one name for each, in the order of the training."
            )
        return options.classes, ()
    left: list[Finding] = []
    if inside is not None:
        try:
            names = names_of(inside, classes)
        except Unfit as reason:
            said = f"The names in {where} are left aside: {reason}."
            left.append(Finding("info", said, "labels"))
        else:
            said = f"Its classes are named by {where}. If that is wrong, give their names."
            return names, (Finding("info", said, "labels"),)
    if imagenet and classes == 1000:
        said = "1,000 classes: named as ImageNet's, which the file does not say."
        return imagenet_labels(), (*left, Finding("info", said, "labels"))
    said = "The file does not name its classes: they are numbered. Give their names."
    if left:
        said = "The classes are numbered. Give their names."
    numbered = Finding("info", said, "labels")
    return _numbers(classes), (*left, numbered)


def are_numbers(labels: Sequence[str]) -> bool:
    """Tell whether classes are called by their numbers, for want of names."""
    return tuple(labels) == _numbers(len(labels))


def _numbers(classes: int) -> tuple[str, ...]:
    return tuple(f"class {index}" for index in range(classes))


def fitting(found: Iterable[Inside], classes: int) -> dict[str, Any]:
    """Return the first of several places whose names fit, else the first, for `labels_for`."""
    first: dict[str, Any] = {}
    for where, inside in found:
        row = {"inside": inside, "where": where}
        first = first or row
        try:
            names_of(inside, classes)
        except Unfit:
            continue
        return row
    return first


def names_of(inside: object, classes: int) -> tuple[str, ...]:
    """Return `classes` names in the order of the network's outputs. Raises Unfit."""
    if isinstance(inside, str):
        names = _from_text(inside)
    elif isinstance(inside, Mapping):
        _measure(len(inside), classes)
        names = _from_mapping(inside)
    elif isinstance(inside, Sequence) and not isinstance(inside, (bytes, bytearray)):
        _measure(len(inside), classes)
        names = [_name(each) for each in inside]
    else:
        raise Unfit(f"they are a {type(inside).__name__[:60]}, whose order says nothing")
    _measure(len(names), classes)
    return distinct([_shown(name, index) for index, name in enumerate(names)])


def _measure(count: int, classes: int) -> None:
    if count != classes:
        raise Unfit(f"they are {count:,} and the model has {classes:,} classes")


def _from_text(text: str) -> Sequence[str]:
    if len(text) > min(MAX_TEXT, MAX_NAMES * MAX_LENGTH):
        raise Unfit(f"they are {len(text):,} characters long")
    try:
        return read_classes(text)
    except ParamError:
        raise Unfit("their text is no list of names") from None


def _from_mapping(inside: Mapping[Any, Any]) -> list[str]:
    rows: dict[int, str] = {}
    numbers = all(_is_number(value) for value in inside.values())
    if numbers and all(_is_number(key) for key in inside):
        raise Unfit("they are numbers for numbers")
    for key, value in inside.items():
        index, name = (value, key) if numbers else (key, value)
        if isinstance(name, (list, tuple)) and name:
            name = name[-1]  # Keras's imagenet_class_index: [synset, name]
        if isinstance(index, str) and index.isascii() and index.isdigit() and len(index) < 10:
            index = int(index)
        if not _is_number(index):
            raise Unfit("they do not say which number each one has")
        if not 0 <= index < len(inside):
            raise Unfit(f"their numbers are not those from 0 to {len(inside) - 1:,}")
        if index in rows:
            raise Unfit(f"two of them have the number {index}")
        rows[index] = _name(name)
    return [rows[index] for index in range(len(rows))]


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _name(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and _is_number(value) and -(10**9) < value < 10**9:
        return str(value)  # classes that are called by numbers, such as years
    raise Unfit(f"one of them is a {type(value).__name__[:60]}")


def _shown(name: str, index: int) -> str:
    # measured before it is split: a name may be as long as the file
    if len(name) > MAX_LENGTH:
        raise Unfit(f"the name of class {index} is {len(name):,} characters long")
    short = " ".join(name.split())
    if not short or not short.isprintable():
        raise Unfit(f"the name of class {index} cannot be shown")
    return short
