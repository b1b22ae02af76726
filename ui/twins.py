"""A built-in photo beside its twin, which differs by a sticker alone: the first minute's lesson."""

from __future__ import annotations

import dataclasses

import streamlit as st

from loaders import catalogue
from ui import ask, photo_card, views
from ui.desk import Desk
from ui.held import Answer
from xai_core import report
from xai_core.agreement import same_way
from xai_core.question import Question
from xai_core.report.scales import shared
from xai_core.target import ClassTarget

FADED = 0.05
"""Of the strongest place's value with the sticker: below it next to nothing is left."""

_NEXT = "twin-question"
"""What is asked of the twin as soon as the model has seen it: its word and the question."""


def _sample(word: str) -> catalogue.Sample | None:
    return next((each for each in catalogue.photos() if photo_card.word_of(each) == word), None)


def twin_of(word: str) -> catalogue.Sample | None:
    """Return the photo that differs by the sticker alone from the built-in one of that word."""
    sample = _sample(word)
    return None if sample is None else sample.twin


def offer(answer: Answer, desk: Desk) -> None:
    """Draw what the two runs say together, or the button that makes the second one."""
    twin = twin_of(answer.scene.photo.word)
    if twin is None or answer.explanation.target.reads != "scores":
        return
    other = other_run(answer, desk)
    here = desk.photo is not None and desk.photo.id == answer.scene.photo.id
    here = here and desk.model is not None and desk.model.id == answer.scene.model.id
    if other is not None:
        views.line(" ".join(compared(answer, other)), "v-prose")
        first = _first(answer)
        if here and _first(other) != first and answer.question.target.classes() != (first,):
            label = answer.scene.card.labels[first]
            st.button(f"Why {label}?", key="twin-why", on_click=_why, args=(desk, answer, first))
        return
    if here:
        st.button(
            f"Now {'with' if twin.marked else 'without'} the sticker: {twin.title.lower()}",
            key="twin",
            on_click=_ask,
            args=(desk, twin, answer.question),
        )


def follow(desk: Desk) -> None:
    """Run the question on the twin once the model has seen it; before any control is drawn."""
    waiting: tuple[str, Question] | None = st.session_state.get(_NEXT)
    if waiting is None or desk.run is not None or desk.decoding is not None:
        return
    word, question = waiting
    if desk.photo is None or desk.photo.word != word:
        del st.session_state[_NEXT]  # another photo has come between
    elif desk.prediction is not None:
        del st.session_state[_NEXT]
        ask.aim(desk, question.target)
        desk.start(question)


def other_run(answer: Answer, desk: Desk) -> Answer | None:
    """Return the latest kept run of the same question and model on the photo's twin."""
    twin = twin_of(answer.scene.photo.word)
    if twin is None:
        return None
    word, own = photo_card.word_of(twin), answer.explanation
    for run in reversed(list(desk.runs)):
        same = run.scene.photo.word == word and run.explanation.model_hash == own.model_hash
        if same and (run.explanation.method, run.explanation.target) == (own.method, own.target):
            return run
    return None


def compared(answer: Answer, other: Answer) -> list[str]:
    """Say what two runs saw that differ by the sticker alone."""
    sample = _sample(answer.scene.photo.word)
    marked, bare = (answer, other) if sample and sample.marked else (other, answer)
    said = [_says(marked, "With the sticker"), _says(bare, "without it")]
    with_it, without = _first(marked), _first(bare)
    labels = answer.scene.card.labels
    verdict = (
        f"The sticker alone turns {report.quote(labels[without])} into "
        f"{report.quote(labels[with_it])}."
        if with_it != without
        else "The sticker changes no answer here."
    )
    seen = report.facts(marked.explanation)
    share = report.percent(float(seen["half_area"]))
    of = report.evidence(marked.explanation, marked.explanation.target.words(labels))
    place = f"With it, half of {of} lay in {share} of the photo, {seen['place']}."
    said = [f"{said[0]}, {said[1]}.", verdict, *([place] if seen["half_area"] > 0 else [])]
    scale = scale_of(answer, other)
    most, left = (float(run.explanation.attribution.max()) for run in (marked, bare))
    if same_way(marked.explanation, bare.explanation) and max(left, 0) < FADED * most:
        said.append(
            f"Without it almost nothing of that is left: the strongest place has "
            f"{report.amount(max(left, 0))}, where it had {report.amount(most)}."
        )
    drawn = "Each of the two maps is drawn on a scale of its own."
    return [*said, drawn if scale is None else "Both maps are drawn on one scale."]


def scale_of(answer: Answer, other: Answer) -> float | None:
    """Return the number at the end of the one scale of two maps, None where there is none."""
    made = answer.explanation, other.explanation
    if not same_way(*made):
        return None
    scale = shared(made)
    return None if scale.relative else scale.top


def _first(run: Answer) -> int:
    return run.scene.prediction.top[0]


def _says(run: Answer, when: str) -> str:
    index = _first(run)
    chance = report.percent(float(run.scene.prediction.probabilities[index]))
    return f"{when} the model says {report.quote(run.scene.card.labels[index])} with {chance}"


def _why(desk: Desk, answer: Answer, index: int) -> None:
    """Ask by the same method why the model says what it says of this one of the two."""
    target = ClassTarget(index, of=answer.question.target.of)
    ask.aim(desk, target)
    desk.start(dataclasses.replace(answer.question, target=target))


def _ask(desk: Desk, twin: catalogue.Sample, question: Question) -> None:
    st.session_state[_NEXT] = (photo_card.word_of(twin), question)
    photo_card.open_sample(desk, twin)
