"""The question: which class, against which, by which method, with which settings; and Run."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from ui import forms, kept, method_list, text, views
from ui.desk import Desk
from ui.held import Model
from xai_core.errors import VitrineError
from xai_core.explainer import Explainer, explainers
from xai_core.question import Question
from xai_core.target import ClassTarget

NOTHING = -1
"""Stands for 'against nothing else' in the list of classes."""

METHOD, CHOSEN = "method", "method-chosen"
"""The method, and whether the visitor chose it: until then each model has the first that serves."""


def _scope(desk: Desk) -> str:
    model, photo = desk.model, desk.photo
    return f"{model.id if model else 0}:{photo.id if photo else 0}"


def target_key(desk: Desk) -> str:
    """Return the name under which this model's and photo's target is kept."""
    return f"target:{_scope(desk)}"


def top_five(desk: Desk) -> None:
    """Draw the five likeliest classes; a click makes one the target."""
    prediction, model = desk.prediction, desk.model
    if prediction is None or model is None:
        views.line("What the model says", "v-label")
        if desk.prediction_error:
            views.error(desk.prediction_error)
        else:
            st.skeleton(height=150)
        return
    views.line("The model says (choose the class to explain)", "v-label")
    target = st.session_state.setdefault(target_key(desk), prediction.top[0])
    key = f"bars:{_scope(desk)}"

    def chosen() -> None:
        index = st.session_state[key].chosen
        if isinstance(index, int) and 0 <= index < len(model.card.labels):
            st.session_state[target_key(desk)] = index

    shown = prediction.top[:5]
    views.bars(
        model.card.labels, prediction.probabilities, shown, target, key=key, on_chosen=chosen
    )


def question(desk: Desk) -> ClassTarget:
    """Draw 'Why star, against nothing else?' and return what was asked."""
    prediction, model = desk.prediction, desk.model
    if prediction is None or model is None:
        raise ValueError("there is no prediction to ask about")
    labels = text.distinct(list(model.card.labels))
    first = prediction.top[:5]
    ordered = first + [index for index in range(len(labels)) if index not in first]
    key = kept.control(target_key(desk), prediction.top[0])
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="question"):
        st.html('<span class="v-ask">Why</span>', width="content")
        index = st.selectbox(
            "Class to explain",
            ordered,
            format_func=labels.__getitem__,
            key=key,
            label_visibility="collapsed",
            persist_state="session",
            width=240,
        )
        st.html('<span class="v-ask">against</span>', width="content")
        against_key = kept.control(f"against:{_scope(desk)}")
        if st.session_state.get(against_key) == index:
            st.session_state[against_key] = NOTHING
        against = st.selectbox(
            "Class to compare with",
            [NOTHING, *(other for other in ordered if other != index)],
            format_func=lambda other: "nothing else" if other == NOTHING else labels[other],
            key=against_key,
            label_visibility="collapsed",
            persist_state="session",
            width=240,
        )
        st.html('<span class="v-ask">?</span>', width="content")
    return ClassTarget(int(index), None if against == NOTHING else int(against))


def method(desk: Desk) -> Question | None:
    """Draw the question, the method and its controls; return what a run would do, or None."""
    model = desk.model
    if model is None or desk.prediction is None:
        return None
    target = question(desk)
    with st.container(border=True, key="method-card"):
        return _controls(desk, model, target)


def _controls(desk: Desk, model: Model, target: ClassTarget) -> Question | None:
    known = explainers()
    served = model.card.methods
    names = method_list.ordered(served)
    key = kept.control(METHOD)
    if not st.session_state.get(kept.control(CHOSEN)):
        st.session_state[key] = names[0]
    row = st.columns([3, 2, 2], vertical_alignment="bottom", wrap=True)
    with row[0]:
        name = st.selectbox(
            "Method",
            names,
            format_func=lambda name: method_list.label(name, served),
            key=key,
            persist_state="session",
            on_change=_chosen,
        )
    cls = known[name]
    why_not = served[name].why_not if name in served else f"{cls.title} came after this model."
    views.line(cls.shows)
    if why_not:
        views.line(why_not)
        return None
    with row[1]:
        engine, refused = _engine(cls, served[name].engines)
    form = forms.Form(
        cls,
        engine,
        size=model.card.input_size,
        layers=model.card.layers,
        default_layer=model.card.default_layer or "",
        scope=f"{model.card.input_size[0]}x{model.card.input_size[1]}:{model.card.hash}",
    )
    if form.front:
        weights = [3.0] * len(form.front) + ([1.4] if form.rest else [])
        places = st.columns(weights, vertical_alignment="bottom", wrap=True)
        for place, param in zip(places, form.front, strict=False):
            with place:
                form.widget(param)
        if form.rest:
            with places[-1], st.popover("More", width="stretch"):
                for param in form.rest:
                    form.widget(param)
    ask = Question(method=name, engine=engine, values=form.values(), target=target)
    with row[2]:
        _run(desk, model, ask, refused)
    return ask


def _chosen() -> None:
    st.session_state[CHOSEN] = True


def _engine(cls: type[Explainer], served: Mapping[str, str | None]) -> tuple[str, str]:
    """Draw the choice of engine; return it, and why it cannot serve (or nothing)."""
    names = [engine.name for engine in cls.engines]
    key = kept.control(f"engine:{cls.name}", names[0])
    engine = st.selectbox(
        "Engine",
        names,
        key=key,
        persist_state="session",
        help="Who computes it: our own code, or the published library, for comparison.",
        disabled=len(names) == 1,
    )
    return str(engine), served.get(str(engine)) or ""


def _run(desk: Desk, model: Model, ask: Question, refused: str) -> None:
    try:
        cost = ask.made(model.card.input_size).cost(model.card)
        expected = text.estimate(model.card.pace.seconds(cost))
        label, problem = f"Run ({expected})", refused
    except VitrineError as error:
        label, problem = "Run", str(error)
    # Not by a callback: its arguments would be the last run's, without a slider just moved.
    if st.button(
        label,
        type="primary",
        width="stretch",
        key="run",
        disabled=bool(problem) or desk.run is not None,
    ):
        desk.start(ask)
        st.rerun()
    if problem:
        views.line(problem)
