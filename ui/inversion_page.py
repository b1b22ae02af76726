"""The parts of the page on inversion: what is asked, and the pictures that come of it."""

from __future__ import annotations

import json
from typing import Any, cast

import numpy as np
import streamlit as st

from ui import ask, forms, inversion_runs, kept, measured, player, presses, text, views
from ui.desk import Desk
from ui.held import Seen
from ui.inversion_runs import Asked, Kind, Made
from xai_core import params, render
from xai_core.errors import VitrineError
from xai_core.explainer import Explainer
from xai_core.probes.inversion import MOST_LAYERS, Invert
from xai_core.probes.inversion_words import suggested
from xai_core.probes.maximisation import Maximise
from xai_core.task import Task

KIND, LAYERS = "picture-kind", "picture-layers"
TITLES: dict[Kind, str] = {
    "layers": "What layers know",
    "target": "A class or unit",
}
MEANS: dict[Kind, str] = {
    "layers": "From noise, a picture is made for each layer whose code there matches the "
    "photo\u2019s: what the layer has thrown away is missing from it, or made up.",
    "target": "From noise, a picture is made that raises one number of the model as far as it "
    "goes.",
}
NO_LAYERS = (
    "This model shows no layer whose output is a map, so there is no code to match. Ask what a "
    "class answers to instead."
)


class _Declared:
    """A task's declared parameters, as a form reads a method's."""

    def __init__(self, task: type[Task]) -> None:
        self.name, self._task = task.name, task

    def declared(self) -> dict[str, params.Param]:
        """Return the parameters by name."""
        return params.declared(self._task)

    def suggest(self, size: tuple[int, int]) -> dict[str, Any]:
        """Return nothing: the declared values serve any view."""
        return {}


def question(desk: Desk) -> Kind:
    """Draw what is asked, and Run; return which kind it is."""
    key = kept.control(KIND, "layers")
    found = st.segmented_control(
        "Picture of",
        list(TITLES),
        format_func=TITLES.__getitem__,
        key=key,
        required=True,
        persist_state="session",
    )
    kind: Kind = found or "layers"
    views.line(MEANS[kind])
    seen = desk.seen
    if seen is None or desk.prediction_error:
        return kind
    waits = desk.prediction is None
    try:
        asked = (_layers if kind == "layers" else _target)(desk, seen, waits)
    except VitrineError as error:
        views.error(str(error))
        asked = None
    running = inversion_runs.SLOTS[kind] in desk.slots.names()
    label = "Run"
    if asked is not None:
        card = seen.card
        # an early layer takes less: what follows it is not run
        label = f"Run (at most {text.seconds(card.pace.seconds(asked.task.cost(card)))})"
    if (
        presses.button(
            label,
            type="primary",
            width="stretch",
            key="run",
            shortcut="Ctrl+Enter",
            disabled=asked is None or waits or running,
        )
        and asked is not None
    ):
        inversion_runs.begin(desk, asked)
        st.rerun()
    return kind


def _layers(desk: Desk, seen: Seen, waits: bool) -> Asked | None:
    rows = {layer.name: layer for layer in seen.card.layers}
    if not rows:
        views.line(NO_LAYERS)
        return None
    key = kept.control(f"{LAYERS}:{seen.card.hash}", list(suggested(seen.card.layers)))
    with st.container(key="question"):  # where the skip link leads
        chosen = st.multiselect(
            "Layers",
            list(rows),
            format_func=lambda name: (
                f"{name} ({rows[name].map_size[0]} x {rows[name].map_size[1]})"
            ),
            key=key,
            max_selections=MOST_LAYERS,
            disabled=waits,
            persist_state="session",
        )
    values = _form(Invert, seen, waits)
    if not chosen:
        views.line("Choose at least one layer.")
        return None
    ordered = tuple(sorted(chosen, key=list(rows).index))
    task = Invert(pixels=seen.photo.pixels, layers=ordered, **values)
    return Asked("layers", task, seen.model, seen.photo)


