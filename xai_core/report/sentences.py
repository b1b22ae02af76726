"""An explanation in words. Every number in a sentence comes out of `facts`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.explainer import is_class_agnostic
from xai_core.explanation import Explanation
from xai_core.report.facts import facts
from xai_core.report.numbers import amount, count, percent, quote
from xai_core.target import Target

Array = NDArray[np.float32]

SCORE = "The score (logit) is the class's own number, before it becomes a probability"


def sentences(explanation: Explanation, probabilities: Array, labels: Sequence[str]) -> list[str]:
    """Say what the map shows, in two or three plain sentences. Class names are quoted."""
    target = explanation.target
    found = facts(explanation)
    asked = target.words(labels)
    said = []
    if is_class_agnostic(explanation.method):
        return [*_standing_out(found), *_answer(target, probabilities, labels)]
    if found["half_area"] == 0:
        said.append(f"The map holds no evidence for {asked}.")
    elif "parts" in found:
        said += _parts_said(found, asked, explanation)
    else:
        said.append(
            f"Half of the evidence for {asked} lies in {percent(found['half_area'])} of "
            f"{_whole(found)}, "
            f"{found['place']}."
        )
    if found["against"] >= 0.05 and "parts" not in found:
        said.append(f"{percent(found['against'])} of all that the map holds speaks against it.")
    return [*said, *_answer(target, probabilities, labels)]


def terms(explanation: Explanation) -> str:
    """Say what is meant by the words that sentences and doubts use of a map."""
    if explanation.target.reads == "layer":
        return (
            "Evidence is what the map counts for the channel, by its method's own rule. What the "
            "channel holds is the mean over the layer's map: a number of the network's inside, "
            "which names no class."
        )
    if explanation.target.reads == "objects":
        return (
            "Evidence is what the map counts for what was asked of the box, by its method's own "
            "rule. A box's score is the detector's own number for its class, between 0 and 1."
        )
    if is_class_agnostic(explanation.method):
        return f"{SCORE}."
    return f"Evidence is what the map counts for the class, by its method's own rule. {SCORE}."


def evidence(explanation: Explanation, asked: str) -> str:
    """Say what a map is made of: the evidence for what was asked, or what stands out."""
    agnostic = is_class_agnostic(explanation.method)
    return "what stands out" if agnostic else f"the evidence for {asked}"


def _whole(found: Mapping[str, Any]) -> str:
    return "the photo" if found["seen"] > 0.95 else "what the model sees of the photo"


def _standing_out(found: Mapping[str, Any]) -> list[str]:
    """Say where a map lies that does not depend on the class."""
    if found["half_area"] == 0:
        return ["Nothing stands out in this map, which does not depend on the class."]
    return [
        f"Half of what stands out lies in {percent(found['half_area'])} of {_whole(found)}, "
        f"{found['place']}. It is the same for every class."
    ]


def _answer(target: Target, probabilities: Array, labels: Sequence[str]) -> list[str]:
    """Say what the model's own answer is, beside the class that was asked about."""
    if target.reads != "scores" or not target.classes():
        return []
    index, first = target.classes()[0], int(np.argmax(probabilities))
    chance = percent(float(probabilities[index]))
    if index == first:
        return [f"The model gives {quote(labels[first])} {chance}."]
    return [
        f"The model's own answer is {quote(labels[first])}, with "
        f"{percent(float(probabilities[first]))}; {quote(labels[index])} has {chance}."
    ]


def _parts_said(found: Mapping[str, Any], asked: str, explanation: Explanation) -> list[str]:
    """Say which superpixels carry the weight, and what speaks against."""
    many, target = found["half_parts"], explanation.target
    what = "probability" if target.of == "probability" else "score"
    what = "channel's mean" if target.reads == "layer" else what
    what = f"lead in {what}" if len(target.classes()) > 1 else what
    if many == 1:
        said = [
            f"One superpixel of {found['parts']} carries half of the evidence for {asked}: it lies "
            f"{found['strongest_place']} and adds {amount(found['strongest'])} to the {what}."
        ]
    else:
        said = [
            f"{count(many)} superpixels of {found['parts']} carry half of the evidence for "
            f"{asked}, on {percent(found['half_area'])} of {_whole(found)}; the strongest, "
            f"{found['strongest_place']}, adds {amount(found['strongest'])} to the {what}."
        ]
    if found["against"] >= 0.05:
        said.append(
            f"{percent(found['against'])} of all that the map holds speaks against it, most of all "
            f"{found['weakest_place']} ({amount(found['weakest'])})."
        )
    return said
