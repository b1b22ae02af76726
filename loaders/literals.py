"""Lists and dicts as people write them down, JSON or Python's, into plain data. Nothing is run.

The text is a stranger's: it is read in one pass by a reader of our own, a token at a time, never
deeper than `MAX_DEPTH`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

MAX_DEPTH, MAX_STRING, MAX_COMMAS, MAX_BRACKETS = 8, 1000, 800_000, 200_000
_STRING = "|".join(
    rf"[uU]?{quote}(?:[^{quote}\\\n]|\\.){{0,{MAX_STRING}}}{quote}" for quote in "\"'"
)
_TOKEN = re.compile(
    rf"""(?P<space>\s+|\#[^\n]*|//[^\n]*)
    |(?P<string>{_STRING})
    |(?P<mark>[\[\](){{}},:])
    |(?P<number>-?\d{{1,18}}(?:\.\d{{0,18}})?(?![\w.]))
    |(?P<call>(?:np\.|numpy\.|collections\.)?(?:str_|u?int\d\d|OrderedDict|array|dict|list|tuple)\()
    |(?P<word>[^\s\[\](){{}},:'"\#][^\[\](){{}},:'"\#\n]{{0,{MAX_STRING}}})""",
    re.VERBOSE,
)
_CLOSES = {"[": "]", "(": ")", "{": "}"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r"}
_CONSTANTS = {"true": True, "false": False, "null": None, "True": True, "False": False,
              "None": None}  # fmt: skip


class Unreadable(ValueError):
    """Why a text is no list or dict, as the end of a sentence."""


class Twice(Unreadable):
    """A key stands twice, which Python and JSON would quietly overwrite."""

    def __init__(self, key: object) -> None:
        super().__init__(f"{key!r:.60} is there twice")


def read(text: str, *, bare: bool = False) -> Any:
    """Return the list or dict that `text` is, JSON or as Python prints it.

    `bare` allows words without quotes, as YAML has them. Tuples become lists; the keys of a dict
    are text or whole numbers. Raises Unreadable.
    """
    # before they are made: each costs far more as an object than as text
    if text.count(",") > MAX_COMMAS or sum(map(text.count, "[{(")) > MAX_BRACKETS:
        raise Unreadable("it holds far more than names")
    try:
        data = json.loads(text, object_pairs_hook=_once)
    except Twice:
        raise
    except (ValueError, RecursionError):
        return _Reader(text, bare).read()
    return data


def _once(pairs: list[tuple[str, Any]]) -> dict[Any, Any]:
    data: dict[Any, Any] = {}
    for key, value in pairs:
        if key in data:
            raise Twice(key)
        data[key] = value
    return data


class _Reader:
    def __init__(self, text: str, bare: bool) -> None:
        self._tokens = _tokens(text, bare)
        self._kind, self._token = next(self._tokens)

    def read(self) -> Any:
        value = self._value(0)
        if self._kind:
            raise Unreadable("something follows its end")
        return value

    def _step(self) -> None:
        self._kind, self._token = next(self._tokens, ("", None))

    def _value(self, depth: int) -> Any:
        kind, token = self._kind, self._token
        if depth > MAX_DEPTH:
            raise Unreadable(f"it is nested more than {MAX_DEPTH} times")
        if kind == "mark" and token in _CLOSES:
            self._step()
            return self._items(_CLOSES[token], depth + 1)
        if kind == "call":  # as numpy and collections print what they hold
            self._step()
            return self._called(depth + 1)
        if kind == "value":
            self._step()
            return token
        raise Unreadable("it breaks off" if not kind else f"{token!r:.20} is in a wrong place")

    def _items(self, end: str, depth: int) -> Any:
        values: list[Any] = []
        pairs: list[tuple[Any, Any]] = []
        while (self._kind, self._token) != ("mark", end):
            value = self._value(depth)
            if end == "}" and (self._kind, self._token) == ("mark", ":"):
                if not isinstance(value, (str, int)):
                    raise Unreadable("a key of it is neither text nor a number")
                self._step()
                pairs.append((value, self._value(depth)))
            else:
                values.append(value)
            if (self._kind, self._token) == ("mark", ","):
                self._step()
            elif (self._kind, self._token) != ("mark", end):
                raise Unreadable(
                    "a comma or a bracket is missing" if self._kind else "it breaks off"
                )
        self._step()
        if end == "}" and values:
            raise Unreadable("it is a set, whose order says nothing")
        return _once(pairs) if end == "}" else values

    def _called(self, depth: int) -> Any:
        inner = self._value(depth)
        while (self._kind, self._token) != ("mark", ")"):  # array([...], dtype=...)
            if not self._kind:
                raise Unreadable("it breaks off")
            self._step()
        self._step()
        return inner


def _tokens(text: str, bare: bool) -> Iterator[tuple[str, Any]]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if not found:
            raise Unreadable(f"{text[place : place + 20]!r} is in a wrong place")
        place = found.end()
        kind, token = found.lastgroup, found.group()
        if kind == "string":
            yield "value", _unescaped(token.lstrip("uU")[1:-1])
        elif kind == "number":
            yield "value", float(token) if "." in token else int(token)
        elif kind == "word":
            word = token.strip()
            if word not in _CONSTANTS and not bare and not word.startswith("dtype"):
                raise Unreadable(f"{word[:20]!r} has no quotes")
            yield "value", _CONSTANTS.get(word, word) if not bare else word
        elif kind in ("mark", "call"):
            yield kind, token
    yield "", None


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_letter, text) if "\\" in text else text


def _letter(found: re.Match[str]) -> str:
    code = found[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else _LETTERS.get(code, code)
