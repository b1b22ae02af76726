"""The question: which class, against which, by which method, with which settings; and Run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui import forms, kept, measured, method_list, presses, text, views
from ui.desk import Desk
from ui.held import Answer, Model, Photo, Seen
from workers.tasks.explain import allowed
from xai_core.card import Card, Kind, Service
from xai_core.errors import VitrineError
from xai_core.explainer import Explainer, explainers, explaining
from xai_core.question import Question
from xai_core.report import quote
from xai_core.report.numbers import counted
from xai_core.target import ClassTarget, Target

LONG = 60.0
"""Seconds of an estimate from which the form also says when a run is stopped."""

NOTHING = -1
"""Stands for 'against nothing else' in the list of classes."""

_DRAWN = "drawn-model-and-photo"

METHOD, CHOSEN = "method", "method-chosen"
"""The method, and whether the visitor chose it: until then each model has the first that serves."""

KEYS: Mapping[Kind, str] = {"classification": METHOD, "detection": "box-method"}
CHOSEN_OF: Mapping[Kind, str] = {"classification": CHOSEN, "detection": "box-method-chosen"}
"""The same by what a model does."""


def _scope(model: Model | None, photo: Photo | None) -> str:
    return f"{model.id if model else 0}:{photo.id if photo else 0}"


def target_key(model: Model | None, photo: Photo | None) -> str:
    """Return the name under which this model's and photo's target is kept."""
    return f"target:{_scope(model, photo)}"


def top_five(desk: Desk, seen: Seen | None) -> None:
    """Draw the five likeliest classes; a click makes one the target."""
    if seen is None:
        if desk.prediction_error:
            views.error(desk.prediction_error)
        else:
            st.skeleton(height=150)
        return
    labels, prediction = seen.card.labels, seen.prediction
    aimed = target_key(seen.model, seen.photo)
    target = st.session_state.setdefault(aimed, prediction.top[0])
    key = f"bars:{_scope(seen.model, seen.photo)}"

    def chosen() -> None:
        index = st.session_state[key].chosen
        if isinstance(index, int) and 0 <= index < len(labels):
            st.session_state[aimed] = index

    shown = prediction.top[:5]
    views.bars(labels, prediction.probabilities, shown, target, key=key, on_chosen=chosen)


def target_of(seen: Seen, *, disabled: bool = False) -> ClassTarget:
    """Draw 'Why star, rather than anything else?' and return what was asked, of the score."""
    labels = text.distinct(list(seen.card.labels))
    first = seen.prediction.top[:5]
    ordered = first + [index for index in range(len(labels)) if index not in first]
    key = kept.control(target_key(seen.model, seen.photo), seen.prediction.top[0])
    with st.container(key="question", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False):
            st.html('<span class="v-ask">Why</span>', width="content")
            index = st.selectbox(
                "Class to explain",
                ordered,
                format_func=labels.__getitem__,
                key=key,
                label_visibility="collapsed",
                persist_state="session",
                disabled=disabled,
            )
        with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False):
            st.html('<span class="v-ask v-quiet">rather than</span>', width="content")
            against_key = kept.control(f"against:{_scope(seen.model, seen.photo)}")
            if st.session_state.get(against_key) == index:
                st.session_state[against_key] = NOTHING
            against = st.selectbox(
                "Class to compare with",
                [NOTHING, *(other for other in ordered if other != index)],
                format_func=lambda other: "anything else" if other == NOTHING else labels[other],
                key=against_key,
                label_visibility="collapsed",
                persist_state="session",
                disabled=disabled,
            )
    return ClassTarget(int(index), None if against == NOTHING else int(against))


def method(desk: Desk, only: type[Explainer] | None = None) -> Question | None:
    """Draw the question, the method and its controls; return what a run would do, or None.

    With `only` there is no choice of method. While another model or photo is looked at, the last
    question stays in its place and cannot be changed.
    """
    seen = desk.seen
    if seen is None or desk.prediction_error:
        return None
    waits = desk.prediction is None
    target = target_of(seen, disabled=waits or measured.chosen() == measured.UNIT)
    if said := measured.said(seen.card):
        views.line(said)
    return about(desk, seen, target, only, disabled=waits)


def about(
    desk: Desk,
    seen: Seen,
    target: Target,
    only: type[Explainer] | None = None,
    *,
    disabled: bool = False,
) -> Question | None:
    """Draw the method, its controls and Run for a target that was asked about."""
    with st.container(key="method-card", gap="small"):
        asked = _controls(seen.card, target, only, disabled=disabled)
    if asked is None:
        return None
    question, refused = asked
    _run(desk, seen.card, question, refused)  # outside: it stays in sight at the rail's end
    return question


def _controls(
    card: Card, target: Target, only: type[Explainer] | None, *, disabled: bool
) -> tuple[Question, str] | None:
    """Draw the method and its settings; return the question, and why its engine cannot serve."""
    served = card.methods
    name = _method(served, card.task, disabled=disabled) if only is None else only.name
    cls = explainers()[name]
    newer = f"{cls.title} is newer than this opened model. Open it again."
    why_not = served[name].why_not if name in served else newer
    views.line(cls.shows)
    if cls.class_agnostic:
        views.chips([(method_list.AGNOSTIC, True)])
    if why_not:
        views.line(why_not)
        return None
    front = st.container()
    # Folded on every page: each control is two stops on the keyboard's way to Run.
    with st.expander("All settings", key="all-settings"):
        asked, not_so = target, ""
        if isinstance(target, ClassTarget):
            asked, not_so = measured.show(card, target, disabled=disabled)
        engine, refused = _engine(cls, served[name].engines, disabled=disabled)
        controls = form(card, cls, engine, disabled=disabled)
        for param in controls.rest:
            controls.widget(param)
    with front:
        for param in controls.front:
            controls.widget(param)
    values = controls.values()
    return Question(method=name, engine=engine, values=values, target=asked), not_so or refused


def form(card: Card, cls: type[Explainer], engine: str, *, disabled: bool = False) -> forms.Form:
    """Return a method's controls for a model."""
    return forms.Form(
        cls,
        engine,
        size=card.input_size,
        layers=card.layers,
        default_layer=card.default_layer or "",
        scope=_form_scope(card),
        disabled=disabled,
    )


