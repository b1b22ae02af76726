"""The command lines that make an explanation, or edits of a photo, again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from xai_core.card import Card
from xai_core.detection.boxes import in_photo
from xai_core.explainer import explainers
from xai_core.explanation import Explanation
from xai_core.target import BoxTarget, UnitTarget

Frame = Literal["view", "upload"]
"""The frame of the numbers that are written: the view's, or the photo's."""


def command(
    explanation: Explanation,
    *,
    card: Card,
    model: str,
    photo: str,
    flags: Mapping[str, str],
    frame: Frame = "view",
) -> str:
    """Return the command line that makes the explanation again.

    `model` and `photo` name them there, and `flags` is what was asked of the model, by option. What
    the method takes by itself is left out.
    """
    cls, target = explainers()[explanation.method], explanation.target
    boxed = isinstance(target, BoxTarget)
    words = ["explain-detection" if boxed else "explain", model, photo]
    words += ["--method", explanation.method]
    if isinstance(target, BoxTarget):
        words += _flag("--at", _corners(target, explanation))
        words += ["--asks", target.asks] if target.asks != "class" else []
    for flag, index in zip(("--target", "--against"), target.classes(), strict=False):
        words += _flag(flag, _class_word(card.labels, index))
    if isinstance(target, UnitTarget):
        words += _flag("--unit", target.word)
    if target.of != "logit":
        words += ["--of", target.of]
    if explanation.engine != cls.engines[0].name:
        words += ["--engine", explanation.engine]
    usual = _by_itself(explanation, card)
    for name, param in cls.declared().items():
        value = explanation.parameters.get(name)
        if value is not None and value != usual[name]:
            words += param.words(value)
    words += _flags(flags)
    if frame != "view":
        words += ["--frame", frame]
    return _line(words)


def edit_command(edits: Sequence[str], *, model: str, photo: str, flags: Mapping[str, str]) -> str:
    """Return the command line that makes edits by hand again, each given in its one word."""
    done = [word for each in edits for word in ("--do", each)]
    return _line(["edit", model, photo, *done, *_flags(flags)])


def _flags(flags: Mapping[str, str]) -> list[str]:
    named = ((f"--{name.replace('_', '-')}", word) for name, word in flags.items())
    return [each for flag, word in named for each in _flag(flag, word)]


def _line(words: Sequence[str]) -> str:
    words = [*words, "--out", "out/"]
    return "python cli.py " + " ".join(shlex.quote(word) for word in words)


def _corners(target: BoxTarget, explanation: Explanation) -> str:
    """Return a box as the command line has it: left, top, right, bottom in the photo's pixels."""
    top, left, bottom, right = in_photo(np.array([target.box], np.float32), explanation.placed)[0]
    return ",".join(f"{float(side):.7g}" for side in (left, top, right, bottom))


def _by_itself(explanation: Explanation, card: Card) -> dict[str, Any]:
    """Return the values that the method takes where the others are given."""
    cls, values = explainers()[explanation.method], explanation.parameters
    suggested = cls.suggested(card.input_size, {}, explanation.engine)
    changed = {name: values[name] for name in suggested if values.get(name) != suggested[name]}
    usual = {
        name: card.default_layer if param.kind == "layer" else param.default
        for name, param in cls.declared().items()
    }
    # what is taken for the rest may follow from the values that are given
    return usual | cls.suggested(card.input_size, changed, explanation.engine)


def _class_word(labels: Sequence[str], index: int) -> str:
    """Return the label where it names one class only and cannot be taken for a number or flag."""
    label = labels[index]
    plain = label.isprintable() and not label.startswith("-") and not label.strip().isdigit()
    return label if plain and list(labels).count(label) == 1 else str(index)


def _flag(flag: str, word: str) -> list[str]:
    # A word that begins with a dash would be read as a flag of its own.
    return [f"{flag}={word}"] if word.startswith("-") else [flag, word]
