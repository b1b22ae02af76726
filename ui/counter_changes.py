"""The whole photo changed in many ways: what the model says then, and where the evidence went."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui import counter_runs, counter_strengths, jobs, presses, text, views
from ui.desk import Desk
from ui.held import Model, Photo
from ui.slots import Work
from ui.strip import OFFERING
from workers.tasks.try_changes import TryChanges
from xai_core import render
from xai_core.errors import VitrineError
from xai_core.explainer import explainers
from xai_core.explanation import Explanation
from xai_core.probes._augmented import Augmented, Change
from xai_core.probes.augmentations import AUGMENTATIONS, Changed
from xai_core.question import Question
from xai_core.report.augmented import Row, answered, change_sentences, rows, words
from xai_core.report.numbers import counted, percent, quote
from xai_core.report.plates import Plate, changes_plate, grid_title, over

if TYPE_CHECKING:
    from workers.client import Snapshot

SLOT = counter_strengths.GRID
_OPENS, _SLID = "counter-opens", "counter-slid"
USUAL = tuple(Change(each.name, each.usual) for each in AUGMENTATIONS.values())
SMALL = 224
"""Longest side of a picture in a card, in pixels."""


@dataclasses.dataclass(frozen=True, eq=False)
class Asked:
    """A grid with the model and photo that it is of; what was drawn of it is kept."""

    model: Model
    photo: Photo
    task: TryChanges
    kept: dict[Any, Any] = dataclasses.field(default_factory=dict)

    def changed(self, change: Change) -> Changed:
        """Return a changed photo."""
        if change not in self.kept:
            self.kept[change] = self.task.photo(change)
        made: Changed = self.kept[change]
        return made

    def view(self, change: Change) -> NDArray[np.uint8]:
        """Return what the model gets of a changed photo, uint8 `[h, w, 3]`."""
        return render.pixels(self.model.preprocessing.view(self.changed(change).pixels)[0])


@dataclasses.dataclass(frozen=True, eq=False)
class Grid:
    """The answers of a grid."""

    asked: Asked
    made: Augmented
    rows: Sequence[Row]

    @property
    def _maps(self) -> list[Explanation]:
        return [cell.explanation for cell in self.made.cells if cell.explanation is not None]

    @property
    def signed(self) -> bool:
        """Whether its maps are drawn round zero."""
        return any(render.is_signed(each) for each in self._maps)

    @property
    def top(self) -> float:
        """The value of the last colour: the same for all its maps."""
        signed = self.signed
        return max(render.limits(each.attribution, signed=signed)[1] for each in self._maps)


def begin(desk: Desk, question: Question) -> None:
    """Begin a grid on the model and photo that are there."""
    model, photo = desk.model, desk.photo
    if model is None or photo is None:
        return

    def act() -> None:
        desk.slots.cancel(SLOT)
        desk.notes.pop(SLOT, None)
        try:
            task = TryChanges(
                pixels=photo.pixels, question=question, changes=USUAL, box=photo.region
            )
            job = model.handle.run(task)
        except VitrineError as error:
            desk.notes[SLOT] = str(error)
            return

        asked = Asked(model, photo, task)

        def done(made: Augmented) -> None:
            found = rows(made, lambda change: asked.changed(change).places)
            desk.results[SLOT] = Grid(asked, made, found)

        def failed(found: Snapshot) -> None:
            desk.notes[SLOT] = str(found.error or "It ended without a result.")

        desk.slots.put(SLOT, Work(asked, job, done, failed))

    desk.change(act)


def show(desk: Desk, asked: Question | None) -> None:
    """Draw the button, and the grid that was made last."""
    _begins(desk, asked)
    if note := desk.notes.get(SLOT):
        views.line(note)
    grid: Grid | None = desk.results.get(SLOT)
    if grid is None:
        if desk.slots.work(SLOT) is None:
            views.line(
                "Mirrored, turned, cropped, shifted, darker, blurred, without colour: each change "
                "with its answer, its map, and the map brought back, so that one sees where the "
                "evidence went.",
                "v-empty v-quiet",
            )
        return
    _shown(desk, grid)


def _begins(desk: Desk, asked: Question | None) -> None:
    busy = desk.slots.work(SLOT) is not None or desk.prediction is None
    label = f"Try {len(USUAL)} changes"
    if asked is not None and desk.model is not None:
        card = desk.model.card
        try:
            cost = asked.made(card.input_size).cost(card)
            seconds = (card.pace.seconds(cost) + card.pace.forward / 1000) * (len(USUAL) + 1)
            label += f" ({text.estimate(seconds)})"
        except VitrineError as error:
            views.error(str(error))
            busy = True
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        pressed = presses.button(
            label, key="changes", type="primary", disabled=busy or asked is None
        )
        views.line("Each with the question and the method at the left.")
    if desk.photo is not None:
        counter_strengths.shifted(desk, desk.photo)
    if pressed and asked is not None:
        begin(desk, asked)
        st.rerun()


def under_way(desk: Desk, work: Work) -> None:
    """Draw the cells that are there, how far the grid is, and Cancel, which keeps them."""
    asked: Asked = work.what
    now = work.job.snapshot()
    total = len(asked.task.changes) + 1
    arrays = now.arrays
    there = len(arrays["maps"]) if "maps" in arrays else 0
    with st.container(horizontal=True, vertical_alignment="center", key="changes-progress"):
        said = jobs.said(now) if now.state == "queued" else f"{there} of {total} photos"
        st.progress(jobs.share(now), text=text.markdown(said))
        st.button("Cancel", key="cancel-changes", on_click=_stop, args=(desk,))
    if there > 1:
        _cards(f"under-way-{id(asked)}-{there}", _so_far(asked, arrays, there), "changes-so-far")


def _so_far(asked: Asked, arrays: Any, there: int) -> list[dict[str, Any]]:
    """Return a card for each changed photo whose answer has come, in the order of their coming."""
    cards = []
    for at in range(1, there):
        if at not in asked.kept:
            asked.kept[at] = _early(asked, arrays, at)
        cards.append(asked.kept[at])
    return cards


def _early(asked: Asked, arrays: Any, at: int) -> dict[str, Any]:
    labels, change = asked.model.card.labels, asked.task.changes[at - 1]
    signed = explainers()[asked.task.question.method].signed
    first, chance = int(arrays["firsts"][at]), float(arrays["chances"][at])
    title = text.capital(words(change))
    if not 0 <= first < len(labels):
        return _card(at, title, problem="No answer.")
    flips = first != int(arrays["firsts"][0])
    laid = over(asked.view(change), np.asarray(arrays["maps"][at]), signed=signed)
    answer = f"{'then ' if flips else ''}{quote(labels[first])}, {percent(chance)}"
    pictures = [_picture(laid, f"{words(change)}: the map over the changed photo. {answer}")]
    return _card(at, title, answer, flips=flips, pictures=pictures)


def _stop(desk: Desk) -> None:
    """Ask the task to end with what there is."""
    work = desk.slots.work(SLOT)
    if work is None:
        return
    if work.job.snapshot().state == "running" and "maps" in work.job.snapshot().arrays:
        work.job.command("stop")
    else:
        desk.change(lambda: desk.slots.cancel(SLOT))


def _shown(desk: Desk, grid: Grid) -> None:
    asked = grid.asked
    labels = asked.model.card.labels
    own = grid.made.cells[0]
    title = explainers()[asked.task.question.method].title
    about = f"{title} for {asked.task.question.target.words(labels)} on {asked.photo.name}"
    if len(grid.made.cells) <= len(asked.task.changes):
        about += f"; stopped after {counted(len(grid.rows), 'change')}"
    if max(asked.photo.pixels.shape[:2]) > max(asked.changed(own.change).pixels.shape[:2]):
        about += "; the photo was reduced first"
    _stale(desk, asked)
    said = change_sentences(own, grid.rows, labels)
    views.line(" ".join(said[:-1]) or said[-1], "v-prose")
    views.line(
        f"{about}. In each card: the map over the changed photo, and brought back; all on one "
        "scale. Those that flip the label come first, then those that move the evidence most; one "
        "whose strength you change stays where it is."
    )
    counter_strengths.show(desk, grid)
    name = f"grid-{id(grid)}"
    if name not in asked.kept:
        asked.kept[name] = [_cell(grid, row) for row in grid.rows]
    turn = asked.kept.get(counter_strengths.TURN, 0)
    _cards(name, asked.kept[name], "changes-grid", turn)
    views.line(said[-1])
    slid = st.session_state.pop(_SLID, None)
    if slid is not None and slid[0] == name:
        counter_strengths.change(desk, grid, *slid[1:])
        st.rerun()
    at = st.session_state.pop(_OPENS, None)
    row = next((row for row in grid.rows if at == (name, row.at)), None)
    if row is not None:
        open_run(desk, grid, row)


def _stale(desk: Desk, asked: Asked) -> None:
    """Say where the grid is of another photo or model than those at the left."""
    others = [
        word
        for word, same in (
            ("photo", desk.photo is not None and desk.photo.id == asked.photo.id),
            ("model", desk.model is not None and desk.model.id == asked.model.id),
        )
        if not same
    ]
    if others:
        views.line(
            f"Shown: the changes of the last {' and '.join(others)}, {asked.photo.name} and "
            f"{asked.model.name}. Try them again for what is at the left."
        )


def _cell(grid: Grid, row: Row) -> dict[str, Any]:
    labels, facts, asked = grid.asked.model.card.labels, row.facts, grid.asked
    title = text.capital(facts["words"])
    answer, *evidence = answered(row, labels)
    explanation = row.cell.explanation
    if explanation is None or row.back is None:
        return _card(row.at, title, problem=answer) | _strength(grid, row)
    top = grid.top
    laid = over(asked.view(row.cell.change), explanation.attribution, signed=grid.signed, top=top)
    plain = asked.view(grid.made.cells[0].change)
    back = over(plain, row.back.attribution, signed=grid.signed, top=top, known=row.back.known)
    pictures = [
        _picture(laid, f"{facts['words']}: the map over the changed photo. {answer}"),
        _picture(back, f"{facts['words']}: the same map brought back over the photo"),
    ]
    card = _card(row.at, title, answer, flips=facts["flips"], pictures=pictures)
    return card | {"evidence": evidence[0], "opens": True} | _strength(grid, row)


def _strength(grid: Grid, row: Row) -> dict[str, Any]:
    """Return a card's slider and its flip point."""
    change = row.cell.change
    gone = grid.asked.model.handle.state in ("failed", "closed")
    scale = counter_strengths.slider(change, counter_strengths.flips_of(grid))
    told = counter_strengths.said(grid, change).replace("\u201c", "").replace("\u201d", "")
    return {"slider": None if gone or not scale["words"] else scale, "turns": told}


