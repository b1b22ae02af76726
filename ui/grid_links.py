"""The address of a grid: its models, photos and methods by their own names, and the class.

As with a single question it is read once, when a tab opens, and carries nothing of the visitor's
own. It opens nothing: a grid brings its models and photos when it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import streamlit as st

from loaders import catalogue
from ui import grid_form, links, views
from ui.desk import Desk
from ui.grid import MOST, Network, Picture
from ui.strip import GRID, WHAT
from xai_core.explainer import explainers

MODELS, PHOTOS, METHODS = "models", "photos", "methods"

LONGEST = 600
"""Characters of a field that are read: names of as many models, photos or methods as a grid has."""

_WAITS, _NOTE = "grid-link-waits", "grid-link-note"


def read(desk: Desk) -> None:
    """Take what the address asks for: a page names this before what else it needs."""
    state = st.session_state
    if asked := links.first(LONGEST):
        state[_WAITS] = asked
        state[WHAT] = GRID
    if _WAITS in state and desk.model is not None and desk.photo is not None:
        _set(desk, state.pop(_WAITS))


def _set(desk: Desk, asked: Mapping[str, str]) -> None:
    """Set the controls, before any of them is drawn; what does not fit is said."""
    state, left, notes = st.session_state, dict(asked), []
    models = {entry.name: grid_form.called(entry) for entry in grid_form.entries(desk)}
    photos = {sample.name: sample.title for sample in catalogue.photos()}
    methods = {name: name for name in explainers()}
    fields = ((MODELS, models, "grid-models"), (PHOTOS, photos, "grid-photos"),
              (METHODS, methods, "grid-methods"))  # fmt: skip
    for field, known, key in fields:
        if field not in left:
            continue
        words = left.pop(field).split(",")[: MOST + 1]
        found = [known[word] for word in dict.fromkeys(words) if word in known][:MOST]
        if found:
            state[key] = found
        unknown = [word for word in words if word not in known and word != links.OWN]
        if unknown:
            left[field] = ",".join(unknown)
        if links.OWN in words:
            notes.append(
                f"This address was made with {field} of the sender's own, which no address carries."
            )
    if left.get(links.PREPARED) == links.OWN:
        del left[links.PREPARED]
        notes.append(
            "It was made with pre-processing or class names set by hand, which it does not carry: "
            "the answers may differ."
        )
    wanted = left.get(links.TARGET)
    if wanted is not None and wanted in grid_form.classes(desk):
        state["grid-class"] = left.pop(links.TARGET)
    if left:
        notes.append(links.ignored(left))
    state[_NOTE] = (" ".join(notes), None)


def show(
    desk: Desk,
    networks: Sequence[Network],
    photos: Sequence[Picture],
    methods: Sequence[str],
    wanted: str,
) -> None:
    """Let the browser's address follow what is set, and say what of it was not taken."""
    state = st.session_state
    if _WAITS in state:
        return
    query = address(desk, networks, photos, methods, wanted)
    said, of = state.get(_NOTE, ("", None))
    state[_NOTE] = (said if of in (None, query) else "", query)
    if state[_NOTE][0]:
        views.line(state[_NOTE][0])
    links.put(query)


def address(
    desk: Desk,
    networks: Sequence[Network],
    photos: Sequence[Picture],
    methods: Sequence[str],
    wanted: str,
) -> str:
    """Return the query of an address that sets this grid again."""
    known = {grid_form.called(entry): entry.name for entry in grid_form.entries(desk)}
    models, by_hand = [], False
    for each in networks:
        if each.model is not None and not each.model.built_in:
            models.append(links.OWN)
            continue
        models.append(known.get(each.name, links.OWN))
        by_hand = by_hand or (each.model is not None and links.by_hand(each.model))
    samples = [links.sample_of(each) for each in photos]
    found = {
        MODELS: models,
        PHOTOS: [links.OWN if each is None else each.name for each in samples],
        METHODS: list(methods),
    }
    query = {field: ",".join(dict.fromkeys(words)) for field, words in found.items() if words}
    model = desk.model
    if wanted and model is not None and wanted in model.card.labels:
        word = links.word_of_class(model, model.card.labels.index(wanted))
        if word == wanted:  # a name of the visitor's own stays here
            query[links.TARGET] = word
    if by_hand:
        query[links.PREPARED] = links.OWN
    return urlencode(query, safe=",")
