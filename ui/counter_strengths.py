"""How strong a change of the photo is: its slider, its flip point, and what a shift moves."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui import drawing, jobs, presses, text, views
from ui.desk import Desk
from ui.drawing import Surface
from ui.held import Photo
from ui.slots import Work
from ui.under_way import sentence
from workers.tasks.try_strengths import TryStrengths
from xai_core.errors import ParamError, VitrineError
from xai_core.probes._augmented import Augmented, Change, Strengths
from xai_core.probes.augmentations import named
from xai_core.region import Region
from xai_core.report.augmented import flip_sentence, rows, words
from xai_core.report.numbers import counted

if TYPE_CHECKING:
    from ui.counter_changes import Grid
    from workers.client import Snapshot

SLOT, CELL = "counter-strengths", "counter-cell"
GRID, TURN = "counter-changes", "turn"
STEPS = 24
"""Steps of a slider from the least strength to the most."""


@functools.cache
def steps(name: str) -> tuple[float, ...]:
    """Return the strengths of a change's slider, the usual one among them; none for a switch."""
    each = named(name)
    return () if each.switch else tuple(sorted({*each.strengths(STEPS), each.usual}))


def slider(change: Change, flips: Strengths | None) -> dict[str, Any]:
    """Return a card's slider: what each of its steps says, where it stands, and the flip point."""
    scale = steps(change.name)
    made: dict[str, Any] = {"words": [], "at": 0, "flip": None}
    if scale:
        made["words"] = [text.capital(words(Change(change.name, each))) for each in scale]
        made["at"] = min(range(len(scale)), key=lambda at: abs(scale[at] - change.strength))
        found = None if flips is None else flips.flip(change.name)
        if found is not None:
            # the slider's steps are even, their strengths are not
            at = next(at for at, each in enumerate(scale) if each >= found[1] - 1e-9)
            low = scale[at - 1] if at else 0.0
            made["flip"] = (at - 1 + (found[1] - low) / (scale[at] - low)) / (len(scale) - 1)
    return made


def flips_of(grid: Grid) -> Strengths | None:
    """Return the flip points of a grid's changes, where they were found."""
    found: Strengths | None = grid.asked.kept.get(SLOT)
    return found


def said(grid: Grid, change: Change) -> str:
    """Say at which strength of a change the answer turns; empty where it is not known."""
    flips = flips_of(grid)
    if flips is None or change.name not in flips.names:
        return ""
    return flip_sentence(flips, change.name, grid.asked.model.card.labels)


def show(desk: Desk, grid: Grid) -> None:
    """Draw the button that finds the flip points, with the passes that it takes."""
    flips = flips_of(grid)
    if flips is not None:
        turned = int((flips.turned >= 0).sum())
        first = f"{turned} of {counted(len(flips.names), 'change')}"
        views.line(
            f"{first} {'turns' if turned == 1 else 'turn'} the label at some strength: each was "
            f"asked in {counted(flips.strengths.shape[1], 'rising step')}, and where the lead "
            "over the next class fell below half of the photo's own and rose again, on both sides "
            "of that step; the step that turned it was halved. A turn that turns back between two "
            "steps can still be missed. The mark at a slider is where."
        )
        return
    task = asked(grid)
    pace = grid.asked.model.card.pace.forward / 1000
    expected = text.estimate(task.passes * pace)
    label = f"Find where each turns the label (at most {task.passes} passes, {expected})"
    gone = grid.asked.model.handle.state in ("failed", "closed")
    busy = desk.slots.work(SLOT) is not None
    if presses.button(label, key="flips", disabled=gone or busy):
        begin(desk, grid, task)
        st.rerun()


def asked(grid: Grid) -> TryStrengths:
    """Return the task that finds the flip points of a grid's changes."""
    own, task = grid.made.cells[0], grid.asked.task
    classes = task.question.target.classes()
    index = classes[0] if classes else own.first or 0
    names = tuple(change.name for change in task.changes)
    return TryStrengths(pixels=task.pixels, index=index, names=names, box=task.box, seed=task.seed)


def begin(desk: Desk, grid: Grid, task: TryStrengths) -> None:
    """Find the flip points."""

    def done(made: Strengths) -> None:
        grid.asked.kept[SLOT] = made
        grid.asked.kept.pop(f"grid-{id(grid)}", None)

    _put(desk, SLOT, grid, task, task, done)


