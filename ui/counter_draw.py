"""A part of the photo drawn by the reader: hidden, kept, moved or pasted, and what changes."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from loaders import printed
from ui import counter_edits, counter_runs, drawing, jobs, kept, text, views
from ui.counter_edits import CLIP, SLOT, Clip, Edits, Step
from ui.desk import Desk
from ui.dialogs import opens
from ui.drawing import Surface
from ui.held import Model, Photo
from ui.photo_card import TITLE
from ui.slots import Work
from ui.strip import OFFERING
from xai_core import render
from xai_core.errors import ParamError
from xai_core.params import FILLS
from xai_core.probes._edited import Edited
from xai_core.probes.edits import ACTS, dragged, landing
from xai_core.probes.fills import FILLS as KINDS
from xai_core.question import Question
from xai_core.report.command import edit_command
from xai_core.report.edited import edited_sentences
from xai_core.report.numbers import percent, quote
from xai_core.report.plates import Plate, Shown, edited_shown

FILL = "edit-fill"
Pixels = NDArray[np.uint8]


def show(desk: Desk, asked: Question | None) -> None:
    """Draw the photo to draw on, what to do with what is drawn, and what the last edit did."""
    model, photo = desk.model, desk.photo
    if model is None or photo is None:
        return
    found = counter_edits.of(desk, photo)
    taken = counter_edits.clip(desk, photo)
    with st.container(key="edit"):
        left, right = st.columns([1, 1], gap="medium")
        with left:
            _surface(desk, found, taken)
            if found.step is not None and found.step.made is not None:
                _pictures(found.step, found.step.made)
                _further(desk, asked, found, found.step, found.step.made)
        with right:
            _acts(desk, model, found, taken)
            if found.note:
                views.error(found.note)
            if found.step is not None:
                _said(desk, model, found, found.step)
            else:
                views.line(
                    "Draw round something on the photo, then hide it, keep only it, or put it "
                    "elsewhere. The model is asked about the photo before, after, and with as many "
                    "pixels changed in other places.",
                    "v-empty v-quiet",
                )


def _surface(desk: Desk, found: Edits, taken: Clip | None) -> None:
    size = (found.now.shape[0], found.now.shape[1])
    words = f", {found.words}" if found.at else ""
    part, name = found.part, f"edit-{found.photo.id}-{found.at}"
    if taken is not None:
        area = taken.drawn.area((taken.pixels.shape[0], taken.pixels.shape[1]))
        part = drawing.moved(taken.drawn, *landing(area, (0, 0), size))
        name += f"-held-{id(taken)}"

    def heard(said: Any) -> None:
        try:
            if taken is not None:
                counter_edits.drag(desk, found, dragged(said.get("by"), size))
            else:
                counter_edits.draw(desk, found, drawing.read(said, size))
        except ParamError as error:
            counter_edits.draw(desk, found, None, str(error))

    drawing.show(
        "draw-surface",
        Surface(
            name=name,
            pixels=found.now,
            alternative=f"The photo {found.photo.name}{words}",
            part=part,
            turn=found.turn,
            held=taken is not None,
        ),
        heard,
    )


def _acts(desk: Desk, model: Model, found: Edits, taken: Clip | None) -> None:
    """Draw what may be done with what is drawn, and undo."""
    busy = desk.slots.work(SLOT) is not None
    if taken is not None:
        views.line(f"Taken along: {percent(taken.share)} of {quote(taken.photo.name)}.")
        with st.container(horizontal=True, gap="small", key="edit-acts"):
            st.button(
                "Paste it here",
                key="edit-paste-here",
                type="primary",
                disabled=busy,
                on_click=counter_edits.do,
                args=(desk, model, found, "paste", KINDS[0]),
            )
            st.button("Let it go", key="edit-drop", on_click=counter_edits.drop,
                      args=(desk, found))  # fmt: skip
    else:
        fill = str(
            st.selectbox(
                "Hide with",
                KINDS,
                format_func=FILLS.__getitem__,
                key=kept.control(FILL, KINDS[0]),
                persist_state="session",
            )
        )
        moved = found.part is not None and found.part.by != (0, 0)
        with st.container(horizontal=True, gap="small", key="edit-acts"):
            for act, words in ACTS.items():
                st.button(
                    words,
                    key=f"edit-{act}",
                    disabled=busy or found.part is None or (act in ("move", "paste") and not moved),
                    on_click=counter_edits.do,
                    args=(desk, model, found, act, fill),
                )
            st.button(
                "Take it to another photo",
                key="edit-take",
                disabled=found.part is None,
                on_click=_take,
                args=(desk, found),
            )
        if CLIP in desk.results:
            views.line("Taken along: choose another photo at the left, and paste it there.")
    with st.container(horizontal=True, gap="small", key="edit-steps", vertical_alignment="center"):
        ways = (("Undo", found.at - 1, found.at > 0),
                ("Redo", found.at + 1, found.at < len(found.steps)),
                ("Start again", 0, found.at > 0))  # fmt: skip
        for words, at, there in ways:
            st.button(words, key=f"edit-{words.split()[-1].lower()}", disabled=not there,
                      on_click=counter_edits.go, args=(desk, found, at))  # fmt: skip
        if found.at:
            views.line(f"{text.capital(found.words)}.")


def _take(desk: Desk, found: Edits) -> None:
    counter_edits.take(desk, found)
    opens(TITLE)


def _said(desk: Desk, model: Model, found: Edits, step: Step) -> None:
    """Say what the edit did; whose answer it is, where the model is another one by now."""
    labels = step.model.card.labels
    if step.note:
        views.error(step.note)
    if step.model.id != model.id:
        views.line(f"Said by {quote(step.model.name)}, which is not the model at the left.")
    if (step.model.id != model.id or step.note) and desk.slots.work(SLOT) is None:
        st.button(f"Ask {text.markdown(model.name)}", key="edit-ask", type="primary",
                  on_click=counter_edits.ask, args=(desk, step, model))  # fmt: skip
    if step.made is not None:
        said = sentences(step, step.made)
        views.line(" ".join(said[:-1]), "v-prose")
        views.line(said[-1])
        first = found.steps[0]
        if found.at > 1 and first.made is not None and first.model is step.model:
            label = int(first.made.firsts[0])
            chance = percent(float(first.made.probabilities[0, label]))
            views.line(f"Before all edits it was {quote(labels[label])}, {chance}.")


def sentences(step: Step, made: Edited) -> list[str]:
    """Say what an edit did, for the page and for the report."""
    return edited_sentences(made, step.task.act, step.share, step.model.card.labels)


def shown(step: Step, made: Edited) -> list[Shown]:
    """Return the photo before, the edited one and its first control, with the answers."""
    photos = (step.task.before, step.after, step.control())
    return edited_shown(made, photos, step.model.card.labels)


def _pictures(step: Step, made: Edited) -> None:
    drawn = []
    for each in shown(step, made):
        url = views.data_url(each.pictures[0], longest=320)
        (answer,) = each.said
        drawn.append(
            f'<figure><img src="{url}" alt="{text.escape(f"{each.title}: {answer}")}"><figcaption>'
            f'<b>{text.escape(each.title)}</b><br><span class="{"v-flips" if each.flips else ""}">'
            f"{text.emphasised(answer)}</span></figcaption></figure>"
        )
    st.html(f'<div class="v-fourfold v-three">{"".join(drawn)}</div>')


def _asked(desk: Desk, model: Model, photo: Photo) -> list[tuple[Step, Edited]]:
    """Return the edits of this photo that this model has answered."""
    found: Edits | None = desk.results.get(SLOT)
    if found is None or found.photo.id != photo.id:
        return []
    done = found.steps[: found.at]
    return [(each, each.made) for each in done
            if each.made is not None and each.model.id == model.id]  # fmt: skip


def tried(desk: Desk, model: Model, photo: Photo) -> bool:
    """Whether this model has answered an edit of this photo."""
    return bool(_asked(desk, model, photo))


def plates(desk: Desk, model: Model, photo: Photo) -> list[Plate]:
    """Return the edits of this photo that this model has answered, for a report."""
    return [
        Plate(f"By hand: {step.words}", sentences(step, made), shown(step, made), columns=3)
        for step, made in _asked(desk, model, photo)
    ]


def _further(desk: Desk, asked: Question | None, found: Edits, step: Step, made: Edited) -> None:
    """Offer the edited photo: explained, and as a file."""
    photo = counter_runs.named(found.photo, found.words, step.after)
    with st.container(horizontal=True, gap="small", key="edit-further"):
        gone = step.model.handle.state in ("failed", "closed") or step.model is not desk.model
        if (
            st.button(
                "Explain the edited photo",
                key="edit-explain",
                disabled=asked is None or gone,
                help="With the question and the method at the left; it opens in the Offering.",
            )
            and asked is not None
        ):
            chances = made.probabilities[1]
            counter_runs.explain(desk, step.model, photo, chances, asked)
            st.switch_page(OFFERING)
        st.download_button(
            "PNG of it",
            lambda: render.png(step.after),
            photo.word,
            "image/png",
            on_click="ignore",
            key="edit-png",
        )
    _command(step.model, found)


def _command(model: Model, found: Edits) -> None:
    """Offer the command that makes the edits again, and the photos that no file holds yet."""
    with st.expander("As a command", key="edit-command"):
        if not found.whole:
            views.line("There is no command for it: the first edits are no longer kept.")
            return
        st.code(command(model, found), language="bash", wrap_lines=True)
        photos = [found.photo, *(each.source for each in found.steps[: found.at])]
        needed = {each.word: each for each in photos if each is not None and each.made}
        files = printed.files(model.options, model.flags)
        if needed or files:
            views.line("The command reads these files, beside the model and the photos:")
        for name, content in files.items():
            st.download_button(
                name, content, name, "text/plain", on_click="ignore", key=f"edit-needed-{name}"
            )
        for name, photo in needed.items():
            st.download_button(
                name,
                functools.partial(render.png, photo.pixels),
                name,
                "image/png",
                on_click="ignore",
                key=f"edit-needed-{name}",
            )


def command(model: Model, found: Edits) -> str:
    """Return the command that makes the edits that are done again."""
    words = [each.word for each in found.steps[: found.at]]
    return edit_command(words, model=model.word, photo=found.photo.word, flags=model.flags)


def under_way(desk: Desk, work: Work) -> None:
    """Draw how far the model is with an edit, and Cancel."""
    now = work.job.snapshot()
    with st.container(horizontal=True, vertical_alignment="center", key="edit-progress"):
        st.progress(jobs.share(now), text=text.markdown(jobs.said(now)))
        st.button("Cancel", key="cancel-edit", on_click=_cancel, args=(desk, work.what))


def _cancel(desk: Desk, step: Step) -> None:
    def act() -> None:
        if desk.slots.cancel(SLOT):
            step.note = "Cancelled: the model has not been asked."

    desk.change(act)
