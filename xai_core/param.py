"""One declared parameter: its range, how it is read, checked and printed, and who asks for it."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

from xai_core.checks import are_numbers, is_pair, is_whole, shown
from xai_core.errors import ParamError

Kind = Literal[
    "integer", "real", "choice", "switch", "layer", "text", "pair", "numbers", "names"
]  # fmt: skip
Titles = Mapping[str, str]

_SWITCH = {"true": True, "on": True, "false": False, "off": False}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Param:
    """One declared parameter.

    `engines` names the engines of a method that honour it; empty means all of them. `optional`
    says that it may be None, which is not asked. `lo` and `hi` bound a number, each number of
    `numbers`, each side of a `pair`, and with `hi` the characters of a `text`; `hint` is added to
    the rule. `pace` says that it changes time and memory, and never the map. `titles` is what a
    form shows for a choice. `linked` names the parameter that a form moves it with, as a width with
    its height, until the two are unlinked there.

    `group` is the heading of its flag; without one it has no flag. `file` says that the flag takes
    a file, and is what a printed command calls that file. `place` is where on the page its control
    lies, `example` what an empty box shows, `spoken` what a sentence on the page calls it where the
    title does not serve. `lacking` says that a file which does not tell it may be refused for it,
    and is then asked for it. `read` and `check` are what reads and checks `names`.
    """

    kind: Kind
    default: Any
    lo: float = -math.inf
    hi: float = math.inf
    step: float | None = None
    unit: str = ""
    help: str = ""
    source: str = ""
    options: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    label: str = ""
    more: bool = False
    pace: bool = False
    name: str = ""
    optional: bool = False
    hint: str = ""
    titles: Titles = dataclasses.field(default_factory=dict, hash=False)
    group: str = ""
    metavar: str = ""
    file: str = ""
    place: str = ""
    example: str = ""
    spoken: str = ""
    lacking: bool = False
    linked: str = ""
    read: Callable[[str], Any] | None = None
    check: Callable[[Any], None] | None = None

    @property
    def flag(self) -> str:
        """The command-line flag, `--patch-height`."""
        return "--" + self.name.replace("_", "-")

    @property
    def title(self) -> str:
        """What a form calls it, 'Patch height'."""
        return self.label or self.name.replace("_", " ").capitalize()

    @property
    def called(self) -> str:
        """What a sentence on the page calls it, in the quotes that set a control's title off."""
        return self.spoken or f"'{self.title}'"

    @property
    def shape(self) -> str:
        """What the command line's help shows for its value, `HxW` or `crop|pad`."""
        return self.metavar or ("FILE" if self.file else "|".join(self.options))

    def parse(self, owner: str, text: str) -> Any:
        """Read a value from a command line or a box of a form. Raises ParamError.

        A refusal begins with the flag where `owner` is empty, else with the owner's field.
        """
        try:
            value = self._read(text)
            self.validate(owner, value)
        except (ValueError, KeyError):
            raise self.refusal(owner, text) from None
        except ParamError:
            if self.kind == "names":
                raise  # says itself what is wrong with them
            raise self.refusal(owner, text) from None
        return value

    def _read(self, text: str) -> Any:
        match self.kind:
            case "integer":
                if not re.fullmatch(r"\s*[+-]?\d{1,20}\s*", text, re.ASCII):
                    raise ValueError(text)
                return int(text)
            case "real":
                return float(text)
            case "switch":
                return _SWITCH[text.lower()]
            case "pair":
                found = re.fullmatch(r"\s*(\d{1,5})\s*(?:[xX]\s*(\d{1,5})\s*)?", text, re.ASCII)
                if not found:
                    raise ValueError(text)
                return int(found[1]), int(found[2] or found[1])
            case "numbers":
                return tuple(float(part) for part in text.split(","))
        return text if self.read is None else self.read(text)

    def word(self, value: Any) -> str:
        """Return a value as `parse` reads it; a file's name where the flag takes a file."""
        if self.file:
            return self.file
        match self.kind:
            case "switch":
                return "on" if value else "off"
            case "real":
                return _number(value)
            case "numbers":
                return ",".join(map(_number, value))
            case "pair":
                return "x".join(map(str, value))
        return str(value)

    def words(self, value: Any) -> list[str]:
        """Return the flag and a value as a command line has them."""
        word = self.word(value)
        # A word that begins with a dash would be read as a flag of its own.
        return [f"{self.flag}={word}"] if word.startswith("-") else [self.flag, word]

    def validate(self, owner: str, value: object) -> None:
        """Raise ParamError unless `value` is of the declared kind and in the declared range."""
        if value is None and self.optional:
            return
        match self.kind:
            case "integer":
                good = is_whole(value, self.lo, self.hi)
            case "real":
                good = isinstance(value, (int, float)) and not isinstance(value, bool)
                good = good and self.lo <= cast(float, value) <= self.hi
            case "switch":
                good = isinstance(value, bool)
            case "choice":
                good = isinstance(value, str) and value in self.options
            case "layer":
                good = isinstance(value, str)
            case "text":
                good = isinstance(value, str) and len(value) <= self.hi
            case "pair":
                good = is_pair(value, self.lo, self.hi)
            case "numbers":
                good = are_numbers(value, self.lo, self.hi)
            case "names":
                good = isinstance(value, tuple)
        if not good:
            raise self.refusal(owner, value)
        if self.check is not None:
            self.check(value)

    def refusal(self, owner: str, value: object) -> ParamError:
        """Return the error for a value that breaks the rule."""
        named = f"{owner}.{self.name}" if owner else self.flag
        if self.kind == "text" and isinstance(value, str):
            return ParamError(f"{named} must be {self.rule}, got {len(value):,}")
        return ParamError(f"{named} must be {self.rule}, got {shown(value)}")

    @property
    def rule(self) -> str:
        """The range in words, 'from 50 to 20000 masks'."""
        unit = f" {self.unit}" if self.unit else ""
        ends = f"from {self.lo:.12g} to {self.hi:.12g}"
        match self.kind:
            case "integer" | "real":
                whole = "" if self.kind == "real" else "a whole number "
                whole = "" if self.unit and not self.optional else whole
                rule = f"{whole}{ends}{unit}"
            case "switch":
                rule = "true or false"
            case "choice":
                rule = "one of " + ", ".join(self.options)
            case "layer":
                rule = "the name of a layer"
            case "text":
                rule = f"text of at most {self.hi:,} characters"
            case "pair":
                rule = f"HEIGHTxWIDTH in{unit} {ends}"
            case "numbers":
                rule = f"one number or one for each channel, with commas, {ends}{unit}"
            case "names":
                rule = "names"
        return f"{rule} ({self.hint})" if self.hint else rule


def _number(value: float) -> str:
    """Return a number that reads back as itself, short where that serves."""
    short = f"{value:.10g}"
    return short if float(short) == value else repr(float(value))
