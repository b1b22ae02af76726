"""The parts of the page on object detection."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import streamlit as st

from ui import (
    ask,
    box_links,
    detect_boxes,
    detect_lessons,
    detect_several,
    jobs,
    kept,
    presses,
    text,
    views,
)
from ui.desk import RUNNING
from ui.detect_boxes import Drawn
from ui.detect_desk import CHANGING, DetectDesk, Without
from ui.held import Answer, Seen
from ui.page import Page
from ui.slots import Work
from xai_core.detection import boxes, changed, context
from xai_core.explainer import explaining
from xai_core.model import Detections
from xai_core.question import Question
from xai_core.report.numbers import percent
from xai_core.target import Asked, BoxTarget

ASKS: Mapping[Asked, str] = {
    "class": "this class here",
    "position": "a box here",
    "object": "any object here",
    "across": "where across",
    "down": "where down",
    "width": "its width",
    "height": "its height",
}
"""What can be asked of a box, in a few words."""

MEANS: Mapping[Asked, str] = {
    "class": "What speaks for an object of this class in just this place.",
    "position": "What makes a box lie here, whatever its class and its score.",
    "object": "What makes an object of any class appear here.",
    "across": "What moves the box\u2019s middle to the right; what is negative moves it left.",
    "down": "What moves the box\u2019s middle down; what is negative moves it up.",
    "width": "What makes the box wider; what is negative makes it narrower.",
    "height": "What makes the box taller; what is negative makes it flatter.",
}
"""The same in a sentence."""

_ASKS, _SHOWN = "box-asks", "box-shown"


def desk_of(here: Page) -> DetectDesk:
    """Return the desk of detectors that a page was opened with."""
    if not isinstance(here.desk, DetectDesk):
        raise TypeError("the page was opened with another desk")
    return here.desk


def _looking(desk: DetectDesk, work: Work) -> None:
    views.line("The detector looks at the changed photo \u2026")


def _learning(desk: DetectDesk, work: Work) -> None:
    views.line("The detector is asked once more, for what is shown below \u2026")


SLOTS: Mapping[str, jobs.Drawn] = {
    RUNNING: jobs.explaining,
    CHANGING: _looking,  # type: ignore[dict-item]
    **dict.fromkeys(
        detect_lessons.SLOTS,
        _learning,  # type: ignore[arg-type]
    ),
}


def listed(desk: DetectDesk, seen: Seen | None) -> None:
    """Draw beside the photo what the detector found, or why nothing."""
    if seen is None or desk.weighed is None:
        if desk.prediction_error:
            views.error(desk.prediction_error)
        else:
            st.skeleton(height=112)
        return
    stay = detect_boxes.shown(desk.weighed, *detect_boxes.levels())
    labels = seen.card.labels
    rows = "".join(
        f"<li>{text.escape(labels[label])} <b>{percent(float(score))}</b></li>"
        for label, score in zip(stay.labels[:6], stay.scores[:6], strict=True)
    )
    more = f"<li>and {len(stay.scores) - 6} more</li>" if len(stay.scores) > 6 else ""
    st.html(f'<ul class="v-found">{rows or "<li>nothing</li>"}{more}</ul>')


def question(desk: DetectDesk) -> Question | None:
    """Draw what is asked, and Run; return what a run would do, or None."""
    seen, found = desk.seen, desk.weighed
    if seen is None or found is None or desk.prediction_error:
        return None
    threshold, overlap = detect_boxes.sliders()
    stay = detect_boxes.shown(found, threshold, overlap)
    _follow(desk, seen, stay)
    if (linked := box_links.taken(seen.photo)) is not None:
        left, top, right, bottom = linked.box
        detect_boxes.follow(seen, found, stay, (top, left, bottom, right), linked.index)
        st.session_state[_ASKS] = linked.asks
    target = detect_boxes.asked(desk, seen, stay)
    if target is None:
        return None
    name = st.session_state.get(ask.KEYS["detection"])
    known = explaining("detection")
    can = known[name].asks if name in known else tuple(ASKS)
    key = kept.control(_ASKS, "class")
    if st.session_state.get(key) not in can:
        st.session_state[key] = can[0]
    of = st.selectbox(
        "What about it?",
        can,
        format_func=ASKS.__getitem__,
        key=key,
        persist_state="session",
        disabled=len(can) == 1,
    )  # without a help of its own, which would be one stop more on the keyboard's way to Run
    views.line(MEANS[of])
    asked = ask.about(
        desk, seen, dataclasses.replace(target, asks=of), disabled=desk.prediction is None
    )
    if asked is not None:
        detect_several.button(desk, asked, stay)
    return asked


def _follow(desk: DetectDesk, seen: Seen, stay: Detections) -> None:
    """Ask about the box of a run that was brought back, once."""
    run = desk.answer
    if run is None or st.session_state.get(_SHOWN) == run.id:
        return
    st.session_state[_SHOWN] = run.id
    scene, target = run.scene, run.explanation.target
    if (scene.model.id, scene.photo.id) != (seen.model.id, seen.photo.id):
        return
    if isinstance(target, BoxTarget):
        st.session_state[_ASKS] = target.asks
        detect_boxes.restore(seen, target, stay)


def boxes_shown(desk: DetectDesk) -> None:
    """Draw the photo with its boxes."""
    if desk.seen is None or desk.weighed is None:
        st.skeleton(height=240)
        return
    stay = detect_boxes.shown(desk.weighed, *detect_boxes.levels())
    detect_boxes.show(desk, desk.seen, desk.weighed, stay)


def notes(desk: DetectDesk) -> None:
    """Say what became of a run that gave nothing."""
    if desk.run_note:
        views.line(desk.run_note)
    if desk.answer is None and desk.run is None and desk.weighed is not None:
        views.line(
            "Press Run to see what made the detector put the chosen box there.",
            "v-empty v-quiet",
        )


def inside(answer: Answer) -> None:
    """Say how much of the evidence lies in the box, and how much about it."""
    target = answer.explanation.target
    if isinstance(target, BoxTarget):
        said = context.sentences(answer.explanation, target)
        views.line(" ".join(said), "v-prose")


def painting(desk: DetectDesk) -> None:
    """Draw what can be painted over, and which boxes that takes away, moves or makes."""
    seen, found = desk.seen, desk.weighed
    if seen is None or found is None:
        return
    target = _aimed(desk, seen)
    if target is None:
        return
    views.title("Remove and see")
    views.line(
        "Paint over a part of the photo, the chosen box or what stands about it, and let the "
        "detector look again. Draw a box of your own to paint over anything else."
    )
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom", key="painting"):
        where = st.selectbox(
            "Paint over",
            list(changed.WHERE),
            format_func=changed.WHERE.__getitem__,
            key=kept.control("paint-where", "inside"),
        )
        fill = st.selectbox(
            "With",
            list(changed.FILLS),
            format_func=changed.FILLS.__getitem__,
            key=kept.control("paint-fill", "mean"),
        )
        if presses.button("Look again", key="paint", disabled=CHANGING in desk.slots.names()):
            desk.paint(target, where, fill)
            st.rerun()
    if desk.without_note:
        views.error(desk.without_note)
    if desk.without is not None:
        _changed(desk, seen, desk.without)


def _aimed(desk: DetectDesk, seen: Seen) -> BoxTarget | None:
    """Return the box that is chosen now, without drawing anything."""
    found = desk.weighed
    if found is None:
        return None
    stay = detect_boxes.shown(found, *detect_boxes.levels())
    return detect_boxes.chosen(seen, found, stay)


def _changed(desk: DetectDesk, seen: Seen, made: Without) -> None:
    found = desk.weighed
    if found is None or made.photo.id != seen.photo.id or made.model.id != seen.model.id:
        return
    threshold, overlap = detect_boxes.levels()
    labels = seen.card.labels
    before = detect_boxes.shown(found, threshold, overlap)
    every = made.detection.found
    at = boxes.kept(every, threshold, overlap)
    after = Detections(every.boxes[at], every.labels[at], every.scores[at])
    views.line(f"Painted over: {made.words}.")
    apart = changed.difference(before, after)
    geometry = found.geometry
    drawn = _marked(boxes.in_photo(after.boxes, geometry), after, labels, apart.appeared, "fresh")
    drawn += _marked(
        boxes.in_photo(before.boxes, geometry), before, labels, apart.vanished, "gone", only=True
    )
    detect_boxes.picture(
        "boxes-without",
        f"without-{id(made)}-{threshold}-{overlap}",
        made.pixels,
        drawn,
        f"{made.photo.name}, painted over: {made.words}",
        tall=16,
    )
    views.line(" ".join(changed.sentences(before, after, labels)), "v-prose")


def _marked(
    placed: np.ndarray,  # type: ignore[type-arg]
    found: Detections,
    labels: tuple[str, ...],
    special: tuple[int, ...],
    kind: detect_boxes.Kind,
    *,
    only: bool = False,
) -> list[Drawn]:
    """Return boxes to be drawn; those in `special` as of a kind, and no others with `only`."""
    word = {"gone": "gone: ", "fresh": "new: "}.get(kind, "")
    made = []
    for at, box in enumerate(placed[: detect_boxes.MANY]):
        if only and at not in special:
            continue
        name = f"{labels[found.labels[at]]} {percent(float(found.scores[at]))}"
        marked = at in special
        said = f"{word if marked else ''}{name}"
        sides = [float(side) for side in box]
        drawn_as: detect_boxes.Kind = kind if marked else ""
        made.append(Drawn(at + (1000 if only else 0), sides, said, said, kind=drawn_as))
    return made


def told(desk: DetectDesk) -> None:
    """Say how a detector comes to its boxes, on this photo's own candidates."""
    seen, found = desk.seen, desk.weighed
    if seen is None or found is None or not len(found.candidates.scores):
        return
    views.title("How so many candidates become a few boxes")
    threshold, overlap = detect_boxes.levels()
    steps = boxes.suppressed(found.candidates.found, threshold, overlap)
    if not steps:
        views.line("No candidate reaches the score, so there is nothing to suppress.")
        return
    labels, every = seen.card.labels, found.candidates
    st.html(
        '<ol class="v-told"><li>The detector weighs many places at once; each candidate has a box, '
        "a class and a score.</li><li>Those below the score are dropped.</li><li>The best that is "
        "left stays, and every candidate of its class that overlaps it by more than the limit is "
        "dropped as the same object (non-maximum suppression).</li><li>The next best follows, until"
        " none is left.</li></ol>"
    )
    number = 1
    if len(steps) > 1:
        number = st.slider("Step", 1, len(steps), 1, key=f"suppression-{len(steps)}")
    step = steps[number - 1]
    placed = boxes.in_photo(every.boxes, found.geometry)
    drawn = [_step_box(placed[at], at, every.found, labels, "fresh") for at in (step.best,)]
    drawn += [
        _step_box(placed[at], at, every.found, labels, "gone")
        for at in step.dropped[: detect_boxes.MANY]
    ]
    detect_boxes.picture(
        "boxes-step",
        f"step-{detect_boxes.scope(seen)}-{number}-{threshold}-{overlap}",
        seen.photo.pixels,
        drawn,
        f"Step {number}: the box that stays and those that it drops",
        tall=16,
    )
    views.line(changed.step_words(step, every.found, labels), "v-prose")


def _step_box(
    box: np.ndarray,  # type: ignore[type-arg]
    at: int,
    found: Detections,
    labels: tuple[str, ...],
    kind: detect_boxes.Kind,
) -> Drawn:
    said = f"{labels[found.labels[at]]} {percent(float(found.scores[at]))}"
    shown = said if kind == "fresh" else ""  # the dropped ones lie upon each other
    return Drawn(at, [float(side) for side in box], shown, said, kind=kind)