def _method(served: Mapping[str, Service], task: Kind, *, disabled: bool) -> str:
    """Draw the choice of method, those that cannot serve the model last."""
    names = method_list.ordered(served, task)
    key = kept.control(KEYS[task])
    chosen = st.session_state.get(kept.control(CHOSEN_OF[task]))
    if not chosen and st.session_state.get(key) != names[0]:  # what is set anew shuts its list
        st.session_state[key] = names[0]
    return str(
        st.selectbox(
            "Method",
            names,
            format_func=lambda name: method_list.label(name, served),
            key=key,
            persist_state="session",
            on_change=_chosen,
            args=(task,),
            disabled=disabled,
        )
    )


def preset(desk: Desk, cls: type[Explainer], values: Mapping[str, Any]) -> None:
    """Set a method's controls for the model on the desk; values beyond their range are cut to it.

    What is not given is set as the method suggests it, and the score is what is explained.
    """
    st.session_state[measured.OF] = "logit"
    if desk.model is None:
        return
    card = desk.model.card
    suggested = cls.suggest(card.input_size, values)
    for name, param in cls.declared().items():
        value = suggested.get(name, param.default)
        if param.kind == "layer":
            value = card.default_layer or ""
        value = fitting(cls, card.input_size, {name: values.get(name, value)})[name]
        st.session_state[forms.key(cls.name, name, _form_scope(card))] = value


