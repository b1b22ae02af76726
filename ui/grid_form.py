"""What a grid compares: which networks, photos and methods, and which class in all of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from loaders import catalogue
from ui import compared, grid, jobs, kept, method_list, photo_card, presses, text, twins, views
from ui.compared import Panel
from ui.desk import Desk
from ui.grid import MOST, Network, Picture
from ui.held import Model
from ui.slots import Work
from workers.client import Session
from xai_core.errors import ParamError
from xai_core.explainer import explainers
from xai_core.report.numbers import counted

FIRST = ""
"""Stands for each model's own first answer in the list of classes."""

PHOTO = "The photo"
"""Heads the column of photos alone."""

Shown = Callable[[Desk, Sequence[Network], Sequence[Picture], Sequence[str], str], None]
"""Is told what the form is set to."""


def draw(desk: Desk, shown_to: Shown) -> None:
    """Draw the form and its button, once there is a model and a photo to begin with."""
    if desk.model is None or desk.photo is None:
        for error in (desk.model_error, desk.photo_error):
            if error:
                views.error(error)
        st.skeleton(height=300)
        return
    networks, photos = _networks(desk), _photos(desk)
    chosen = _many("Models", networks, "grid-models", _first_networks(desk, networks))
    photos |= _added()  # from the box below
    shown = _many("Photos", photos, "grid-photos", _first_photos(desk, photos))
    titles = {name: cls.title for name, cls in explainers().items()}
    names = method_list.ordered(desk.model.card.methods)
    methods = _many(
        "Methods",
        names,
        "grid-methods",
        method_list.apart(desk.model.card.methods),
        called=titles.__getitem__,
        about="Each with its own settings as they are suggested for the model.",
    )
    with st.expander("Add photos", key="grid-add"):
        st.file_uploader(
            "They join the list above, for this grid",
            accept_multiple_files=True,
            key="grid-files",
        )
    with st.container(key="question"):
        wanted = st.selectbox(
            "Why",
            [FIRST, *classes(desk)],
            format_func=lambda name: name or "each model's first answer",
            key=kept.control("grid-class"),
            persist_state="session",
            help="The class that is explained, by its name, in every model.",
        )
    shown_to(
        desk,
        [networks[name] for name in chosen],
        [photos[name] for name in shown],
        methods,
        str(wanted or ""),
    )
    count = len(chosen) * len(shown) * len(methods)
    under_way = desk.slots.work(grid.SLOT) is not None
    if presses.button(
        f"Run all ({counted(count, 'run')})",
        key="run-grid",
        type="primary",
        width="stretch",
        disabled=under_way or not 1 <= count <= MOST,
        shortcut="Ctrl+Enter",
    ):
        try:
            grid.begin(
                desk,
                [networks[name] for name in chosen],
                [photos[name] for name in shown],
                [grid.Ask(name) for name in methods],
                str(wanted or ""),
            )
        except ParamError as error:
            views.error(str(error))
        else:
            st.rerun()
    if count > MOST:
        views.line(f"At most {MOST} runs at once: take fewer models, photos or methods.")
    elif count == 0:
        views.line("Choose at least one model, one photo and one method.")


def _many(
    title: str,
    options: Collection[str],
    key: str,
    first: Sequence[str],
    *,
    called: Callable[[str], str] = text.markdown,
    about: str | None = None,
) -> list[str]:
    """Draw a choice of several; what is no longer there is let go."""
    held = st.session_state.get(key)
    if held is not None:
        st.session_state[key] = [name for name in held if name in options]
    return st.multiselect(
        title,
        list(options),
        format_func=called,
        key=kept.control(key, list(first)),
        help=about,
        persist_state="session",
    )


def _networks(desk: Desk) -> dict[str, Network]:
    """List the models by what they are called: the one on the desk first, then what is built in."""
    found: dict[str, Network] = {}
    if desk.model is not None:
        found[desk.model.name] = Network(desk.model.name, model=desk.model)
    for entry in entries(desk):
        name = called(entry)
        if name not in found:
            found[name] = network(name, entry)
    return found


def entries(desk: Desk) -> list[catalogue.Entry | catalogue.Pretrained]:
    """List what is built in, and the published models that are on this server."""
    published = [each for each in catalogue.pretrained() if each.task == desk.wanted]
    held = [each for each in published if desk.session.holds(each)]
    return [*catalogue.models(), *held]


def network(name: str, entry: catalogue.Entry | catalogue.Pretrained) -> Network:
    """Return a built-in or published model, to be opened when its turn comes."""

    def opened(session: Session, path: Path | None) -> Model:
        place = entry.path if isinstance(entry, catalogue.Entry) else path
        assert place is not None  # noqa: S101 - a published model's file was fetched first
        handle = session.open(place, entry.options, name=name, trusted_path=True)
        about = entry.trained_on if isinstance(entry, catalogue.Entry) else entry.about
        return Model(name, entry.name, place, entry.options, handle, about, built_in=True)

    if isinstance(entry, catalogue.Entry):
        return Network(name, opened=opened)
    return Network(name, opened=opened, fetch=lambda session: session.fetch(entry))


def called(entry: catalogue.Entry | catalogue.Pretrained) -> str:
    """Return what a model of the catalogue is called in a list."""
    if isinstance(entry, catalogue.Pretrained):
        return f"{entry.title} ({entry.library})"
    return entry.title


