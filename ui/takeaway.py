"""What a reader takes away of a run, and what they conclude of it."""

from __future__ import annotations

import datetime
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from loaders import printed
from ui import counter_mask, doubt, looks, plates, views
from ui.desk import Desk
from ui.held import Answer
from ui.looks import Looks
from xai_core import render, report
from xai_core.errors import ParamError
from xai_core.report.judgement import NAME, NOTE, QUESTION, Judgement, Right
from xai_core.report.numbers import counted
from xai_core.report.page import page
from xai_core.report.plates import Plate
from xai_core.report.record import record
from xai_core.report.run import Run
from xai_core.report.sheet import sheet, unreadable

JUDGED = "judgement"
USUAL = Looks()
LISTED = 5
"""Characters that a sentence lists."""

RIGHT: Mapping[Right, str] = {"yes": "Yes", "no": "No", "unsure": "Unsure"}


def show(answer: Answer, made: Mapping[str, Any], stem: str, desk: Desk) -> None:
    """Draw the reader's judgement, the files, the command and the details."""
    _judge(answer)
    look = looks.held()
    with st.container(horizontal=True, gap="small", key="downloads"):
        st.download_button(
            "Report",
            lambda: reported([answer], desk, look),
            f"{stem}.html",
            "text/html",
            on_click="ignore",
            help="One page with all of it, to read without a network and to print.",
        )
        if len(desk.runs.pinned) > 1:
            st.download_button(
                f"Report on the {len(desk.runs.pinned)} pinned runs",
                lambda: reported(desk.runs.pinned, desk, look),
                "compared.html",
                "text/html",
                on_click="ignore",
                help="The pinned runs side by side, on one scale where they have one.",
            )
        st.download_button(
            "PNG",
            lambda: as_shown(answer, desk, look),
            f"{stem}.png",
            "image/png",
            on_click="ignore",
            help="Overlay and map as shown, with scale, sentences and doubts.",
        )
        st.download_button(
            "Overlay",
            lambda: png(answer, look),
            f"{stem}-overlay.png",
            "image/png",
            on_click="ignore",
            help="The map over the photo alone, in the photo's own size.",
        )
        st.download_button(
            "NPY",
            lambda: npy(answer),
            f"{stem}.npy",
            "application/octet-stream",
            on_click="ignore",
            help="The raw numbers: float32, height by width of the view.",
        )
        st.download_button(
            "JSON",
            lambda: described(answer),
            f"{stem}.json",
            "application/json",
            on_click="ignore",
            help="All that is known of it: settings, target, sentences, doubts, hashes, versions.",
        )
    scene = answer.scene
    boxes = unreadable((*made["sentences"], *made["doubts"], scene.model.name, scene.photo.name))
    if boxes:
        more = ", ..." if len(boxes) > LISTED else ""
        views.line(
            f"The PNG has no letters for {', '.join(boxes[:LISTED])}{more} and shows a box for "
            "each. The report has them all."
        )
    st.code(made["command"], language="bash", wrap_lines=True)
    _files(answer)
    with st.expander("Details"):
        explanation = answer.explanation
        views.line(
            f"{counted(explanation.passes, 'pass', 'passes')} in {explanation.seconds:.2f} s by "
            f"the engine {explanation.engine}. Model {explanation.model_hash[:12]}, photo "
            f"{explanation.image_hash[:12]}. {explanation.way}"
        )
        st.json(made, expanded=False)


def _files(answer: Answer) -> None:
    """Offer the files that the command reads, beside the model and the photo themselves."""
    model, photo = answer.scene.model, answer.scene.photo
    needed = printed.files(model.options, model.flags)
    if not needed and not photo.made:
        return
    beside = "the model" if photo.made else "the model and the photo"
    views.line(f"The command reads {'these files' if needed else 'this photo'}, beside {beside}:")
    with st.container(horizontal=True, gap="small", key="needed-files"):
        if photo.made:
            st.download_button(
                photo.word,
                lambda: render.png(photo.pixels),
                photo.word,
                "image/png",
                on_click="ignore",
                key="needed-photo",
                help="No file holds this photo yet: it was made here, out of another one.",
            )
        for name, content in needed.items():
            st.download_button(
                name, content, name, "text/plain", on_click="ignore", key=f"needed-{name}"
            )