def fitting(
    cls: type[Explainer], size: tuple[int, int], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Return values cut to the ranges that they have on a view of `size`."""
    declared, found = cls.declared(), dict(values)
    for name, value in values.items():
        if declared[name].kind in ("integer", "real"):
            low, high = forms.bounds(declared[name], size)
            found[name] = type(declared[name].default)(min(max(value, low), high))
    return found


def aim(desk: Desk, target: Target) -> None:
    """Set the controls of the target for the model and photo on the desk."""
    classes = target.classes()
    if classes:
        st.session_state[target_key(desk.model, desk.photo)] = classes[0]
        against = f"against:{_scope(desk.model, desk.photo)}"
        st.session_state[against] = classes[1] if classes[1:] else NOTHING
    if desk.model is not None:
        measured.aim(desk.model.card, target)


def restore(desk: Desk, run: Answer) -> None:
    """Set the controls as they were for a run, as far as its model and photo are on the desk."""
    question, scene, state = run.question, run.scene, st.session_state
    if desk.model is None or desk.model.id != scene.model.id:
        return
    task = scene.card.task
    state[KEYS[task]], state[CHOSEN_OF[task]] = question.method, True
    state[f"engine:{question.method}"] = run.explanation.engine
    for name, value in run.explanation.parameters.items():
        state[forms.key(question.method, name, _form_scope(scene.card))] = value
    if desk.photo is not None and desk.photo.id == scene.photo.id:
        aim(desk, question.target)


def _form_scope(card: Card) -> str:
    return f"{card.input_size[0]}x{card.input_size[1]}:{card.hash}"


def _chosen(task: Kind) -> None:
    st.session_state[CHOSEN_OF[task]] = True


def _engine(
    cls: type[Explainer], served: Mapping[str, str | None], *, disabled: bool
) -> tuple[str, str]:
    """Draw the choice of engine; return it, and why it cannot serve (or nothing)."""
    names = [engine.name for engine in cls.engines]
    key = kept.control(f"engine:{cls.name}", names[0])
    engine = st.selectbox(
        "Engine",
        names,
        key=key,
        persist_state="session",
        help="Who computes it: our own code, or the published library, for comparison.",
        disabled=disabled or len(names) == 1,
    )
    return str(engine), served.get(str(engine)) or ""


def _unseen(desk: Desk) -> str:
    """Say what has changed since this tab was drawn, and note what is drawn now."""
    model, photo = desk.model, desk.photo
    if model is None or photo is None:
        return ""
    now = model.id, photo.id
    before = st.session_state.get(_DRAWN, now)
    st.session_state[_DRAWN] = now
    said = [
        f"The {kind} was changed meanwhile, in another tab or here: it is {quote(name)} now."
        for kind, name, was, is_now in zip(
            ("model", "photo"), (model.name, photo.name), before, now, strict=True
        )
        if was != is_now
    ]
    return " ".join([*said, "Look at it and press Run again."]) if said else ""


def end(seconds: float) -> str:
    """Say when a run is stopped that is long by its estimate; nothing for a short one."""
    if seconds < LONG:
        return ""
    at = allowed(seconds)
    if seconds > at:
        return (
            f"No run may take more than {text.seconds(at)}, so this one would be stopped before "
            "its end. Change a setting that makes fewer passes."
        )
    return f"Stopped after {text.seconds(at)} at the latest, should this machine be busy meanwhile."


def quicker(card: Card, ask: Question, seconds: float) -> str:
    """Name a method that is made for few passes, where a run is long; nothing where none is."""
    if seconds < LONG:
        return ""
    for name, cls in explaining(card.task).items():
        served = card.methods.get(name)
        if not cls.quick or name == ask.method or served is None or served.why_not is not None:
            continue
        try:
            other = dataclasses.replace(ask, method=name, engine="", values={})
            cost = other.made(card.input_size).cost(card)
        except VitrineError:
            continue
        takes = card.pace.seconds(cost)
        if 2 * takes <= seconds:
            passes = counted(cost.passes, "pass", "passes")
            return f"{cls.title} is made for few passes: {passes}, {text.estimate(takes)} here."
    return ""


def _run(desk: Desk, card: Card, ask: Question, refused: str) -> None:
    """Draw Run, and begin where it was pressed, with what is asked when it is drawn."""
    unseen = _unseen(desk)
    try:
        cost = ask.made(card.input_size).cost(card)
        seconds = card.pace.seconds(cost)
        label = f"Run ({text.estimate(seconds, at_most=cost.at_most)})"
        problem = refused
        under = refused or " ".join(filter(None, (end(seconds), quicker(card, ask, seconds))))
    except VitrineError as error:
        label, problem = "Run", str(error)
        under = problem
    disabled = bool(problem) or desk.run is not None or desk.prediction is None
    if presses.button(
        label,
        type="primary",
        width="stretch",
        key="run",
        shortcut="Ctrl+Enter",
        disabled=disabled,
    ):
        if not unseen:
            desk.start(ask)
            st.rerun()
        views.error(unseen)
    views.line(under, "v-quiet v-small v-under-run")  # always there, so that Run stays put
