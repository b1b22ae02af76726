"""The answer: the figure, the words, the doubts, and what to take away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from ui import doubt, figure, films, looks, model_card, recorded, takeaway, twins, views
from ui.desk import Desk
from ui.held import Answer, Model, answered_otherwise, changes
from xai_core import film, region, render, report
from xai_core.explainer import explainers, is_class_agnostic
from xai_core.explanation import Explanation
from xai_core.question import Question
from xai_core.region import Region
from xai_core.report.run import OWN_NUMBER


def invite(desk: Desk, ask: Question | None) -> None:
    """Fill the place of the answer before the first run; how the method works is offered there."""
    if desk.seen is None or desk.prediction_error:
        return
    prediction, model = desk.seen.prediction, desk.seen.model
    first = prediction.top[0]
    chance = report.percent(float(prediction.probabilities[first]))
    way = "Press Run" if ask is not None else "Choose a method that serves this model"
    views.line(
        f"{report.quote(model.card.labels[first])}, says the model, with {chance}. "
        f"{_first_words(model)}{way} to see what it looked at.",
        "v-empty v-quiet",
    )
    views.line(OWN_NUMBER)
    if ask is not None:
        title = explainers()[ask.method].title
        recorded.show(ask.method, f"How {title} works: a recording")


def _first_words(model: Model) -> str:
    """Tell a first visitor why this model is worth a look."""
    if model.word != model_card.OPENING:
        return ""
    return "This built-in model looks good in tests, and cheats: see how. "


def show(answer: Answer, desk: Desk, ask: Question | None, *, invites: bool = True) -> None:
    """Draw a finished run; where it is another photo's or model's, `invites` says to press Run."""
    # In a place of its own: a line that comes and goes must not move the figure, which would be
    # sent and drawn anew.
    with st.container():
        _stale(answer, desk, ask, invites=invites)
    made = takeaway.whole(answer)
    views.title(answer.explanation.target.asked(answer.scene.card.labels))
    _picture(answer, desk, made["sentences"])
    twins.offer(answer, desk)
    doubt.show(answer, desk, made["doubts"], made["check"])
    views.line(report.terms(answer.explanation))


def more(answer: Answer, desk: Desk) -> None:
    """Draw how the answer came about, and what to take away."""
    made = takeaway.whole(answer)
    stem = f"{answer.explanation.method}-{_plain(made['asked']['words'])}"
    if film.drawn_for(answer.explanation.method):
        films.show(answer, desk.session, stem)
    takeaway.show(answer, made, stem, desk)


@st.fragment
def _picture(answer: Answer, desk: Desk, said: Sequence[str]) -> None:
    """Draw the figure and the words, and what the marked region holds: a mark redraws only this."""
    photo = answer.scene.photo
    with st.container(key="answer-picture"):
        _drawn(answer, desk, said)
    views.line(" ".join(said), "v-prose")
    if photo.region is not None:
        views.line(" ".join(_region_said(answer, photo.region)), "v-prose")


def _drawn(answer: Answer, desk: Desk, said: Sequence[str]) -> None:
    explanation, photo = answer.explanation, answer.scene.photo
    title, signed = explainers()[explanation.method].title, render.is_signed(explanation)
    other = twins.other_run(answer, desk)
    top = None if other is None else twins.scale_of(answer, other)
    figure.show(
        key="answer",
        name=f"answer-{answer.id}" if top is None else f"answer-{answer.id}-{top!r}",
        top=top,
        photo=photo.pixels,
        attribution=explanation.attribution,
        geometry=explanation.placed,
        signed=signed,
        cells=explanation.grain.cells,
        pair=True,
        captions={
            "photo": [(_photo_caption(explanation), False)],
            "map": _map_caption(answer, title, alone=top is None),
            "over": [("Over the photo, which shows through where there is little evidence", False)],
        },
        alternatives={
            "photo": f"The photo {photo.name}",
            "map": f"Map by {title}. {said[0]}",
            "over": f"The same map over the photo. {said[0]}",
        },
        unit=_unit(explanation, signed),
        region=photo.region,
        on_region=lambda region: desk.mark(photo, region),
        on_look=looks.held().hear,
    )


def _unit(explanation: Explanation, signed: bool) -> str:
    if is_class_agnostic(explanation.method):
        return "how far it stands out"
    return "speaks for (+) and against (-)" if signed else "evidence"


def _region_said(answer: Answer, marked: Region) -> list[str]:
    target = answer.explanation.target
    asked = target.words(answer.scene.card.labels)
    return region.sentences(answer.explanation, marked, asked)


def _photo_caption(explanation: Any) -> str:
    seen = report.facts(explanation)["seen"]
    return "Photo" if seen > 0.98 else "Photo; the model does not see the veiled part"


def _map_caption(answer: Answer, title: str, *, alone: bool) -> figure.Caption:
    explanation, labels = answer.explanation, answer.scene.card.labels
    parts: figure.Caption = [(f"{title} for ", False)]
    classes = explanation.target.classes()
    for at, index in enumerate(classes):
        parts += [(" against ", False)] if at else []
        parts += [(labels[index], True)]
    if not classes:
        parts += [(explanation.target.words(labels), True)]
    if explanation.target.of == "probability":
        parts += [(", by probability", False)]
    scale = "raw scale" if explanation.scale == "raw" else f"scaled to {explanation.scale}"
    scale += "" if alone else ", the same with and without the sticker"
    return [*parts, (f", {scale}{explanation.grain.caption}", False)]


def _stale(answer: Answer, desk: Desk, ask: Question | None, *, invites: bool) -> None:
    """Say quietly where the answer on the screen is not to the question above it.

    That it is another photo's or model's needs no word on how to go on, unless it `invites`.

    The picture of another model's or photo's run is dimmed, without being sent once more.
    """
    scene = answer.scene
    other_model = desk.model is not None and scene.model.id != desk.model.id
    if other_model or (desk.photo is not None and scene.photo.id != desk.photo.id):
        st.html("<style>.st-key-answer-picture { opacity: 0.45; }</style>")
    if desk.model is not None and other_model:
        before = answered_otherwise(scene.model, desk.model)
        shown = f"the last run, {before or f'on {report.quote(scene.model.name)}'}"
    elif desk.photo is not None and scene.photo.id != desk.photo.id:
        shown = f"the last run, on {report.quote(scene.photo.name)}"
    elif ask is not None and (said := changes(answer, ask)):
        shown, invites = ", ".join(said), True
    else:
        return
    way = "Press Run for what is set above" if ask else "Choose a method that serves this model"
    views.line(f"Shown: {shown}. {way}." if invites or ask is None else f"Shown: {shown}.")


def _plain(asked: str) -> str:
    kept = "".join(char if char.isascii() and char.isalnum() else "-" for char in asked)
    return "-".join(part for part in kept.split("-") if part)[:60].lower() or "map"
