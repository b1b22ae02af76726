"""A method's page: how it works, live, where it misleads. Each page's own file names the method."""

from __future__ import annotations

import streamlit as st

from loaders import catalogue
from loaders.catalogue import Entry, Pretrained
from ui import (
    answer,
    ask,
    compared,
    formula,
    grid,
    grid_form,
    guess,
    jobs,
    links,
    measured,
    model_card,
    page,
    photo_card,
    presses,
    preview,
    recorded,
    strip,
    text,
    twins,
    views,
)
from ui.desk import Desk
from ui.grid import Ask, Network, Picture
from ui.held import Answer, Photo
from xai_core import augment
from xai_core.card import Card
from xai_core.errors import ParamError
from xai_core.explainer import Explainer, explainers
from xai_core.lesson import Experiment, Lesson, Preset, aside_of, lesson_of
from xai_core.report import quote
from xai_core.target import WORDS, Of

WATCH, SLOT = "preset-watch", "experiment:"


def show(cls: type[Explainer]) -> None:
    """Draw the page of a method."""
    told = lesson_of(cls.name)
    if told is None:
        raise ValueError(f"there is no lesson on {cls.name}")
    needs = (lambda desk: links.read(desk, cls), page.MODEL, page.PHOTO)
    with page.opened(cls.title, told.know, needs=needs, bench=True) as here:
        desk = here.desk
        twins.follow(desk)
        with here.rail():
            links.note(desk)
            with st.container(gap="xsmall"):
                model_card.show(desk, brief=True)
            with st.container(gap="xsmall"):  # its lines come and go, what follows stays put
                photo_card.show(desk, lambda seen: ask.top_five(desk, seen))
            _presets(desk, cls, told)
            asked = ask.method(desk, only=cls)
            links.show(desk, asked, alone=True)
        with here.stage():
            here.place_progress()
            with st.container():
                if desk.run_note:
                    views.line(desk.run_note)
            shown = own(desk, cls)
            if desk.run is None and shown is not None:
                answer.show(shown, desk, asked, invites=False)  # this visit's runs stand below
            strip.show(desk, shows=lambda run: run.explanation.method == cls.name)
            preview.show(desk, cls, asked)
            _story(desk, cls, told, shown)
            guess.show(desk)
            _experiments(desk, cls, "Try it side by side", told.experiments)
            _experiments(desk, cls, "Where it misleads", told.traps)
            if desk.run is None and shown is not None:
                answer.more(shown, desk)
                views.line(links.said(desk))
            jobs.announce(desk)


def own(desk: Desk, cls: type[Explainer]) -> Answer | None:
    """Return the run that is shown where it is this method's, else its latest on this model."""
    if desk.answer is not None and desk.answer.explanation.method == cls.name:
        return desk.answer
    runs = [
        run
        for run in desk.runs
        if run.explanation.method == cls.name
        and (desk.model is None or run.scene.model.id == desk.model.id)
    ]
    return runs[-1] if runs else None


def _presets(desk: Desk, cls: type[Explainer], told: Lesson) -> None:
    """Draw the presets, and what to watch after one was chosen."""
    if not told.presets or desk.model is None:
        return
    views.line("Presets", "v-label")
    with st.container(horizontal=True, gap="small", key="presets"):
        for preset in told.presets:
            st.button(
                preset.title,
                key=f"preset-{preset.title}",
                on_click=_set,
                args=(desk, cls, preset),
            )
    watched: dict[str, str] = st.session_state.get(WATCH, {})
    if cls.name in watched:
        views.line(watched[cls.name])


def _set(desk: Desk, cls: type[Explainer], preset: Preset) -> None:
    ask.preset(desk, cls, preset.values)
    st.session_state[WATCH] = st.session_state.get(WATCH, {}) | {cls.name: preset.watch}


def _story(desk: Desk, cls: type[Explainer], told: Lesson, shown: Answer | None) -> None:
    """Draw the method in four sentences beside its recording, and its formula."""
    views.title("How it works")
    items = "".join(f"<li>{text.emphasised(sentence)}</li>" for sentence in told.sentences)
    listed = f'<ol class="v-told">{items}</ol>'
    if shown is not None:
        st.html(listed)
        views.line(_written_out(desk, shown))
        formula.show(told, shown.explanation, shown.scene.prediction.view, f"run-{shown.id}")
        return
    with st.container(horizontal=True, gap="medium", key="story"):
        with st.container(key="story-told"):
            st.html(listed)
            formula.show(told, None, None, f"lesson-{cls.name}")
            if not len(desk.runs):
                views.line("Press Run, and the formula is written out with each place's numbers.")
        if recorded.has(cls.name):
            with st.container(key="story-played"):
                recorded.play(cls.name)


