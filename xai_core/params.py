"""Declared parameters: a field that carries its default, range, unit, help and source.

Sliders, command-line flags, validation, reports and tests are all read from these declarations.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal, TypedDict, TypeVar, Unpack, cast

from xai_core.errors import ParamError

Kind = Literal["integer", "real", "choice", "switch", "layer"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Param:
    """One declared parameter of an explainer.

    `engines` names the engines that honour it; empty means all of them.
    """

    kind: Kind
    default: int | float | str | bool
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
    name: str = ""

    @property
    def flag(self) -> str:
        """The command-line flag, `--patch-height`."""
        return "--" + self.name.replace("_", "-")

    @property
    def title(self) -> str:
        """What a form calls it, 'Patch height'."""
        return self.label or self.name.replace("_", " ").capitalize()

    def parse(self, owner: str, text: str) -> int | float | str | bool:
        """Read a value from a command line. Raises ParamError."""
        try:
            match self.kind:
                case "integer":
                    return int(text)
                case "real":
                    return float(text)
                case "switch":
                    return {"true": True, "on": True, "false": False, "off": False}[text.lower()]
        except (ValueError, KeyError):
            raise ParamError(self._refusal(owner, text)) from None
        return text

    def validate(self, owner: str, value: object) -> None:
        """Raise ParamError unless `value` is of the declared kind and in the declared range."""
        match self.kind:
            case "integer":
                good = isinstance(value, int) and not isinstance(value, bool)
                good = good and self.lo <= cast(int, value) <= self.hi
            case "real":
                good = isinstance(value, (int, float)) and not isinstance(value, bool)
                good = good and self.lo <= cast(float, value) <= self.hi
            case "switch":
                good = isinstance(value, bool)
            case "choice":
                good = isinstance(value, str) and value in self.options
            case "layer":
                good = isinstance(value, str)
        if not good:
            raise ParamError(self._refusal(owner, value))

    def _refusal(self, owner: str, value: object) -> str:
        shown = value if isinstance(value, (int, float, bool)) else repr(value)[:60]
        return f"{owner}.{self.name} must be {self.rule}, got {shown}"

    @property
    def rule(self) -> str:
        """The range in words, 'from 50 to 20000 masks'."""
        unit = f" {self.unit}" if self.unit else ""
        match self.kind:
            case "integer" | "real":
                whole = "" if self.kind == "real" else "a whole number "
                whole = "" if self.unit else whole
                return f"{whole}from {self.lo:.12g} to {self.hi:.12g}{unit}"
            case "switch":
                return "true or false"
            case "choice":
                return "one of " + ", ".join(self.options)
            case "layer":
                return "the name of a layer"


class Details(TypedDict, total=False):
    """What every declaration may add to its default and its range."""

    step: float
    unit: str
    help: str
    source: str
    engines: tuple[str, ...]
    label: str
    more: bool


N = TypeVar("N", int, float)


def _field(param: Param) -> Any:
    return dataclasses.field(default=param.default, metadata={"param": param})


def number(default: N, lo: N, hi: N, **details: Unpack[Details]) -> N:
    """Declare a whole number (if `default` is an int) or a real one in `lo..hi`, ends included."""
    kind: Kind = "integer" if isinstance(default, int) else "real"
    return cast(N, _field(Param(kind=kind, default=default, lo=lo, hi=hi, **details)))


def choice(default: str, options: tuple[str, ...], **details: Unpack[Details]) -> str:
    """Declare one of a few names."""
    return cast(str, _field(Param(kind="choice", default=default, options=options, **details)))


def switch(default: bool, **details: Unpack[Details]) -> bool:
    """Declare a yes or no."""
    return cast(bool, _field(Param(kind="switch", default=default, **details)))


def layer(**details: Unpack[Details]) -> str:
    """Declare the name of one of the model's layers; empty stands for the method's default."""
    return cast(str, _field(Param(kind="layer", default="", **details)))


def declared(cls: type) -> dict[str, Param]:
    """Every declared parameter of a dataclass, by name, in the order of declaration."""
    return {
        field.name: dataclasses.replace(field.metadata["param"], name=field.name)
        for field in dataclasses.fields(cls)
        if "param" in field.metadata
    }


def validate(instance: Any) -> None:
    """Check every declared field of `instance`. Raises ParamError with the first that is wrong."""
    owner = type(instance).__name__
    for name, param in declared(type(instance)).items():
        param.validate(owner, getattr(instance, name))
