"""The page's address carries the question: model, photo, class, method and settings.

What a browser's own files are is never in it: `own` stands for them. It is read once, when a tab
opens, and wins then; afterwards it follows the controls, without entries in the history, which
`st.query_params` and bound widgets would add or lose while a model is on its way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from loaders import catalogue
from loaders.catalogue import Entry, Pretrained, Sample
from ui import another_model, ask, box_links, forms, measured, method_list, photo_card, views
from ui.box_links import ASKS, BOX
from ui.box_links import TARGET as TARGET
from ui.desk import Desk
from ui.grid import Picture
from ui.held import Model, Photo
from xai_core.card import Card, Wanted
from xai_core.errors import ParamError
from xai_core.explainer import Explainer, explainers, explaining
from xai_core.param import Param
from xai_core.question import Question
from xai_core.report.numbers import printable, quote
from xai_core.target import WORDS, ClassTarget, UnitTarget

MODEL, PHOTO, METHOD, ENGINE, AGAINST, OF, UNIT, PREPARED = (
    "model", "photo", "method", "engine", "against", "of", "unit", "prepared",
)  # fmt: skip
NAMES = (MODEL, PHOTO, METHOD, ENGINE, TARGET, AGAINST, OF, UNIT, BOX, ASKS, PREPARED)
OWN = "own"
"""Stands for what only the sender has."""

MOST, LONGEST, LISTED = 60, 200, 3
"""Fields that are read, characters of each, and fields that a sentence lists."""

_READ, _WAITS, _ASKS, _NOTE = "link-read", "link-waits", "link-asks", "link-note"


# -- reading ----------------------------------------------------------------------------------


def first(longest: int = LONGEST) -> dict[str, str]:
    """Return what the address asks for when a tab opens, cut to `longest`; nothing afterwards."""
    if st.session_state.get(_READ):
        return {}
    st.session_state[_READ] = True
    return {name: st.query_params[name][: longest + 1] for name in list(st.query_params)[:MOST]}


def read(desk: Desk, only: type[Explainer] | None = None) -> None:
    """Take what the address asks for: a page names this before what else it needs.

    `only` is the method of a page that has no choice of one.
    """
    state = st.session_state
    page = only.name if only is not None else ""
    if asked := first():
        state[_WAITS], state[_NOTE] = (page, asked), []
        _place(desk, asked)
    if _WAITS in state and state[_WAITS][0] != page:  # left before the model was there
        del state[_WAITS]
        state.pop(_ASKS, None)
    _follow(desk, only)


def _place(desk: Desk, asked: dict[str, str]) -> None:
    """Bring the model and the photo; where the visitor's own would go, ask first."""
    state, notes = st.session_state, st.session_state[_NOTE]
    model, photo = desk.model, desk.photo
    entry, sample = None, None
    if asked.get(MODEL) == OWN:
        if model is None or model.built_in:
            notes.append(
                "This address was made with a model file of the sender's own, which no address "
                "carries: open that file and choose its class."
            )
    elif MODEL in asked:
        entry = named(asked[MODEL], desk.wanted)
        if isinstance(entry, Pretrained) and not desk.session.holds(entry):
            notes.append(
                f"This address asks for {quote(entry.title)}, which is not on this server yet. "
                "Download it under Change model, then open the address again."
            )
            entry = None
        elif asked.get(PREPARED) == OWN and not (model is not None and by_hand(model)):
            notes.append(
                "This address was made with pre-processing or class names set by hand, which it "
                "does not carry: the answer may differ."
            )
        if entry is not None and model is not None and model.word == entry.name and model.built_in:
            entry = entry if by_hand(model) and PREPARED not in asked else None
    if asked.get(PHOTO) == OWN:
        if photo is None or sample_of(photo, desk.samples()) is not None:
            notes.append(
                "This address was made with a photo of the sender's own, which no address "
                "carries: put it here under Change photo."
            )
    elif PHOTO in asked:
        found = [each for each in desk.samples() if each.name == asked[PHOTO]]
        sample = (
            found[0]
            if found and (photo is None or sample_of(photo, desk.samples()) != found[0])
            else None
        )
    lost = (entry and model and not model.built_in) or (
        sample and photo and not sample_of(photo, desk.samples())
    )
    if lost:
        state[_ASKS] = (entry, sample)
    else:
        _bring(desk, entry, sample)


def _bring(desk: Desk, entry: Entry | Pretrained | None, sample: Sample | None) -> None:
    if isinstance(entry, Pretrained):
        desk.open_pretrained(entry)
    elif entry is not None:
        another_model.open_built_in(desk, entry)
    if sample is not None:
        photo_card.open_sample(desk, sample)


