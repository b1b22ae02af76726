"""What could be wrong with a picture, and how to check it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from xai_core.card import Service
from xai_core.errors import VitrineError
from xai_core.explainer import Family, explainers, is_class_agnostic, make
from xai_core.explanation import Explanation
from xai_core.model import Finding, Geometry
from xai_core.report.facts import HALF, facts
from xai_core.report.numbers import percent, quote
from xai_core.target import Target

Array = NDArray[np.float32]

UNLIKELY = 0.1
"""A class below this probability was hardly chosen by the model."""

STRETCHED = 1.1
"""How much taller or wider than it is a thing may look to the model before it is said."""


CHECKS: tuple[Family, ...] = ("perturbation", "activation maps", "gradients")
"""Families by how well their methods check a map of another one."""


def doubts(
    explanation: Explanation,
    probabilities: Array,
    labels: Sequence[str],
    *,
    findings: Iterable[Finding] = (),
) -> list[str]:
    """Say what could be wrong with this picture, and how to check it. Only what is true of it."""
    found = facts(explanation)
    said = list(explanation.notes)
    said += [finding.message for finding in findings if finding.level == "warning"]
    if doubt := explanation.grain.doubt(explanation.view):
        said.append(doubt)
    if not is_class_agnostic(explanation.method):
        said += _unsure(explanation.target, probabilities, labels)
    if found["seen"] < 0.95:
        said.append(
            f"The model never saw {percent(1 - found['seen'])} of this photo: its pre-processing "
            "cut that away."
        )
    said += _stretched(explanation.placed)
    if found["half_area"] > 0.25:
        said.append("The evidence is spread wide; the brightest spot alone is not the reason.")
    return said


def _unsure(target: Target, probabilities: Array, labels: Sequence[str]) -> list[str]:
    """Say where the class that is explained was hardly chosen."""
    if target.reads != "scores" or not target.classes():
        return []
    index = target.classes()[0]
    chance, first = float(probabilities[index]), int(np.argmax(probabilities))
    if chance < UNLIKELY and index != first:
        return [
            f"{quote(labels[index])} has a probability of only {percent(chance)}: this shows what "
            "speaks for it, not that the model chose it."
        ]
    if chance < HALF and index == first:
        return [
            f"The model is not sure: its first answer has only {percent(chance)}, so other classes "
            "have evidence too."
        ]
    return []


def _stretched(geometry: Geometry) -> list[str]:
    """Say where the view has another shape than the part of the photo that it shows."""
    (height, width), (top, left, bottom, right) = geometry.view, geometry.box
    times = (height / (bottom - top)) / (width / (right - left))
    shape, by = ("tall", times) if times > 1 else ("wide", 1 / times)
    if by < STRETCHED:
        return []
    return [
        f"The photo is stretched for the model, which gets everything {by:.2g} times as {shape} as "
        "it is. If the model was trained on photos of their own shape, choose another fit."
    ]


def check(explanation: Explanation, methods: Mapping[str, Service], size: tuple[int, int]) -> str:
    """Say how to check the picture: the cheapest method of another family that serves the model.

    Families that ask the model anew come first: a gradient shares the faults of other gradients.

    `methods` is the card's; `size` the view's. Nothing where no other method serves.
    """
    known = explainers()
    own = known.get(explanation.method)
    served = []
    for name, service in methods.items():
        if name == explanation.method or name not in known or service.why_not is not None:
            continue
        if all(service.engines.values()):
            continue  # each engine says why not
        if known[name].class_agnostic:
            continue  # it would agree or not for no reason of the class's
        if explanation.target.reads == "layer" and not any(
            engine.units for engine in known[name].engines
        ):
            continue
        family = known[name].family
        last = own is not None and family == own.family
        trust = CHECKS.index(family) if family in CHECKS else len(CHECKS)
        rough = known[name].quick  # a map of few passes is no check of a better one
        served.append(
            (last, trust, rough, _passes(name, size), known[name].place, known[name].title)
        )
    if not served:
        return ""
    title = min(served)[-1]
    if is_class_agnostic(explanation.method):
        return f"To see what speaks for the class, run {title}."
    kinds = {"scores": "class", "objects": "box"}
    what = kinds.get(explanation.target.reads, "question")
    return f"To check it, run {title} on the same {what} and see if both agree."


def _passes(name: str, size: tuple[int, int]) -> float:
    try:
        return make(name, {}, size=size).cost(_View(size)).passes
    except VitrineError:
        return float("inf")


@dataclasses.dataclass(frozen=True)
class _View:
    input_size: tuple[int, int]