def _first_networks(desk: Desk, networks: dict[str, Network]) -> list[str]:
    """Return what is compared at first: the model on the desk and one that knows its classes."""
    if desk.model is None:
        return list(networks)[:1]
    labels = desk.model.card.labels
    alike = [called(each) for each in catalogue.models() if each.classes == labels]
    others = [name for name in alike if name != desk.model.name and name in networks]
    return [desk.model.name, *others[:1]]


def _photos(desk: Desk) -> dict[str, Picture]:
    """List the photos by name: the one on the desk, those of the kept runs, what is built in."""
    found: dict[str, Picture] = {}
    seen: set[int] = set()
    held = [desk.photo, *(run.scene.photo for run in reversed(list(desk.runs)))]
    for photo in held:
        if photo is not None and photo.id not in seen:
            seen.add(photo.id)
            known = found.get(photo.name)
            if known is not None and known.word == photo.word and desk.photo is not photo:
                continue  # the same built-in photo, or one that was sent again
            found.setdefault(photo.name, Picture(photo.name, photo.word, photo=photo))
    for sample in catalogue.photos():
        found.setdefault(
            sample.title,
            Picture(sample.title, photo_card.word_of(sample), data=sample.path.read_bytes),
        )
    return found


def _first_photos(desk: Desk, photos: dict[str, Picture]) -> list[str]:
    """Return what is compared at first: the photo on the desk, and its twin or another one."""
    if desk.photo is None:
        return list(photos)[:2]
    twin = twins.twin_of(desk.photo.word)
    others = [twin.title] if twin is not None else []
    others += [name for name in photos if name != desk.photo.name]
    return [desk.photo.name, others[0]]


def _added() -> dict[str, Picture]:
    """List the photos that were added on this page."""
    files = st.session_state.get("grid-files") or []
    return {each.name: Picture(each.name, each.name, data=_reader(each)) for each in files}


def _reader(file: Any) -> Callable[[], bytes]:
    return lambda: bytes(file.getvalue())


def classes(desk: Desk) -> list[str]:
    """List the names that can be asked for: the classes of the model on the desk."""
    return [] if desk.model is None else list(dict.fromkeys(desk.model.card.labels))


def under_way(desk: Desk, work: Work) -> None:
    """Draw how far a grid is, with Cancel."""
    made: grid.Grid = work.what
    total, done = len(made.cells), made.done
    cell = made.next
    said = f"{done} of {counted(total, 'run')}"
    if cell is not None:
        photo, model = made.photos[cell.photo].name, made.networks[cell.network].name
        said += f": {cell.ask.title}, {photo}, {model}"
    left = made.left()
    if left is not None:
        said += f", {text.estimate(left)} left"
    now = work.job.snapshot()
    with st.container(horizontal=True, vertical_alignment="center", key="grid-progress"):
        st.progress((done + jobs.share(now)) / total, text=text.markdown(said))
        st.button("Cancel", key="cancel-grid", on_click=grid.stop, args=(desk, made.slot))


def panels(desk: Desk, made: grid.Grid, *, photos: bool = False) -> list[Panel]:
    """Return the grid's cells row by row: a photo a row, every model and method beside it.

    With `photos` each row begins with its photo alone, and what is said of it.
    """
    rows = []
    for at in range(len(made.photos)):
        if photos:
            rows.append(_photo_panel(desk, made, at))
        for cell in (each for each in made.cells if each.photo == at):
            if cell.answer is not None:
                rows.append(compared.panel(desk, cell.answer, cell.ask.called))
                continue
            about = f"{made.photos[at].name}, {made.networks[cell.network].name}"
            waits = "Under way" if cell is made.next else "Waits for its turn"
            problem = cell.problem or waits
            rows.append(Panel(cell.ask.title, about, problem=problem, waits=cell.waits))
    return rows


def _photo_panel(desk: Desk, made: grid.Grid, at: int) -> Panel:
    """Return a row's photo, as soon as the model has seen it."""
    seen = [cell.answer for cell in made.cells if cell.photo == at and cell.answer is not None]
    if not seen:
        return Panel(PHOTO, made.photos[at].name, problem="Not looked at yet")
    return Panel(PHOTO, compared.panel(desk, seen[0]).about, photo=seen[0].scene.photo)


def heads(made: grid.Grid, *, photos: bool = False) -> compared.Heads:
    """Return what stands over the grid's columns, a method and a model, and before its rows."""
    first = [cell for cell in made.cells if cell.photo == 0]
    several = len(made.networks) > 1
    columns = [
        f"{cell.ask.title}, {made.networks[cell.network].name}" if several else cell.ask.title
        for cell in first
    ]
    columns = [PHOTO, *columns] if photos else columns
    rows = [photo.name for photo in made.photos]
    return compared.Heads(
        tuple(columns) if len(columns) > 1 else (), tuple(rows) if len(rows) > 1 else ()
    )


def announce(made: grid.Grid | None) -> None:
    """Tell a screen reader that a grid began or ended."""
    if made is None:
        jobs.say("", "")
    elif made.next is not None:
        jobs.say(f"{counted(len(made.cells), 'run')} begin.", f"grid-{id(made)}")
    else:
        there = sum(cell.answer is not None for cell in made.cells)
        jobs.say(f"It has ended: {counted(there, 'run')} stand side by side.", f"ended-{id(made)}")