def named(name: str, wanted: Wanted = "any") -> Entry | Pretrained | None:
    """Return the model of that name that anybody can open and that does what is wanted, or None."""
    found = catalogue.find(name)
    return found if found is not None and wanted in ("any", found.task) else None


def sample_of(photo: Photo | Picture, among: Sequence[Sample] = ()) -> Sample | None:
    """Return the built-in photo that a photo is, or None."""
    every = among or catalogue.photos()
    return next((e for e in every if photo_card.word_of(e) == photo.word), None)


def _follow(desk: Desk, only: type[Explainer] | None) -> None:
    """Set the controls once the model and the photo are there; before any control is drawn."""
    state = st.session_state
    if _WAITS not in state or _ASKS in state:
        return
    coming = desk.opening is not None or desk.fetching is not None or desk.decoding is not None
    if coming or desk.model is None or desk.photo is None:
        return
    _set(desk, desk.model, state.pop(_WAITS)[1], only)


def _set(desk: Desk, model: Model, asked: Mapping[str, str], only: type[Explainer] | None) -> None:
    state, card = st.session_state, model.card
    left = {name: value for name, value in asked.items() if value != OWN or name not in NAMES}
    if MODEL in left and named(left[MODEL], desk.wanted):
        del left[MODEL]
    if left.get(PHOTO) in [sample.name for sample in desk.samples()]:
        del left[PHOTO]
    fits = _is(model, asked.get(MODEL))
    index = _index(card, asked.get(TARGET)) if fits else None
    if card.task == "detection":
        box_links.hold(desk, left, index)
    elif index is not None:
        del left[TARGET]
        against = _index(card, asked.get(AGAINST))
        if against == index:
            against = None
        if against is not None:
            del left[AGAINST]
        ask.aim(desk, ClassTarget(index, against))
    if left.get(OF) in WORDS and card.task != "detection":
        state[measured.OF] = left.pop(OF)
    unit = measured.read(card, asked[UNIT]) if UNIT in asked and fits else None
    if unit is not None:
        del left[UNIT]
        measured.aim(card, unit)
    cls = only or explaining(card.task).get(asked.get(METHOD, ""))
    if cls is not None:
        if left.get(METHOD) == cls.name:
            del left[METHOD]
        if only is None:
            state[ask.KEYS[card.task]] = cls.name
            if cls.name != method_list.ordered(card.methods, card.task)[0]:
                state[ask.CHOSEN_OF[card.task]] = True
        engine = cls.engines[0].name
        if left.get(ENGINE) in [each.name for each in cls.engines]:
            engine = left.pop(ENGINE)
        state[f"engine:{cls.name}"] = engine
        form = ask.form(card, cls, engine)
        for param in (*form.front, *form.rest):
            value = form.start[param.name]
            if param.flag[2:] in left:
                try:
                    value = _value(card, param, left[param.flag[2:]])
                    del left[param.flag[2:]]
                except ParamError:
                    pass  # it is left over, and said
            state[forms.key(cls.name, param.name, form.scope)] = value
    if left:
        state[_NOTE].append(ignored(left))
    state[_NOTE] = (" ".join(state[_NOTE]), None)


def _is(model: Model, said: str | None) -> bool:
    """Whether a model is the one that the address was made with, as far as it says."""
    if said is None:
        return True
    entry = None if said == OWN else named(said)
    return (
        model.word == entry.name
        if entry and model.built_in
        else (said == OWN and not model.built_in)
    )


def by_hand(model: Model) -> bool:
    """Whether a built-in model was opened with answers other than its own."""
    entry = named(model.word) if model.built_in else None
    return entry is not None and model.options != entry.options


def _index(card: Card, said: str | None) -> int | None:
    """Return the class of that name or number, or None."""
    if said is None:
        return None
    if card.labels.count(said) == 1:
        return card.labels.index(said)
    if said.isascii() and said.isdigit() and len(said) < 8 and int(said) < len(card.labels):
        return int(said)
    return None


def _value(card: Card, param: Param, said: str) -> Any:
    """Return a setting that the form can hold for this model. Raises ParamError."""
    value = param.parse("", said)
    good = True
    if param.kind in ("integer", "real"):
        low, high = forms.bounds(param, card.input_size)
        good = low <= value <= high
    elif param.kind == "layer":
        good = any(layer.name == value for layer in card.layers)
    if not good:
        raise param.refusal("", said)
    return value