def change(desk: Desk, grid: Grid, at: int, step: int) -> None:
    """Ask about a card's change at a step of its slider; its answer takes the old one's place."""
    row = next((row for row in grid.rows if row.at == at), None)
    scale = () if row is None else steps(row.cell.change.name)
    if row is None or not 0 <= step < len(scale):
        return
    name = row.cell.change.name
    task = dataclasses.replace(grid.asked.task, changes=(Change(name, scale[step]),))

    def done(made: Augmented) -> None:
        if desk.results.get(GRID) is not None and len(made.cells) == 2:
            desk.results[GRID] = replaced(desk.results[GRID], at, made)

    _put(desk, CELL, grid, task, task.changes[0], done)


def replaced(grid: Grid, at: int, made: Augmented) -> Grid:
    """Return a grid with another answer in the place of cell number `at`; the order stays."""
    kept, cells = grid.asked.kept, list(grid.made.cells)
    for gone in (f"grid-{id(grid)}", cells[at].change):
        kept.pop(gone, None)
    cells[at] = made.cells[1]
    pair = dataclasses.replace(made, cells=(cells[0], cells[at]))
    (found,) = rows(pair, lambda change: grid.asked.changed(change).places)
    new = dataclasses.replace(found, at=at)
    return dataclasses.replace(
        grid,
        made=dataclasses.replace(grid.made, cells=tuple(cells)),
        rows=[new if row.at == at else row for row in grid.rows],
    )


def _put(desk: Desk, slot: str, grid: Grid, task: Any, what: Any, done: Any) -> None:
    def act() -> None:
        desk.slots.cancel(slot)
        desk.notes.pop(GRID, None)
        try:
            job = grid.asked.model.handle.run(task)
        except VitrineError as error:
            desk.notes[GRID] = str(error)
            return

        def failed(found: Snapshot) -> None:
            again(grid)
            if found.state != "cancelled":
                desk.notes[GRID] = sentence(found, "It ended without an answer.")

        desk.slots.put(slot, Work(what, job, done, failed))

    desk.change(act)


def under_way(desk: Desk, work: Work) -> None:
    """Draw how far the strengths are, and Cancel."""
    now, what = work.job.snapshot(), work.what
    flips = isinstance(what, TryStrengths)
    begun = "Where each turns the label" if flips else text.capital(words(what))
    with st.container(horizontal=True, vertical_alignment="center", key=f"strength-{flips}"):
        st.progress(jobs.share(now), text=text.markdown(f"{begun}: {jobs.said(now)}"))
        slot = SLOT if flips else CELL
        st.button("Cancel", key=f"cancel-{slot}", on_click=_cancel, args=(desk, slot))


def _cancel(desk: Desk, slot: str) -> None:
    def act() -> None:
        grid: Grid | None = desk.results.get(GRID)
        if desk.slots.cancel(slot) and grid is not None:
            again(grid)

    desk.change(act)


def again(grid: Grid) -> None:
    """Let the cards be drawn as they were: a slider was moved in vain."""
    grid.asked.kept[TURN] = grid.asked.kept.get(TURN, 0) + 1


def shifted(desk: Desk, photo: Photo) -> None:
    """Let the reader mark what a shift moves: a part of the photo, or all of it."""
    marked = photo.region
    title = "A shift moves what is marked" if marked else "A shift moves the whole photo"
    with st.expander(title, key="shift-part"):
        views.line(
            "Draw a box round the object that is to be shifted alone; what was behind it is "
            "continued from round it. It takes effect when the changes are tried again."
        )
        size = (photo.pixels.shape[0], photo.pixels.shape[1])
        part = None
        if marked is not None:
            corners = ((marked.top, marked.left), (marked.bottom, marked.right))
            part = drawing.box(*corners)

        def heard(told: Any) -> None:
            try:
                drawn = drawing.read(told, size)
            except ParamError:
                return
            region = None
            if drawn is not None:
                (top, left), (bottom, right) = drawing.corners(drawn)
                region = Region(
                    math.floor(top), math.floor(left), math.ceil(bottom), math.ceil(right)
                )
            desk.mark(photo, region)

        drawing.show(
            "shift-surface",
            Surface(
                name=f"shift-{photo.id}",
                pixels=photo.pixels,
                alternative=f"The photo {photo.name}",
                part=part,
                tools=("box",),
                moves=False,
                tall=14,
            ),
            heard,
        )