def _written_out(desk: Desk, shown: Answer) -> str:
    """Say of which run the numbers are that the formula is written out with."""
    made = shown.explanation
    kept = desk.runs.find(shown.id)
    run = "a run" if kept is None else f"run {desk.runs.number(kept)}"
    return (
        f"The numbers are those of {run}: {explainers()[made.method].title} for "
        f"{made.target.words(shown.scene.card.labels)}, on {quote(shown.scene.photo.name)}."
    )


def _experiments(
    desk: Desk, cls: type[Explainer], heading: str, experiments: tuple[Experiment, ...]
) -> None:
    """Draw experiments, each with the button that runs it and what came of it."""
    if not experiments:
        return
    views.title(heading)
    for each in experiments:
        slot = f"{SLOT}{cls.name}:{each.title}"
        views.line(f"\u201c{each.title}.\u201d {each.sentence}", "v-prose")
        if each.networks:
            views.line(_named(desk, each))
        if desk.model is not None:
            views.line(_explains(each, desk.model.card))
        work = desk.slots.work(slot)
        ready = desk.model is not None and desk.photo is not None
        if presses.button("Run side by side", key=slot, disabled=work is not None or not ready):
            try:
                _begin(desk, cls, each, slot)
            except ParamError as error:
                views.error(str(error))
            else:
                st.rerun()
        if work is not None:
            grid_form.under_way(desk, work)
        made = grid.of(desk, slot)
        if made is not None:
            views.line(each.watch)
            # a changed photo has a row of its own
            rows = bool(each.variants)
            columns = len(made.asks) + 1 if rows else min(len(made.cells), 3)
            heads = grid_form.heads(made, photos=True) if rows else compared.NO_HEADS
            panels = grid_form.panels(desk, made, photos=rows)
            compared.show(panels, columns=columns, heads=heads)
            _asides(made)


def _asides(made: grid.Grid) -> None:
    """Draw what the methods of some runs have to show beside their maps."""
    for cell in made.cells:
        if cell.answer is None:
            continue
        explanation, view = cell.answer.explanation, cell.answer.scene.prediction.view
        shown = aside_of(explanation, view)
        if shown:
            views.line(cell.ask.title, "v-label")
            preview.pictures(shown)


def _of() -> Of:
    """Return the number of a class that experiments explain: as set, and the score for a unit."""
    chosen = measured.chosen()
    return "logit" if chosen == measured.UNIT else chosen


def _explains(each: Experiment, card: Card) -> str:
    """Say what the runs of an experiment explain."""
    whose = "each network's" if each.networks else "the model's"
    said = f"Explained is {whose} first answer"
    if any(trial.of for trial in each.made(card)):
        return f"{said}."
    unit = ", and not the unit that is set" if measured.chosen() == measured.UNIT else ""
    return f"{said}, by its {WORDS[_of()]}{unit}."


def _entries(desk: Desk, each: Experiment) -> list[Entry | Pretrained]:
    """Return the first set of an experiment's networks whose files are there."""
    for names in each.networks:
        found = [entry for entry in map(catalogue.find, names) if entry is not None]
        there = all(isinstance(e, Entry) or desk.session.holds(e) for e in found)
        if there and len(found) == len(names):
            return found
    return []


def _named(desk: Desk, each: Experiment) -> str:
    """Say which networks an experiment runs on, and how to get those that it would rather have."""
    used = [grid_form.called(entry) for entry in _entries(desk, each)]
    said = f"The networks: {text.listed(used)}." if used else "None of its networks is here."
    wanted = [entry for entry in map(catalogue.find, each.networks[0]) if entry is not None]
    if [grid_form.called(entry) for entry in wanted] == used or not wanted:
        return said
    names = text.listed([grid_form.called(entry) for entry in wanted])
    return f"{said} With {names}, downloaded under Change model, it runs on those."


def _begin(desk: Desk, cls: type[Explainer], each: Experiment, slot: str) -> None:
    """Run an experiment on the model and photo that are there. Raises ParamError."""
    model, photo = desk.model, desk.photo
    if model is None or photo is None:
        return
    size = model.card.input_size
    asks = [
        Ask((trial.method or cls).name, ask.fitting(trial.method or cls, size, trial.values),
            trial.called, trial.of or _of())
        for trial in each.made(model.card)
    ]  # fmt: skip
    pictures = [Picture(photo.name, photo.word, photo=photo)]
    for name in each.variants:
        changed = augment.CHANGES[name](photo.pixels)
        made = Photo(f"{photo.name}, {name}", "", changed)
        pictures.append(Picture(made.name, "", photo=made))
    for other in [key for key in desk.results if key.startswith(SLOT) and key != slot]:
        grid.stop(desk, other)
        desk.results.pop(other, None)  # one experiment's runs are kept, not all of a visit's
    networks = [Network(model.name, model=model)]
    if each.networks:
        entries = _entries(desk, each)
        networks = [grid_form.network(grid_form.called(entry), entry) for entry in entries]
    grid.begin(desk, networks, pictures, asks, slot=slot)