def ignored(left: Mapping[str, str]) -> str:
    """Say what of an address does not fit."""
    words = [
        f"{printable(name)[:30]} {quote(printable(value)[:40])}"
        for name, value in list(left.items())[:LISTED]
    ]
    more = f" and {len(left) - LISTED} more" if len(left) > LISTED else ""
    return (
        f"The address also asks for what does not fit here and is ignored: {', '.join(words)}"
        f"{more}."
    )


# -- showing ----------------------------------------------------------------------------------


def note(desk: Desk) -> None:
    """Say what of the address was not taken, and ask before it costs the visitor's own files."""
    state = st.session_state
    if _ASKS in state:
        entry, sample = state[_ASKS]
        wanted = " and ".join(each.title for each in (entry, sample) if each is not None)
        views.line(
            f"The address asks for {quote(wanted)}. What you sent yourself stays until you say so."
        )
        with st.container(horizontal=True, gap="small"):
            st.button("Open it", key="link-open", on_click=_decided, args=(desk, True))
            st.button("Keep mine", key="link-keep", on_click=_decided, args=(desk, False))
    elif isinstance(state.get(_NOTE), tuple) and state[_NOTE][0]:
        views.line(state[_NOTE][0])


def _decided(desk: Desk, opens: bool) -> None:
    entry, sample = st.session_state.pop(_ASKS)
    if opens:
        _bring(desk, entry, sample)


def show(desk: Desk, question: Question | None, *, alone: bool = False) -> None:
    """Let the browser's address follow what is set; `alone` where the page is of one method."""
    state = st.session_state
    if _WAITS in state or desk.looks:
        return  # what the address asks for stays in it until the page can say the same
    query = address(desk, question, alone=alone)
    held = state.get(_NOTE)
    if isinstance(held, tuple) and question is not None:  # it goes with what it was said of
        state[_NOTE] = (held[0] if held[1] in (None, query) else "", query)
    put(query)


def put(query: str) -> None:
    """Let the browser's address carry this query."""
    mount = views.component("address", '<div class="address"></div>')
    mount(key="address", data={"query": query})


def address(desk: Desk, question: Question | None, *, alone: bool = False) -> str:
    """Return the query of an address that asks this question again."""
    found: dict[str, str] = {}
    model, photo = desk.opening or desk.model, desk.photo
    if model is not None:
        known = model.built_in and named(model.word) is not None
        found[MODEL] = model.word if known else OWN
        if known and by_hand(model):
            found[PREPARED] = OWN
    if photo is not None and desk.decoding is None:
        sample = sample_of(photo, desk.samples())
        found[PHOTO] = sample.name if sample is not None else OWN
    # while the model is still looking, the question is to what it has seen before
    if question is not None and model is not None and desk.prediction and model is desk.model:
        found |= _asked(model, question) | box_links.words(desk, question.target)
        if alone:
            del found[METHOD]
    return urlencode(found)


def _asked(model: Model, question: Question) -> dict[str, str]:
    card, cls = model.card, explainers()[question.method]
    words = [word_of_class(model, index) for index in question.target.classes()]
    found = dict(zip((TARGET, AGAINST), words, strict=False))
    if isinstance(question.target, UnitTarget):
        found[UNIT] = question.target.word
    if question.target.of != "logit":
        found[OF] = question.target.of
    found[METHOD] = cls.name
    if question.engine != cls.engines[0].name:
        found[ENGINE] = question.engine
    start = ask.form(card, cls, question.engine).start
    for name, param in cls.declared().items():
        if name in question.values and question.values[name] != start.get(name):
            found[param.flag[2:]] = param.word(question.values[name])
    return found


def word_of_class(model: Model, index: int) -> str:
    """Return what names a class: no name that is the visitor's own."""
    label = model.card.labels[index]
    plain = model.built_in and not by_hand(model) and len(label) <= LONGEST and not label.isdigit()
    return label if plain and model.card.labels.count(label) == 1 else str(index)


def said(desk: Desk) -> str:
    """Say what the address of this page carries, and what it cannot."""
    words = ["The address of this page opens the question as it is set here."]
    model, photo = desk.model, desk.photo
    own = []
    if model is not None and not model.built_in:
        own.append("model file")
    if photo is not None and sample_of(photo, desk.samples()) is None:
        own.append("photo")
    if own:
        words.append(f"Your {' and your '.join(own)} cannot be in it: send what it needs along.")
    elif model is not None and by_hand(model):
        words.append("Pre-processing and class names that were set by hand are not in it.")
    return " ".join(words)