def _judge(answer: Answer) -> None:
    """Draw the form of what the reader concludes; it goes into report and JSON."""
    held: Judgement | None = answer.measured.get(JUDGED)
    said = f": {RIGHT[held.right].lower()}" if held else ""
    with (
        st.expander(f"Your judgement{said}"),
        st.form(f"judgement-{answer.id}", border=False),
    ):
        right = st.radio(
            QUESTION,
            list(RIGHT),
            index=list(RIGHT).index(held.right) if held else None,
            format_func=RIGHT.__getitem__,
            horizontal=True,
        )
        note = st.text_area("Note", held.note if held else "", height=80, max_chars=NOTE)
        name = st.text_input("Your name, if you want it there", held.name if held else "",
                             max_chars=NAME)  # fmt: skip
        if st.form_submit_button("Keep it with this run"):
            if right is None:
                views.error("Choose yes, no or unsure first.")
                return
            try:
                answer.measured[JUDGED] = Judgement(right=right, note=note, name=name)
            except ParamError as error:
                views.error(str(error))
                return
            st.rerun()


def run_of(answer: Answer, measured: Sequence[str] = (), tried: Sequence[Plate] = ()) -> Run:
    """Return a run as the report wants it; what was measured goes in the place of the advice.

    What was `tried` besides follows with its pictures.
    """
    scene = answer.scene
    return Run(
        explanation=answer.explanation,
        photo=scene.photo.pixels,
        card=scene.card,
        probabilities=scene.prediction.probabilities,
        record=whole(answer) | ({"check": ""} if measured else {}),
        measured=tuple(measured),
        model=scene.model.name,
        name=scene.photo.name,
        plates=tuple(tried),
    )


def measured(answer: Answer, desk: Desk) -> list[str]:
    """Say what was measured of a run's doubt: by hiding, by masking, and beside the other runs."""
    tested: doubt.Tested | None = answer.measured.get(doubt.SLOT)
    hidden = report.hidden_sentences(tested.hidden, answer.scene.card.labels) if tested else []
    return [*hidden, *counter_mask.sentences(answer), *doubt.agreed(answer, desk)]


def reported(answers: Sequence[Answer], desk: Desk, look: Looks = USUAL) -> str:
    """Return the report on some runs, as HTML."""
    runs = [run_of(answer, measured(answer, desk), plates.of(answer, desk)) for answer in answers]
    today = datetime.datetime.now(tz=datetime.UTC)
    signed = any(render.is_signed(answer.explanation) for answer in answers)
    return page(runs, look=look.of(signed), made=f"{today.day} {today:%B %Y}")


def as_shown(answer: Answer, desk: Desk, look: Looks) -> bytes:
    """Return overlay and map as they are drawn on the page, with words and doubts, as PNG."""
    shown = look.of(render.is_signed(answer.explanation))
    return sheet(run_of(answer, measured(answer, desk)), look=shown)


def png(answer: Answer, look: Looks = USUAL) -> bytes:
    """Return the map over the upload, in the upload's size."""
    signed = render.is_signed(answer.explanation)
    shown = look.of(signed)
    made = render.overlay(
        answer.scene.photo.pixels,
        answer.explanation,
        opacity=shown.opacity,
        cmap=shown.colours(signed),
    )
    return render.png(made)


def npy(answer: Answer) -> bytes:
    """Return the raw attribution as an `.npy` file."""
    out = io.BytesIO()
    np.save(out, answer.explanation.attribution, allow_pickle=False)
    return out.getvalue()


def described(answer: Answer) -> str:
    """Return everything but the arrays as JSON."""
    return json.dumps(whole(answer), indent=2, ensure_ascii=False)


def whole(answer: Answer) -> dict[str, Any]:
    """Return everything but the arrays as plain data, as the command line writes it."""
    scene = answer.scene
    return record(
        answer.explanation,
        card=scene.card,
        model=scene.model.word,
        photo=scene.photo.word,
        probabilities=scene.prediction.probabilities,
        findings=scene.findings,
        flags=scene.model.flags,
        marked=scene.photo.region,
        judgement=answer.measured.get(JUDGED),
    )
