"""Why Keras failed, in a line: the innermost of its errors, which is the one that says it."""

from __future__ import annotations

import re

from loaders.keras.audit import printable

_LIMIT = 200
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_EMPTY = ("Exception encountered", "Arguments received by", "Call arguments received by")
_WRAPPED = ("could not be deserialized properly", "Exception encountered: ")


def reason(error: BaseException) -> str:
    """Return the line of an error that says something, as text that can be shown."""
    seen: set[int] = set()
    innermost = error
    while (cause := innermost.__cause__ or _told_again(innermost)) and id(cause) not in seen:
        seen.add(id(cause))
        innermost = cause
    text = _COLOURS.sub("", str(innermost))[:20_000]
    if _WRAPPED[1] in text:  # Keras repeats what it was given, and then says what was wrong
        text = text.rpartition(_WRAPPED[1])[2]
    text = text.partition(" Full object config: ")[0]
    lines = [line.strip() for line in text.splitlines()]
    said = [line for line in lines if line and not line.startswith(_EMPTY)]
    if not said or said[0] in ("()", "''"):
        return type(innermost).__name__
    short = printable(said[0], _LIMIT).rstrip(".")
    return f"{short} ..." if len(said[0]) > _LIMIT else short


def _told_again(error: BaseException) -> BaseException | None:
    """Return the error inside one that only repeats that something failed."""
    inner = error.__context__
    return inner if inner is not None and _WRAPPED[0] in str(error) else None