def _card(
    at: int,
    title: str,
    answer: str = "",
    *,
    flips: bool = False,
    pictures: Sequence[dict[str, str]] = (),
    problem: str = "",
) -> dict[str, Any]:
    bare = answer.replace("\u201c", "").replace("\u201d", "")
    return {
        "at": at, "title": title, "answer": bare, "evidence": "", "flips": flips,
        "opens": False, "problem": problem, "pictures": list(pictures), "slider": None,
        "turns": "",
    }  # fmt: skip


def _picture(pixels: NDArray[np.uint8], alternative: str) -> dict[str, str]:
    return {"url": views.data_url(pixels, longest=SMALL), "alternative": text.capital(alternative)}


def _cards(name: str, cards: Sequence[dict[str, Any]], key: str, turn: int = 0) -> None:
    def opened() -> None:
        said = st.session_state[key].open
        if isinstance(said, dict) and type(said.get("at")) is int:
            st.session_state[_OPENS] = (said.get("id"), said["at"])

    def slid() -> None:
        told = st.session_state[key].slid
        if isinstance(told, dict) and type(told.get("at")) is type(told.get("step")) is int:
            st.session_state[_SLID] = (told.get("id"), told["at"], told["step"])

    mount = views.component("changes", '<div class="changes" role="list"></div>')
    mount(
        key=key,
        data={"id": name, "turn": turn, "cards": list(cards)},
        on_open_change=opened,
        on_slid_change=slid,
    )


