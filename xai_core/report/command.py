"""The command line that makes an explanation again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from xai_core.explanation import Explanation


def command(
    *,
    model: str,
    photo: str,
    explanation: Explanation,
    labels: Sequence[str],
    defaults: Mapping[str, Any],
    engine: str,
    options: Mapping[str, Any] | None = None,
) -> str:
    """Return the command line that makes the explanation again.

    `defaults` are the values that the method takes by itself and `engine` its first engine: what
    equals them is left out. `options` are the pre-processing flags that were asked for.
    """
    target = explanation.target
    words = ["explain", model, photo, "--method", explanation.method]
    for flag, index in zip(("--target", "--against"), target.classes(), strict=False):
        words += [flag, _class_word(labels, index)]
    if target.of != "logit":
        words += ["--of", target.of]
    if explanation.engine != engine:
        words += ["--engine", explanation.engine]
    for name, value in explanation.parameters.items():
        if value != defaults.get(name):
            words += _flag(name, value)
    for name, value in (options or {}).items():
        words += _flag(name, value)
    words += ["--out", "out/"]
    return "python cli.py " + " ".join(shlex.quote(word) for word in words)


def _class_word(labels: Sequence[str], index: int) -> str:
    """Return the label where it names one class only and cannot be taken for a number or flag."""
    label = labels[index]
    plain = label.isprintable() and not label.startswith("-") and not label.strip().isdigit()
    return label if plain and list(labels).count(label) == 1 else str(index)


def _flag(name: str, value: Any) -> list[str]:
    flag, word = "--" + name.replace("_", "-"), _word(value)
    # A word that begins with a dash would be read as a flag of its own.
    return [f"{flag}={word}"] if word.startswith("-") else [flag, word]


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, (list, tuple)):
        return ",".join(_word(part) for part in value)
    return str(value)
