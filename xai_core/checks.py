"""Checks of values that came as text or JSON: a refusal names the flag, the rule and the value."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from xai_core.errors import ParamError


def shown(value: object) -> str:
    """Return a refused value as a sentence quotes it."""
    return repr(value)[:60]


def refusal(flag: str, rule: str, value: object) -> ParamError:
    """Return the error for a flag whose value breaks its rule."""
    return ParamError(f"--{flag} must be {rule}, got {shown(value)}")


def check_choice(flag: str, options: Sequence[str], value: object) -> None:
    """Raise ParamError unless `value` is one of `options`."""
    if value not in options:
        raise refusal(flag, "one of " + ", ".join(options), value)


def is_whole(value: object, low: float, high: float) -> bool:
    """Tell whether `value` is a whole number in `low..high`, ends included."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def are_numbers(value: object, low: float, high: float) -> bool:
    """Tell whether `value` is a tuple of one or three finite numbers in `low..high`."""
    return (
        isinstance(value, tuple)
        and len(value) in (1, 3)
        and all(
            isinstance(number, (int, float))
            and not isinstance(number, bool)
            and low <= number <= high
            for number in value
        )
    )


def is_pair(value: object, low: float, high: float) -> bool:
    """Tell whether `value` is a tuple of two whole numbers in `low..high`."""
    return (
        isinstance(value, tuple) and len(value) == 2 and all(is_whole(s, low, high) for s in value)
    )


def to_plain(instance: Any) -> dict[str, Any]:
    """Return a dataclass's fields as JSON has them: tuples become lists."""
    values = {field.name: getattr(instance, field.name) for field in dataclasses.fields(instance)}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items()
    }


def from_plain(cls: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `to_plain` was made of, by name. Raises ParamError for other names."""
    if not isinstance(data, Mapping):
        raise ParamError(f"{cls.__name__} must be a JSON object, got {data!r:.60}")
    known = {field.name: None for field in dataclasses.fields(cls)}
    unknown = [str(name) for name in data if name not in known]
    if unknown:
        raise ParamError(f"{cls.__name__} has no {unknown[0][:60]!r}; it has {', '.join(known)}")
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
    }
