"""Explanations made by hand, as a method would have made them."""

from __future__ import annotations

from typing import Any

import numpy as np

from xai_core.card import Card, Pace
from xai_core.explanation import Explanation
from xai_core.model import Finding, Head, Layer
from xai_core.question import Question
from xai_core.report.judgement import Judgement
from xai_core.report.record import record
from xai_core.report.run import Run
from xai_core.target import ClassTarget, Target


def explanation(
    attribution: Any,
    *,
    method: str = "grad-cam",
    engine: str = "ours",
    parameters: Any = (),
    target: Target | None = None,
    signed: bool = False,
    **more: Any,
) -> Explanation:
    """Return an explanation of class 1, or of `target`."""
    question = Question(
        method=method,
        engine=engine,
        values=dict(parameters),
        target=target or ClassTarget(1),
    )
    return Explanation(
        attribution=np.asarray(attribution, np.float32), signed=signed, question=question, **more
    )


def card(**more: Any) -> Card:
    """Return the card of a small network of two layers and three classes."""
    given: dict[str, Any] = {
        "kind": "PyTorch state dict",
        "framework": "torch",
        "architecture": "tiny",
        "parameters": 12_345,
        "input_size": (64, 64),
        "channels": 3,
        "labels": ("heart", "star", "ring"),
        "layers": (Layer("first", "Conv2d", (16, 16), 4), Layer("last", "Conv2d", (4, 4), 8)),
        "default_layer": "last",
        "findings": (Finding("warning", "It was never trained.", "weights"),),
        "preprocessing": {
            "name": "unit", "size": [64, 64], "channels": "rgb", "mean": [0.0, 0.0, 0.0],
            "std": [1.0, 1.0, 1.0], "resize": None, "interpolation": "bilinear", "fit": "stretch",
            "why": "nothing in the file says otherwise",
        },
        "head": Head("softmax"),
        "pace": Pace(forward=1.0),
        "methods": {},
        "hash": "f0" * 32,
    }  # fmt: skip
    return Card(**(given | more))


def run(
    attribution: Any,
    *,
    photo: Any = None,
    labels: tuple[str, ...] = ("heart", "star", "ring"),
    model: str = "model.pth",
    image: str = "photo.png",
    findings: tuple[Finding, ...] = (),
    measured: tuple[str, ...] = (),
    judgement: Judgement | None = None,
    **more: Any,
) -> Run:
    """Return a run of an explanation of that map, with the record that it would have."""
    made = explanation(attribution, model_hash="ab" * 32, image_hash="cd" * 32, **more)
    known = card(labels=labels, input_size=made.view)
    chances = np.array([0.25, 0.72, *[0.03 / (len(labels) - 2)] * (len(labels) - 2)], np.float32)
    pixels = np.full((*made.placed.photo, 3), 128, np.uint8) if photo is None else photo
    return Run(
        explanation=made,
        photo=pixels,
        card=known,
        probabilities=chances,
        measured=measured,
        record=record(
            made,
            card=known,
            model=model,
            photo=image,
            probabilities=chances,
            findings=(*known.findings, *findings),
            flags={},
            judgement=judgement,
        ),
    )
