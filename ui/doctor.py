"""The pre-processing doctor: other preparations tried on the photo, in a table."""

from __future__ import annotations

import dataclasses

import streamlit as st

from loaders import doctor
from loaders.doctor import OUT, Trial
from ui import text, views
from ui.desk import Desk
from ui.held import Model, Photo, Seen
from workers.tasks.examine import Examine
from xai_core.report.numbers import percent

SLOT = "preparations"
UNKNOWN = -1


@dataclasses.dataclass(frozen=True, eq=False)
class _Of:
    """What is examined."""

    model: Model
    photo: Photo


def show(desk: Desk) -> None:
    """Draw the doctor, folded until the reader opens it."""
    seen = desk.seen
    if seen is None or desk.prediction is None:
        return
    with st.expander("Is the photo prepared as in training?", key="doctor"):
        views.line(
            "Other presets, channel orders and fits are tried on this photo. If you know what it "
            "shows, say so: the model\u2019s own certainty can be wrong."
        )
        labels = text.distinct(list(seen.card.labels))
        known = st.selectbox(
            "The photo shows",
            [UNKNOWN, *range(len(labels))],
            format_func=lambda index: "I do not know" if index == UNKNOWN else labels[index],
            key=f"doctor-known:{seen.model.id}:{seen.photo.id}",
        )
        work = desk.slots.work(SLOT)
        if st.button("Try the others", key="doctor-run", disabled=work is not None):
            label = None if known == UNKNOWN else int(known)
            begin(desk, seen, label)
            st.rerun()
        if work is not None:
            views.line("The others are tried \u2026")
        if note := desk.notes.get(SLOT):
            views.error(note)
        _result(desk, seen)


def begin(desk: Desk, seen: Seen, label: int | None) -> None:
    """Try other preparations on what is seen; the last result goes."""
    task = Examine(pixels=seen.photo.pixels, label=label)

    def forget() -> None:
        desk.results.pop(SLOT, None)
        desk.results[f"{SLOT}:of"] = _Of(seen.model, seen.photo)

    desk.change(forget)
    desk.begin(SLOT, seen.model.handle, task)


def _result(desk: Desk, seen: Seen) -> None:
    of: _Of | None = desk.results.get(f"{SLOT}:of")
    found = desk.results.get(SLOT)
    if found is None or of is None or of.model is not seen.model or of.photo is not seen.photo:
        return
    trials, labels = found.trials, seen.card.labels
    first, second = (*doctor.sentences(trials, labels), "", "")[:2]
    views.line(first, "v-prose")
    views.finding(second, warning=doctor.better(trials) is not None)
    known = trials[0].known is not None
    head = ["Preparation", "Says", "Probability", "Entropy (bits)"]
    head += ["Known class"] if known else []
    rows = [_row(each, labels[each.top]) for each in doctor.ordered(trials)]
    body = "".join(
        "<tr>" + "".join(f"<td>{text.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    heads = "".join(f"<th>{text.escape(cell)}</th>" for cell in head)
    views.table(
        "The preparations that were tried",
        f'<table class="v-table"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>',
    )
    views.line(
        "The best fit of each is listed, the most plausible first. One photo may fit a wrong "
        "preparation: try it on several."
    )


def _row(one: Trial, label: str) -> list[str]:
    named = f"{one.words()}{' (now)' if one.own else ''}"
    named += " - out of range" if one.plausible == OUT else ""
    row = [named, label, percent(one.probability), f"{one.entropy:.2f}"]
    return row if one.known is None else [*row, percent(one.known)]
