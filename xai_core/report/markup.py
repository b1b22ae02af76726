"""HTML put together so that text stays text: whatever is not HTML already is escaped."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable

from xai_core.report.numbers import printable

_QUOTED = re.compile("\u201c([^\u201c\u201d]*)\u201d")
_EMPTY = {"img", "meta", "br", "hr"}


class Html(str):
    """HTML that is finished; a plain `str` is somebody's text."""

    __slots__ = ()


def tag(name: str, /, *inside: str | Iterable[str], **attributes: str | int | None) -> Html:
    """Return an element. Text and attributes are escaped; an attribute that is None is left out.

    `class_` and the like lose their underscore.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(printable(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _EMPTY:
        return Html(f"<{name}{said}>")
    return Html(f"<{name}{said}>{joined(*inside)}</{name}>")


def joined(*inside: str | Iterable[str]) -> Html:
    """Return pieces one behind the other, those that are text escaped."""
    pieces = []
    for piece in inside:
        if isinstance(piece, Html):
            pieces.append(str(piece))
        elif isinstance(piece, str):
            pieces.append(html.escape(printable(piece)))
        else:
            pieces.append(str(joined(*piece)))
    return Html("".join(pieces))


def named(text: str) -> Html:
    """Return a stranger's name, so that it cannot turn the words round it about."""
    return tag("bdi", text)


def sentence(text: str) -> Html:
    """Return a sentence whose names in curly quotes stand for themselves."""
    pieces: list[Html] = []
    for at, piece in enumerate(_QUOTED.split(text)):
        pieces.append(joined("\u201c", named(piece), "\u201d") if at % 2 else joined(piece))
    return joined(pieces)


def code(text: str) -> Html:
    """Return a command or a number in full; what cannot be seen is shown by its number."""
    seen = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
    return tag("code", seen)


def data_url(data: bytes, kind: str) -> str:
    """Return bytes as an address that needs no network."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
