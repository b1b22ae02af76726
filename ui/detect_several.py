"""Several boxes: one run on the first of them, and all maps side by side on one scale."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import streamlit as st

from ui import compared, presses, text, views
from ui.detect_desk import DetectDesk
from ui.held import Answer
from xai_core.errors import VitrineError
from xai_core.explainer import explainers
from xai_core.model import Detections
from xai_core.question import Question
from xai_core.report.numbers import percent
from xai_core.target import BoxTarget

MOST = 5
"""Boxes of one run."""


def targets(asked: Question, stay: Detections) -> list[BoxTarget]:
    """Return the question's box and the best others that are shown, as many as one run takes."""
    own = asked.target
    if not isinstance(own, BoxTarget):
        return []
    made = [own]
    for box, label in zip(stay.boxes, stay.labels, strict=True):
        top, left, bottom, right = (float(side) for side in box)
        same = np.allclose(box, own.box, atol=1e-3) and int(label) == own.index
        if not same and top < bottom and left < right and len(made) < MOST:
            made.append(dataclasses.replace(own, box=(top, left, bottom, right), index=int(label)))
    return made


def button(desk: DetectDesk, asked: Question, stay: Detections) -> None:
    """Draw what runs the method on the chosen box and on the best others."""
    every = targets(asked, stay)
    seen = desk.seen
    if len(every) < 2 or seen is None:
        return
    cls = explainers()[asked.method]
    if cls.class_agnostic:
        return  # all would have the same map
    try:
        cost = asked.made(seen.card.input_size).cost(seen.card)
        one = seen.card.pace.seconds(cost)
    except VitrineError:
        return
    seconds = one if cls.together else len(every) * one
    how = "from the same passes" if cls.together else "one after the other"
    if presses.button(
        f"Run on {len(every)} boxes ({text.estimate(seconds, at_most=cost.at_most)})",
        key="run-all",
        width="stretch",
        disabled=desk.run is not None or desk.prediction is None,
        help=f"The chosen box and the best others, {how}; their maps stand side by side.",
    ):
        desk.start_all(asked, every[1:])
        st.rerun()


def compared_here(desk: DetectDesk) -> None:
    """Draw side by side, on one scale: the pinned runs, and the boxes of one run."""
    pinned, together = desk.runs.pinned, _current(desk)
    if len(pinned) > 1:
        views.title("Side by side")
        compared.show(_panels(desk, pinned), columns=min(len(pinned), 3))
    if together:
        views.title("The boxes of one run, side by side")
        passes, seconds = together[0].explanation.passes, together[0].explanation.seconds
        if explainers()[together[0].question.method].together:
            views.line(
                f"One set of {passes:,} passes answered for all of them, in "
                f"{text.seconds(seconds)}."
            )
        panels = _panels(desk, together)
        compared.show(panels, columns=min(len(panels), 3), key="compared-boxes", agreeing=False)


def _current(desk: DetectDesk) -> tuple[Answer, ...]:
    """Return the boxes of the last run on several, while its photo and detector are there."""
    if not desk.together or desk.model is None or desk.photo is None:
        return ()
    scene = desk.together[0].scene
    here = (scene.model.id, scene.photo.id) == (desk.model.id, desk.photo.id)
    kept = tuple(each for each in desk.together if desk.runs.find(each.id) is not None)
    return kept if here and len(kept) > 1 else ()


def _panels(desk: DetectDesk, answers: Sequence[Answer]) -> list[compared.Panel]:
    return [
        dataclasses.replace(
            compared.panel(desk, each), about=f"{each.scene.photo.name}, {_inside(each)}"
        )
        for each in answers
    ]


def _inside(answer: Answer) -> str:
    """Say how much of a map lies in its box."""
    from xai_core.detection import context

    target = answer.explanation.target
    if not isinstance(target, BoxTarget):
        return answer.scene.model.name
    found = context.facts(answer.explanation, target)
    return f"{percent(found['inside'])} of it in the box"