def tried(desk: Desk, model: Model, photo: Photo) -> bool:
    """Whether there is a grid of this model and photo, with a map of the photo as it is."""
    grid: Grid | None = desk.results.get(SLOT)
    if grid is None or (grid.asked.model.id, grid.asked.photo.id) != (model.id, photo.id):
        return False
    return grid.made.cells[0].explanation is not None


def plates(desk: Desk, model: Model, photo: Photo) -> list[Plate]:
    """Return the grid for a report, where it is of this model and photo."""
    if not tried(desk, model, photo):
        return []
    grid: Grid = desk.results[SLOT]
    asked, own = grid.asked, grid.made.cells[0]
    assert own.explanation is not None  # noqa: S101 - it was tried
    labels, question = model.card.labels, asked.task.question
    flips = [turns for row in grid.rows
             if (turns := counter_strengths.said(grid, row.cell.change))]  # fmt: skip
    title = grid_title(
        explainers()[question.method].title, question.target.words(labels), len(grid.rows)
    )
    said = [*change_sentences(own, grid.rows, labels), *flips]
    return [changes_plate(own.explanation, grid.rows, labels, said, asked.view, title)]


def open_run(desk: Desk, grid: Grid, row: Row) -> None:
    """Keep a changed photo's map as a run, and show it in the Offering."""
    explanation, chances = row.cell.explanation, row.cell.probabilities
    if not isinstance(explanation, Explanation) or chances is None:
        return
    asked = grid.asked
    pixels = asked.changed(row.cell.change).pixels
    photo = counter_runs.named(asked.photo, row.facts["words"], pixels)
    counter_runs.keep(desk, asked.model, photo, chances, explanation)
    st.switch_page(OFFERING)