def _target(desk: Desk, seen: Seen, waits: bool) -> Asked:
    target: Any = ask.target_of(seen, disabled=waits or measured.chosen() == measured.UNIT)
    if said := measured.said(seen.card):
        views.line(said)
    with st.expander("All settings", key="all-settings"):
        target, _ = measured.show(seen.card, target, disabled=waits)
        values = _widgets(Maximise, seen, waits, front=False)
    values |= _widgets(Maximise, seen, waits, front=True)
    task = Maximise(target=target, pixels=seen.photo.pixels, **values)
    return Asked("target", task, seen.model, seen.photo)


def _form(task: type[Task], seen: Seen, waits: bool) -> dict[str, Any]:
    values = _widgets(task, seen, waits, front=True)
    with st.expander("All settings", key="all-settings"):
        return values | _widgets(task, seen, waits, front=False)


def _widgets(task: type[Task], seen: Seen, waits: bool, *, front: bool) -> dict[str, Any]:
    """Draw a task's controls in sight, or the others; return all values."""
    form = forms.Form(
        cast("type[Explainer]", _Declared(task)),
        "",
        size=seen.card.input_size,
        layers=(),
        default_layer="",
        scope=f"{seen.card.input_size[0]}x{seen.card.input_size[1]}",
        disabled=waits,
    )
    # one in sight: each control is up to two stops on the keyboard's way to Run
    for param in form.front[:1] if front else [*form.front[1:], *form.rest]:
        form.widget(param)
    return form.values()


def shown(desk: Desk, kind: Kind) -> None:
    """Draw what came of the last run of a kind, or what Run would give."""
    slot = inversion_runs.SLOTS[kind]
    if note := desk.notes.get(slot):
        views.error(note) if note != "Cancelled." else views.line(note)
    made = inversion_runs.of(desk, kind)
    if made is None:
        if slot not in desk.slots.names():
            views.line(
                "Press Run: the picture grows out of noise, and is played step by step.",
                "v-empty v-quiet",
            )
        return
    _answer(desk, made)


def _answer(desk: Desk, made: Made) -> None:
    asked = made.asked
    views.title(f"{inversion_runs.HEADS[asked.kind]}: {asked.photo.name}, {asked.model.name}")
    if made.film is not None:
        number = f"picture-{id(made)}"
        player.show(
            "film",
            number,
            made.film,
            take=lambda kind: inversion_runs.file(desk, made, kind),
            stem="pictures",
        )
    elif made.film_note:
        views.error(made.film_note)
    captions = [made.under(at) for at in range(len(made.pictures))]
    pictures = made.pictures
    if asked.kind == "layers":
        captions.insert(0, "The photo, as the model gets it")
        pictures = np.concatenate([made.result.photo[None], pictures])
    inversion_runs.pictures(pictures, captions)
    for sentence in made.sentences:
        views.line(sentence, "v-prose")
    views.doubts([made.doubt], "Run it again with another start (the seed) and compare.")
    _files(made)


def _files(made: Made) -> None:
    with st.container(horizontal=True, gap="small", key="downloads"):
        for at, name in enumerate(made.asked.names):
            st.download_button(
                f"PNG of {text.markdown(name)}" if len(made.pictures) > 1 else "PNG",
                lambda at=at: render.png(made.pictures[at]),  # type: ignore[misc]
                f"picture-{at + 1}.png",
                "image/png",
                on_click="ignore",
                key=f"picture-png-{at}",
            )
        st.download_button(
            "Report",
            lambda: inversion_runs.report(made),
            "pictures.html",
            "text/html",
            on_click="ignore",
            key="picture-report",
            help="One page with all of it, to read without a network and to print.",
        )
        st.download_button(
            "JSON",
            lambda: json.dumps(made.record, indent=2, ensure_ascii=False, allow_nan=False),
            "pictures.json",
            "application/json",
            on_click="ignore",
            key="picture-json",
        )
