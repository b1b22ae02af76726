"""The one writer of an explanation's JSON, for the page and the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core import plain, region, report
from xai_core.card import Card
from xai_core.explainer import explainers
from xai_core.explanation import Explanation
from xai_core.model import Finding
from xai_core.region import Region
from xai_core.report.command import Frame, command
from xai_core.report.judgement import Judgement
from xai_core.versions import versions


def record(
    explanation: Explanation,
    *,
    card: Card,
    model: str,
    photo: str,
    probabilities: NDArray[np.float32],
    findings: Sequence[Finding],
    flags: Mapping[str, str],
    marked: Region | None = None,
    frame: Frame = "view",
    judgement: Judgement | None = None,
) -> dict[str, Any]:
    """Return all that is known of an explanation but its arrays, as plain data.

    `model` and `photo` are their words on the command line, `probabilities` the model's answer,
    `findings` those of model and photo, `flags` what was asked of the model, as the command line
    has it, `marked` the region that the reader marked, `frame` that of the numbers
    beside it, the view's or the photo's, and `judgement` what the reader says of the model.
    """
    labels, target = card.labels, explanation.target
    classes = target.classes()
    words = target.words(labels)
    scored = target.reads == "scores"
    return {
        "method": explanation.method,
        "title": explainers()[explanation.method].title,
        "engine": explanation.engine,
        "parameters": dict(explanation.parameters),
        "target": {name: each for name, each in _plain(target).items() if name != "kind"},
        "asked": {"kind": target.kind, "words": words},
        "label": labels[classes[0]] if classes else None,
        "against_label": labels[classes[1]] if len(classes) > 1 else None,
        "probability": float(probabilities[classes[0]]) if classes and scored else None,
        "signed": explanation.signed,
        "grain": _plain(explanation.grain),
        "scale": explanation.scale,
        "seed": explanation.seed,
        "passes": explanation.passes,
        "way": explanation.way,
        "seconds": explanation.seconds,
        "backend": None if explanation.backend is None else _plain(explanation.backend),
        "geometry": _plain(explanation.placed),
        "frame": frame,
        "shape": list(explanation.placed.photo if frame == "upload" else explanation.view),
        "scalars": dict(explanation.scalars),
        "model": model,
        "photo": photo,
        "preprocessing": dict(card.preprocessing),
        "findings": [dataclasses.asdict(finding) for finding in findings],
        "facts": dict(report.facts(explanation)),
        "sentences": report.sentences(explanation, probabilities, labels),
        "doubts": report.doubts(explanation, probabilities, labels, findings=findings),
        "check": report.check(explanation, card.methods, card.input_size),
        "notes": list(explanation.notes),
        "judgement": None if judgement is None else dataclasses.asdict(judgement),
        "region": None if marked is None else _region(explanation, marked, words),
        "model_hash": explanation.model_hash,
        "image_hash": explanation.image_hash,
        "versions": versions(card.framework, explanation.engine),
        "command": command(
            explanation, card=card, model=model, photo=photo, flags=flags, frame=frame
        ),
    }


def _plain(value: Any) -> dict[str, Any]:
    """Return declared data without its arrays."""
    data, arrays = plain.pack(value)
    return {name: each for name, each in data.items() if name not in arrays}


def _region(explanation: Explanation, marked: Region, asked: str) -> dict[str, Any]:
    return {
        "box": marked.box,
        "facts": region.facts(explanation, marked),
        "sentences": region.sentences(explanation, marked, asked),
    }
